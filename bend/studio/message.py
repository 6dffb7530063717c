"""What a page is told: words, or words with a picture, and how they travel."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Message"]


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to tell.

    Attributes:
        kind: what it is about, by which a page knows what to do with it.
        facts: the words, as JSON has them.
        picture: bytes of an image file; None for words alone.
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
