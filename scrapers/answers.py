"""Reading other people's JSON without trusting it.

Services leave fields out, send numbers as text, null for a list, HTML for a name. These few functions give a value
of the expected type or None, so that one odd record costs its own fields and not the scrape.
"""

import hashlib
import html
import re
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from typing import Any

__all__ = ["address_id", "pixels", "plain_text", "record", "records", "text", "web_address"]

_MOST_CHARACTERS = 2000
_MOST_PIXELS = 2**53
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # a terminal would obey them
# RFC 9110 recommends that every server accept addresses of 8000 characters.
_ADDRESS = re.compile(r"(?:https?:)?//[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,8000}", re.IGNORECASE)


def records(answer: Any, *path: str) -> list[dict[str, Any]]:
    """The list of objects at a path of keys; empty where any of it is missing or of another type."""
    found = _at(answer, path)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def record(answer: Any, *path: str) -> dict[str, Any]:
    """The object at a path of keys; an empty one where any of it is missing or of another type."""
    found = _at(answer, path)
    return found if isinstance(found, dict) else {}


def text(value: Any) -> str | None:
    """A non-empty string on one line without control characters, or a number as one; else None."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return None
    whole = value.encode("utf-8", "backslashreplace").decode()  # JSON can hold half a character, UTF-8 cannot
    return " ".join(_CONTROLS.sub(" ", whole).split())[:_MOST_CHARACTERS] or None


def pixels(value: Any) -> int | None:
    """A positive whole number that a float holds exactly, or None."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if 0 < number < _MOST_PIXELS else None


def web_address(value: Any) -> str | None:
    """An http(s) address as it stands, with the scheme put to one that came without (`//host/…`); else None.

    One of more than 8000 characters is None as well: shortened, it would lead elsewhere.
    """
    address = value.strip() if isinstance(value, str) else ""
    if not _ADDRESS.fullmatch(address):
        return None
    return f"https:{address}" if address.startswith("//") else address


def plain_text(value: Any) -> str | None:
    """The words of a piece of HTML."""
    if not isinstance(value, str):
        return text(value)
    words = _Words()
    words.feed(value)
    words.close()
    return text("".join(words.parts))


def address_id(address: str) -> str:
    """An id for a picture of which only the address is known."""
    return hashlib.blake2b(address.encode(), digest_size=8).hexdigest()


def _at(answer: Any, path: Sequence[str]) -> Any:
    for name in path:
        answer = answer.get(name) if isinstance(answer, Mapping) else None
    return answer


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._depth_hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style"):
            self._depth_hidden += 1
        elif tag in ("br", "p", "div", "li", "td"):
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style") and self._depth_hidden:
            self._depth_hidden -= 1

    def handle_data(self, data: str) -> None:
        if not self._depth_hidden:
            self.parts.append(html.unescape(data))
