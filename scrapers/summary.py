"""The count of a scrape: what is in the folder, what was refused and why, which sources failed."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scrapers.manifest import Entry

__all__ = ["Summary"]

_MENDS = {
    "licence": "--license takes more of them; `any` takes those of unknown licence too",
    "too-small": "--min-size takes smaller ones",
    "opt-out": "their owners ask not to be used",
    "robots": "their hosts ask programs to keep out",
    "robots-broken": "the robots.txt of their hosts cannot be read, which counts as a no",
}


@dataclass(slots=True, kw_only=True)
class Summary:
    """The outcome of a scrape; counts are over the whole folder, earlier runs included.

    Attributes:
        out: the folder.
        count: pictures that were asked for.
        num_kept: pictures in the folder.
        num_new: of those, added by this run.
        num_removed: pictures that somebody deleted from the folder; they are not fetched again.
        num_bytes: size of the pictures in the folder.
        refused: how many were refused, by reason.
        kept_by_source: how many were kept, by source.
        failures: why sources failed, a line each.
    """

    out: Path
    count: int
    num_kept: int = 0
    num_new: int = 0
    num_removed: int = 0
    num_bytes: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    kept_by_source: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether as many are there as were asked for."""
        return self.num_kept >= self.count

    def count_entry(
        self, entry: Entry, superseded: str | None = None, *, is_gone: bool = False, is_new: bool = False
    ) -> None:
        """Count a manifest line; `superseded` is the reason of the earlier refusal that it replaces."""
        if superseded is not None:
            self.refused[superseded] -= 1
            self.refused = +self.refused
        if entry.reason is not None:
            self.refused[entry.reason] += 1
        elif is_gone:
            self.num_removed += 1
        else:
            self.num_kept += 1
            self.num_new += is_new
            self.num_bytes += entry.picture.num_bytes if entry.picture else 0
            self.kept_by_source[entry.ref.source] += 1

    def lines(self) -> list[str]:
        """The summary for a person."""
        sources = ", ".join(f"{name} {number:,}" for name, number in sorted(self.kept_by_source.items()))
        lines = [
            f"{self.out}: {self.num_kept:,} of {self.count:,} pictures, {self.num_bytes / 1e6:.1f} MB"
            + (f" ({sources})" if sources else "")
        ]
        if self.refused:
            ranked = sorted(self.refused.items(), key=lambda item: (-item[1], item[0]))
            lines.append(
                f"  refused {self.refused.total():,}: {', '.join(f'{name} {n:,}' for name, n in ranked)}"
            )
        if self.num_removed:
            lines.append(f"  {self.num_removed:,} deleted by hand")
        if not self.is_complete:
            lines += [f"  {name}: {mend}" for name, mend in _MENDS.items() if self.refused[name]]
            lines.append("  the sources hold no more; other words, or more --source, find other pictures")
        return lines

    def to_json(self) -> dict[str, Any]:
        """The same for a program."""
        return {
            "out": str(self.out),
            "count": self.count,
            "kept": self.num_kept,
            "new": self.num_new,
            "removed": self.num_removed,
            "bytes": self.num_bytes,
            "refused": dict(self.refused),
            "kept_by_source": dict(self.kept_by_source),
            "failures": self.failures,
            "complete": self.is_complete,
        }
