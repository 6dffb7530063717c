"""JSON too large to hold in memory, read value by value.

`json.loads` turns a whole text into objects: 300 MB for the labels of a million pictures, gigabytes for their sources.
Here the caller walks the outer objects and lists, and the standard library's decoder reads each value in them; of the
text, only what is not yet read and one more piece is held.
"""

import codecs
import json
from collections.abc import Iterable, Iterator
from typing import Any

__all__ = ["JsonReader"]

_NUMERIC = "0123456789.eE+-"  # the empty text is in it too
_BLANKS = " \t\n\r"
_MOST_VALUE = 64 * 2**20  # characters


class JsonReader:
    """A JSON text being read from front to back; errors are those of `json.loads`, ValueErrors.

        for key in reader.fields():
            value = reader.value()  # or fields(), items(), skip()

    Args:
        chunks: the text in pieces, in UTF-8 or another encoding that `json.loads` takes.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._text = ""
        self._at = 0
        self._num_dropped = 0
        self._is_ended = False
        self._decode: codecs.IncrementalDecoder | None = None
        self._scan = json.JSONDecoder().raw_decode

    def peek(self) -> str:
        """The next character that is not blank; empty at the end."""
        while True:
            text, at = self._text, self._at
            while at < len(text) and text[at] in _BLANKS:
                at += 1
            self._at = at
            if at < len(text):
                return text[at]
            if not self._fill():
                return ""

    def fields(self) -> Iterator[str]:
        """The keys of the object that comes next; the value of each is to be read before going on."""
        self._take("{")
        if self.peek() == "}":
            self._at += 1
            return
        while True:
            if self.peek() != '"':
                raise self._error("Expecting property name enclosed in double quotes")
            key = self.value()
            self._take(":")
            yield key
            if self._take(",", "}") == "}":
                return

    def items(self) -> Iterator[Any]:
        """The values of the list that comes next."""
        self._take("[")
        if self.peek() == "]":
            self._at += 1
            return
        while True:
            yield self.value()
            if self._take(",", "]") == "]":
                return

    def value(self) -> Any:
        """The value that comes next, whole."""
        self.peek()
        while True:
            try:
                found, end = self._scan(self._text, self._at)
            except json.JSONDecodeError:
                if not self._fill():
                    raise
                continue
            # A number at the end of what is held may go on: 3 may be 31, or 3e2.
            if self._text[end : end + 1] not in _NUMERIC or not self._fill():
                self._at = end
                return found

    def skip(self) -> None:
        """Pass over the value that comes next, whatever its size."""
        kind = self.peek()
        if kind == "{":
            for _ in self.fields():
                self.value()
        elif kind == "[":
            for _ in self.items():
                pass
        else:
            self.value()

    def end(self) -> None:
        """Make sure that nothing follows."""
        if self.peek():
            raise self._error("Extra data")

    def _take(self, *wanted: str) -> str:
        found = self.peek()
        if found not in wanted:
            raise self._error(f"Expecting {' or '.join(map(repr, wanted))}")
        self._at += 1
        return found

    def _fill(self) -> bool:
        """Hold at least twice as much, so that a long value costs no more than its length; False at the end."""
        if self._is_ended:
            return False
        parts = [self._text[self._at :]]
        wanted, num_more = max(len(parts[0]), 1), 0
        if wanted > _MOST_VALUE:
            raise self._error("Value too long")
        while num_more < wanted and not self._is_ended:
            chunk = next(self._chunks, b"")
            self._is_ended = not chunk
            while (
                len(chunk) < 4 and self._decode is None and not self._is_ended
            ):  # four bytes reveal the encoding
                more = next(self._chunks, b"")
                chunk, self._is_ended = chunk + more, not more
            if self._decode is None:
                kind = json.detect_encoding(chunk)
                self._decode = codecs.getincrementaldecoder(kind)("surrogatepass")
            parts.append(self._decode.decode(chunk, self._is_ended))
            num_more += len(parts[-1])
        self._num_dropped += self._at
        self._text, self._at = "".join(parts), 0
        return True

    def _error(self, message: str) -> ValueError:
        return ValueError(f"{message}: char {self._num_dropped + self._at}")
