"""The result of every description: lines for a person, a record for a program."""

from dataclasses import dataclass
from typing import Any

__all__ = ["Information"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Information:
    """What is known of a file or folder.

    Attributes:
        lines: for a person.
        record: the same, and more, for a program: plain values only.
    """

    lines: tuple[str, ...]
    record: dict[str, Any]
