"""What `bend package` is asked to do: one frozen dataclass, which refuses what cannot be meant."""

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

from PIL import ImageColor

from bend.errors import SettingsError

__all__ = ["PackageConfig"]

CROP_NAMES = ("center", "center-wide", "fit", "entropy")
COLOURS = ("rgb", "grey")
DEDUPES = ("none", "exact", "near")
MAX_RESOLUTION = 8192
MAX_TILES = 10_000

_OVERSAMPLING = (
    2.5  # pixels decoded for a pixel kept, at least, so that the Lanczos filter sees what it needs
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageConfig:
    """Settings of one packaging; raises SettingsError for a value that makes no sense."""

    sources: tuple[Path, ...]
    """Folders (walked recursively), zips and picture files."""
    out: Path
    """The data-set zip to make."""
    resolution: int
    """Side of a training image in pixels: a power of two from 4 to 8192."""
    crop: str = "center"
    """`center`, `center-wide`, `fit`, `entropy`, or `tiles:N` for N squares out of each picture."""
    labels_from_folders: bool = False
    """Label each picture with the folder it lies in."""
    max_images: int | None = None
    """Stop at so many images, drawn from the pictures at random; None for all."""
    seed: int = 0
    """Seed of the tiles' places and of the draw."""
    workers: int | None = None
    """Processes; None for one a core."""
    background: str = "white"
    """Colour behind transparent parts and around `fit`: a CSS name or #RRGGBB."""
    animated: bool = False
    """Take the first frame of animations instead of refusing them."""
    colour: str = "rgb"
    """`rgb` or `grey`: three channels or one."""
    dedupe: str = "exact"
    """`none`, `exact` (the same bytes), or `near` (looks the same, by difference hash)."""
    min_size: int | None = None
    """Pictures whose shorter side has fewer pixels are refused; None for half the resolution."""
    force: bool = False
    """Replace `out` if it is there."""

    def __post_init__(self) -> None:
        if not self.sources:
            raise SettingsError("nothing to package; name a folder, a zip or pictures")
        if not (4 <= self.resolution <= MAX_RESOLUTION and self.resolution & (self.resolution - 1) == 0):
            raise SettingsError(
                f"--resolution {self.resolution}: must be a power of two from 4 to {MAX_RESOLUTION}; "
                f"try {_nearest_power(self.resolution)}"
            )
        if self.crop not in CROP_NAMES and self.num_tiles is None:
            raise SettingsError(
                f"--crop {self.crop}: must be one of {', '.join(CROP_NAMES)} or tiles:N (N from 1)"
            )
        for name, value, allowed in (("colour", self.colour, COLOURS), ("dedupe", self.dedupe, DEDUPES)):
            if value not in allowed:
                raise SettingsError(f"--{name} {value}: must be one of {', '.join(allowed)}")
        self._refuse_counts()
        try:
            ImageColor.getrgb(self.background)
        except ValueError:
            raise SettingsError(
                f"--background {self.background}: not a colour; try white, black or #808080"
            ) from None

    @property
    def num_tiles(self) -> int | None:
        """How many tiles a picture is cut into; None for the other crops."""
        match = re.fullmatch(r"tiles:([0-9]{1,6})", self.crop)
        return int(match[1]) if match and 1 <= int(match[1]) <= MAX_TILES else None

    @property
    def background_rgb(self) -> tuple[int, int, int]:
        """The background as numbers, its alpha dropped."""
        red, green, blue = ImageColor.getrgb(self.background)[:3]
        return (red, green, blue)

    @property
    def num_workers(self) -> int:
        """Processes to use."""
        if self.workers is not None:
            return self.workers
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    @property
    def smallest_side(self) -> int:
        """Fewest pixels that a picture's shorter side may have."""
        return self.resolution // 2 if self.min_size is None else self.min_size

    @property
    def side_wanted(self) -> int:
        """Fewest pixels that a crop's side should have once decoded."""
        return round(_OVERSAMPLING * self.resolution)

    def _refuse_counts(self) -> None:
        for name, value, least in (
            ("max-images", self.max_images, 1),
            ("workers", self.workers, 1),
            ("min-size", self.min_size, 1),
            ("seed", self.seed, 0),
        ):
            if value is not None and value < least:
                raise SettingsError(f"--{name} {value}: must be at least {least}")


def _nearest_power(value: int) -> int:
    return int(min(MAX_RESOLUTION, max(4, 2 ** round(math.log2(max(1, value))))))
