"""The messages that are sent to a page: JSON, or JSON with a picture."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Message", "told_of"]


@dataclass(frozen=True, slots=True)
class Message:
    """A message to a page.

    Attributes:
        kind: what it is about; the page has a handler for each.
        facts: further entries of the JSON.
        picture: bytes of an image file, if any.
    """

    kind: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    picture: bytes | None = None

    def encoded(self) -> str | bytes:
        """JSON, or an envelope: four bytes with the length of the JSON, the JSON, and the picture."""
        text = json.dumps({"kind": self.kind, **self.facts})
        if self.picture is None:
            return text
        data = text.encode()
        return len(data).to_bytes(4, "big") + data + self.picture


def told_of(error: OSError) -> str:
    """What failed with a file, in one line."""
    return f"{error.filename or 'a file'}: {error.strerror or error}"
