"""One picture from the network to the disk, resumable, whole or absent.

Bytes go to a `.part` file with a note beside it of what they are (address, validator, length). If it is cut off, by the
network or by the end of the process, the rest is asked for with Range and If-Range; a server that answers with anything
but exactly that rest (200, 416, another ETag, another offset) starts the file over. A complete file is flushed and
renamed.

Servers misreport: they announce more bytes than they ever send, or a gzip that is not one. Where a second attempt
brings not one byte more, the file is taken as it is, and the decoder decides whether it is a picture.
"""

import json
import os
import re
import stat
import sys
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from scrapers.client import PoliteClient, Reply, redact
from scrapers.config import DownloadRules
from scrapers.errors import DownloadError, PassingError

__all__ = ["copy_local", "download"]

_RANGE_NOT_SATISFIABLE = 416
_PARTIAL = 206
_OPT_OUTS = frozenset({"noai", "noimageai", "noindex", "noimageindex", "none"})
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_WORTH_RESUMING = 1 << 16  # bytes; a shorter file is fetched again as a whole
_GZIP, _ZLIB = b"\x1f\x8b", b"\x78"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Note:
    """What is known about a `.part` file; stored beside it."""

    url: str
    validator: str
    length: int | None


def download(
    client: PoliteClient,
    url: str,
    target: Path,
    part: Path,
    rules: DownloadRules,
    admit: Callable[[str], None] | None = None,
) -> None:
    """Fetch `url` into `target`, going on from an earlier attempt where there was one, whose bytes lie in `part`.

    Redirects are followed as far as `admit` does not raise.

    Raises:
        DownloadError: for good; its reason says why.
        PassingError: the tries are used up; a `.part` file may be left to go on from.
        OSError: the disk is full.
    """
    transfer = _Transfer(client, url, part, rules, admit)
    client.config.retry.run(transfer.attempt, client.sleep, client.rng)
    transfer.finish(target)


def copy_local(source: Path, target: Path, part: Path, rules: DownloadRules) -> None:
    """Copy a local file to `target`, growing as `part`: whole or not at all.

    Raises:
        DownloadError: `not-found`, `unreadable` or `too-many-bytes`.
    """
    try:
        facts = source.stat()
        if not stat.S_ISREG(facts.st_mode):  # reading a pipe would wait for a writer
            raise DownloadError("unreadable", f"{source}: not a regular file")
        if facts.st_size > rules.max_bytes:
            raise DownloadError("too-many-bytes", f"{source}: more than {rules.max_bytes} bytes")
        content = source.read_bytes()
    except OSError as error:
        reason = "not-found" if isinstance(error, FileNotFoundError) else "unreadable"
        raise DownloadError(reason, f"{source}: {error.strerror}") from None
    part.write_bytes(content)
    _flush(part)
    part.replace(target)


class _Transfer:
    """One picture being fetched, over as many attempts as it takes.

    A small body stays in memory until it is complete, so that a slow disk does not hold up the network; a larger one
    is written to the disk as it comes.
    """

    def __init__(
        self,
        client: PoliteClient,
        url: str,
        part: Path,
        rules: DownloadRules,
        admit: Callable[[str], None] | None,
    ) -> None:
        self.client = client
        self.url = url
        self.part = part
        self.rules = rules
        self.admit = admit
        self.body: bytearray | None = None
        self.ends_seen: set[int] = set()

    def attempt(self) -> None:
        """Bring the file as far as it goes."""
        try:
            self._fetch()
        except PassingError as error:
            # Ended twice at the same byte: this is all there is, whatever Content-Length says.
            end = _size(self.part) if self.body is None else len(self.body)
            if error.reason != "cut-short" or end not in self.ends_seen:
                self.ends_seen.add(end)
                raise

    def finish(self, target: Path) -> None:
        """Give the complete file its name."""
        head = _head(self.part) if self.body is None else self.body[:2]
        if not head:
            _discard(self.part)
            raise DownloadError("empty", f"{redact(self.url)}: no content")
        if head.startswith((_GZIP, _ZLIB)):
            content = self.part.read_bytes() if self.body is None else bytes(self.body)
            self.body = bytearray(self._unwrapped(content))
        with self.part.open("r+b" if self.body is None else "wb") as file:
            if self.body is not None:
                file.write(self.body)
                file.flush()
            os.fsync(file.fileno())
        sys.audit("failpoint", "fetched", str(target))
        self.part.replace(target)
        if self.body is None:
            _note_path(self.part).unlink(missing_ok=True)

    def _fetch(self) -> None:
        self.body = None
        offset = _size(self.part)
        note = _note(self.part) if offset else None
        if note is None or note.url != self.url:
            note, offset = None, 0
        elif offset == note.length:
            return  # the last run ended between the last byte and the rename
        headers = {"Accept": "image/avif,image/webp,image/*,*/*;q=0.5"}
        if note:
            headers |= {"Range": f"bytes={offset}-", "If-Range": note.validator}
        accepted = frozenset({_RANGE_NOT_SATISFIABLE})
        with self.client.attempt(
            self.url, headers=headers, accept_statuses=accepted, admit=self.admit
        ) as reply:
            _check_opt_out(reply, self.rules)
            if note and not _continues(reply, offset, note):
                _discard(self.part)
                offset = 0
            if reply.status in (_PARTIAL, _RANGE_NOT_SATISFIABLE) and not offset:
                raise PassingError("range", f"{redact(self.url)}: could not continue where it broke off")
            length = _declared_length(reply)
            self._check_size(offset + (length or 0))
            if length is not None and length <= _WORTH_RESUMING and not offset:
                self.body = bytearray()
                for chunk in reply.chunks():
                    self.body += chunk
            else:
                _keep_note(self.part, reply, self.url, offset)
                self._write_body(reply, offset)

    def _write_body(self, reply: Reply, offset: int) -> None:
        total = offset
        with self.part.open("r+b" if offset else "wb") as file:
            file.seek(offset)
            for chunk in reply.chunks():
                total += len(chunk)
                self._check_size(total)
                file.write(chunk)

    def _check_size(self, num_bytes: int) -> None:
        if num_bytes > self.rules.max_bytes:
            raise DownloadError(
                "too-many-bytes", f"{redact(self.url)}: more than {self.rules.max_bytes} bytes"
            )

    def _unwrapped(self, content: bytes) -> bytes:
        """The content without a gzip or deflate that nobody asked for; headers lie, so its first bytes decide."""
        unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        try:
            # One byte past the limit is enough to know; a bomb is never blown up.
            plain = unpacker.decompress(content, self.rules.max_bytes + 1)
        except zlib.error:
            return content
        if len(plain) > self.rules.max_bytes:
            _discard(self.part)
        self._check_size(len(plain))
        return plain or content


def _continues(reply: Reply, offset: int, note: _Note) -> bool:
    """Whether the answer is exactly the missing rest of what we have."""
    if reply.status != _PARTIAL:
        return False
    match = _CONTENT_RANGE.fullmatch(reply.headers.get("content-range", ""))
    if match is None or int(match[1]) != offset:
        return False
    same_length = note.length is None or match[3] in ("*", str(note.length))
    validator = _validator(reply.headers)
    return same_length and (validator is None or validator == note.validator)


def _check_opt_out(reply: Reply, rules: DownloadRules) -> None:
    """Honour X-Robots-Tag, addressed to everybody or to us."""
    if rules.ignore_opt_out:
        return
    words = set()
    for directive in reply.headers.get("x-robots-tag", "").lower().split(","):
        name, _, rest = directive.rpartition(":")
        if not name or name.strip() == rules.agent:
            words.add(rest.strip())
    if found := words & _OPT_OUTS:
        raise DownloadError(
            "opt-out", f"{redact(reply.url)}: its owner asks not to be used ({', '.join(sorted(found))})"
        )


def _keep_note(part: Path, reply: Reply, url: str, offset: int) -> None:
    """Note what the rest will be, if the server allows a download to be resumed."""
    length, validator = _declared_length(reply), _validator(reply.headers)
    path = _note_path(part)
    if validator is None:
        return
    note = _Note(url=url, validator=validator, length=None if length is None else offset + length)
    fresh = path.with_suffix(".tmp")
    fresh.write_text(json.dumps(asdict(note)))
    fresh.replace(path)


def _note(part: Path) -> _Note | None:
    try:
        return _Note(**json.loads(_note_path(part).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def _validator(headers: Mapping[str, str]) -> str | None:
    """What If-Range may carry: a strong ETag, or else the time of the last change."""
    etag = headers.get("etag", "")
    return etag if etag.startswith('"') else headers.get("last-modified")


def _declared_length(reply: Reply) -> int | None:
    text = reply.headers.get("content-length", "")
    return int(text) if re.fullmatch(r"\d{1,18}", text) else None


def _head(part: Path) -> bytes:
    with part.open("rb") as file:
        return file.read(2)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note_path(part).unlink(missing_ok=True)


def _size(part: Path) -> int:
    try:
        return part.stat().st_size
    except FileNotFoundError:
        return 0


def _note_path(part: Path) -> Path:
    return part.with_suffix(".note")
