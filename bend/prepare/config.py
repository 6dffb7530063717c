"""The settings of `bend package`: a frozen dataclass, which refuses values that make no sense."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

from PIL import ImageColor

from bend.errors import SettingsError
from bend.prepare.parallel import num_cores

__all__ = ["COLOURS", "CROP_NAMES", "DEDUPES", "PackageConfig", "Split"]

CROP_NAMES = ("center", "center-wide", "fit", "entropy")
COLOURS = ("rgb", "grey")
DEDUPES = ("none", "exact", "near")
MAX_RESOLUTION = 8192
MAX_TILES = 10_000
MAX_FRAMES = 1_000_000

_OVERSAMPLING = 2.5  # least pixels decoded for each pixel kept: what the Lanczos filter needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A part of the pictures that goes to a zip of its own."""

    name: str
    """Part of its zip's name: `rocks-NAME.zip` beside `rocks.zip`."""
    share: float
    """Of the pictures, above 0 and below 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageConfig:
    """Settings of one packaging; raises SettingsError for a value that makes no sense."""

    sources: tuple[Path, ...]
    """Folders (walked recursively), zips, pictures and videos."""
    out: Path
    """The data-set zip to make."""
    resolution: int
    """Side of a training image in pixels: a power of two from 4 to 8192."""
    crop: str = "center"
    """`center`, `center-wide`, `fit`, `entropy`, or `tiles:N` for N squares out of each picture."""
    labels_from_folders: bool = False
    """Label each picture with the folder it lies in."""
    max_images: int | None = None
    """Stop after this many images, from pictures in random order; None for all."""
    every: float = 1.0
    """Seconds from one frame taken of a video to the next."""
    max_frames: int = 10_000
    """Frames taken of one video at most, spread over its length."""
    split: tuple[str, ...] = ()
    """Zips beside `out`, each `NAME:SHARE`: that share of the pictures; tiles and lookalikes stay together."""
    shard_size: int | None = None
    """How many images each zip holds, of as many zips as it takes; None for one zip."""
    seed: int = 0
    """Seed of the tiles' places, of the draw and of the split."""
    workers: int | None = None
    """Processes; None for one per core."""
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
    min_aspect: float | None = None
    """Pictures whose width is less than this many times their height are refused; None for none."""
    max_aspect: float | None = None
    """Pictures whose width is more than this many times their height are refused; None for none."""
    force: bool = False
    """Replace what is there."""

    def __post_init__(self) -> None:
        if not self.sources:
            raise SettingsError("nothing to package; name a folder, a zip or pictures")
        if self.out.suffix.lower() != ".zip":
            named = self.out.parent / f"{self.out.stem or 'data'}.zip"
            raise SettingsError(f"{self.out}: a data set is written as .zip; name it {named}")
        if not (4 <= self.resolution <= MAX_RESOLUTION and self.resolution & (self.resolution - 1) == 0):
            raise SettingsError(
                f"--resolution {self.resolution}: must be a power of two from 4 to {MAX_RESOLUTION}; "
                f"try {_nearest_power(self.resolution)}"
            )
        if self.crop not in CROP_NAMES and self.num_tiles is None:
            raise SettingsError(
                f"--crop {self.crop}: must be one of {', '.join(CROP_NAMES)} or tiles:N (N from 1 to {MAX_TILES})"
            )
        for name, value, allowed in (("colour", self.colour, COLOURS), ("dedupe", self.dedupe, DEDUPES)):
            if value not in allowed:
                raise SettingsError(f"--{name} {value}: must be one of {', '.join(allowed)}")
        self._refuse_counts()
        self._refuse_measures()
        self._refuse_splits()
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
    def splits(self) -> tuple[Split, ...]:
        """`split`, taken apart."""
        return tuple(map(_parse_split, self.split))

    @property
    def outs(self) -> tuple[Path, ...]:
        """The zips to make: `out`, then those split off."""
        beside = (
            self.out.with_name(f"{self.out.stem}-{split.name}{self.out.suffix}") for split in self.splits
        )
        return (self.out, *beside)

    @property
    def needs_digests(self) -> bool:
        """Whether the bytes of pictures are to be hashed."""
        return self.dedupe != "none" or bool(self.split)

    @property
    def needs_looks(self) -> bool:
        """Whether the looks of pictures are to be hashed."""
        return self.dedupe == "near" or bool(self.split)

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
        return num_cores()

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
            ("max-frames", self.max_frames, 1),
            ("workers", self.workers, 1),
            ("shard-size", self.shard_size, 1),
            ("min-size", self.min_size, 1),
            ("seed", self.seed, 0),
        ):
            if value is not None and value < least:
                raise SettingsError(f"--{name} {value}: must be at least {least}")
        if self.max_frames > MAX_FRAMES:
            raise SettingsError(f"--max-frames {self.max_frames}: must be at most {MAX_FRAMES}")

    def _refuse_measures(self) -> None:
        if not 0.001 <= self.every <= 86_400:
            raise SettingsError(f"--every {self.every:g}: must be seconds, from 0.001 to 86400")
        for name, value in (("min-aspect", self.min_aspect), ("max-aspect", self.max_aspect)):
            if value is not None and not 0 < value < math.inf:
                raise SettingsError(f"--{name} {value:g}: must be width over height, such as 1.5")
        if self.min_aspect and self.max_aspect and self.min_aspect > self.max_aspect:
            raise SettingsError(
                f"--min-aspect {self.min_aspect:g}: must not be above --max-aspect {self.max_aspect:g}"
            )

    def _refuse_splits(self) -> None:
        if self.split and self.shard_size is not None:
            raise SettingsError(
                "--shard-size and --split do not go together; split first, then package each part"
            )
        if len(set(self.outs)) < len(self.outs):
            raise SettingsError(f"--split {' --split '.join(self.split)}: give each a name of its own")
        if sum(split.share for split in self.splits) >= 1:
            raise SettingsError(f"--split {' --split '.join(self.split)}: leaves nothing for {self.out}")


def _parse_split(text: str) -> Split:
    name, _, share = text.partition(":")
    is_name, is_share = re.fullmatch(r"[A-Za-z0-9_-]{1,32}", name), re.fullmatch(r"0?\.[0-9]{1,9}", share)
    if is_name and is_share and float(share) > 0:
        return Split(name=name, share=float(share))
    raise SettingsError(f"--split {text}: must be NAME:SHARE, a word and a part of 1, such as test:0.1")


def _nearest_power(value: int) -> int:
    return int(min(MAX_RESOLUTION, max(4, 2 ** round(math.log2(max(1, value))))))
