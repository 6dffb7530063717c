"""Strangers' text made fit for a terminal: names of files in zips, titles, creators, what a network says of itself."""

import re

__all__ = ["printable"]

# Controls of either kind, ends of lines and paragraphs, marks that turn the direction of what follows, halves of
# characters, which no encoding holds, and tags, which nobody sees.
_OBEYED = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    """The text as one line that any encoding can hold and no terminal obeys: the rest is escaped as Python does."""
    return _OBEYED.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
