"""The result of a packaging: how much was kept, and what was refused and why."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["PackageReport", "Refusals", "SplitOff"]

_NUM_NAMED = 3
_NOTES = {
    "enlarged": "smaller than the resolution, enlarged",
    "fewer-tiles": "had room for fewer tiles than asked",
    "bad-icc": "colour profile unusable, ignored",
    "bad-exif": "EXIF data unusable, ignored",
    "first-page": "TIFFs of several pages, only the first taken",
    "bad-manifest-line": "unreadable manifest lines, ignored",
    "labels-dropped": "labels of the source not carried over, since not all pictures have one",
    "same-frames": "frames of videos the same as earlier pictures, left out",
    "torn-frames": "frames of videos like pictures on the other side of the split, left out",
    "flat-frames": "frames of videos without any detail, left out",
    "spread-frames": "videos longer than --max-frames, their frames spread over their length",
    "hdr": "HDR videos, treated as SDR",
    "split-classes": "zips without the highest class, so that a network's labels do not fit",
}


@dataclass(slots=True)
class Refusals:
    """Pictures refused for one reason: how many, and the first few."""

    count: int = 0
    first: list[str] = field(default_factory=list)
    """`name: why` of the first few."""

    def add(self, name: str, message: str) -> None:
        """Count a picture."""
        self.count += 1
        if len(self.first) < _NUM_NAMED:
            self.first.append(f"{name}: {message}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitOff:
    """The content of a zip beside the main one."""

    out: Path
    num_used: int
    """Pictures that at least one image in it was made of."""
    num_images: int
    num_bytes: int


@dataclass(slots=True, kw_only=True)
class PackageReport:
    """The outcome of `package`."""

    out: Path
    resolution: int
    num_channels: int
    num_found: int = 0
    """Pictures and videos in the sources."""
    num_used: int = 0
    """Pictures and videos that at least one image was made of, in whichever zip."""
    num_frames: int = 0
    """Frames taken of videos."""
    num_images: int = 0
    """Images in `out`; those split off are not among them."""
    num_bytes: int = 0
    num_not_needed: int = 0
    """Pictures that were not opened, since `max_images` was reached."""
    classes: dict[str, int] = field(default_factory=dict)
    """Images by class folder, in the order of their labels, in all zips."""
    splits: dict[str, SplitOff] = field(default_factory=dict)
    """What was split off, by the splits' names."""
    refused: dict[str, Refusals] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)

    @property
    def num_refused(self) -> int:
        """Pictures refused, for whatever reason."""
        return sum(refusals.count for refusals in self.refused.values())

    def refuse(self, name: str, reason: str, message: str) -> None:
        """Count a refused picture."""
        self.refused.setdefault(reason, Refusals()).add(name, message)

    def lines(self) -> list[str]:
        """The summary for a person."""
        kind = "grey" if self.num_channels == 1 else "RGB"
        head = (
            f"{self.out}: {self.num_images:,} images, {self.resolution}×{self.resolution} {kind}, "
            f"{self.num_bytes / 1e6:.1f} MB, from {self.num_used:,} of {self.num_found:,} pictures"
        )
        refused = [f"  refused {self.num_refused:,}:"] if self.refused else []
        body = [*self._split_lines(), *self._class_lines(), *self._note_lines()]
        return [head, *body, *refused, *self._refusals("    ")]

    def refusals_in_a_line(self) -> str:
        """What was refused and why, the commonest reason first."""
        return "; ".join(self._refusals(""))

    def to_json(self) -> dict[str, Any]:
        """The same for a program."""
        return asdict(self) | {
            "out": str(self.out),
            "splits": {name: asdict(part) | {"out": str(part.out)} for name, part in self.splits.items()},
            "notes": dict(self.notes),
            "num_refused": self.num_refused,
        }

    def _refusals(self, indent: str) -> list[str]:
        ranked = sorted(self.refused.items(), key=lambda item: (-item[1].count, item[0]))
        return [
            f"{indent}{reason} {refusals.count:,} ({', '.join(refusals.first)}"
            f"{', …' if refusals.count > len(refusals.first) else ''})"
            for reason, refusals in ranked
        ]

    def _split_lines(self) -> list[str]:
        return [
            f"  {part.out}: {part.num_images:,} images, {part.num_bytes / 1e6:.1f} MB, "
            f"from {part.num_used:,} of them"
            for part in self.splits.values()
        ]

    def _class_lines(self) -> list[str]:
        if not self.classes:
            return []
        shown = ", ".join(f"{i} {name} ({count:,})" for i, (name, count) in enumerate(self.classes.items()))
        return [f"  classes: {shown}"]

    def _note_lines(self) -> list[str]:
        frames = [f"  {self.num_frames:,} frames of videos"] if self.num_frames else []
        notes = [f"  {count:,} {_NOTES.get(note, note)}" for note, count in sorted(self.notes.items())]
        rows = frames + notes
        return rows + ([f"  {self.num_not_needed:,} not needed"] if self.num_not_needed else [])
