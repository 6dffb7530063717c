"""What a render is asked for, as frozen records: how pictures are drawn, how a path runs, how a film is
timed.

Defaults live here and nowhere else; the command line reads them through `bend.options`, Python builds the
records itself. Nothing here knows torch, so that `bend render --help` stays quick.
"""

import math
from dataclasses import dataclass

from bend.errors import SettingsError

__all__ = [
    "DEVICES",
    "NOISE_MODES",
    "PATHS",
    "SCALE_FILTERS",
    "SPACES",
    "WEIGHTS",
    "FilmConfig",
    "PlaneConfig",
    "RenderConfig",
    "WalkConfig",
]

DEVICES = ("auto", "cpu", "cuda", "mps")
NOISE_MODES = ("const", "random", "none")
PATHS = ("slerp", "linear", "spline", "circle", "noise")
SCALE_FILTERS = ("nearest", "lanczos")
SPACES = ("z", "w")
WEIGHTS = ("ema", "raw")


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderConfig:
    """How pictures are asked of a network.

    Attributes:
        network: a network file, a run folder, `RUN@KIMG`, or the name of an embedded network.
        weights: `ema` (the averaged generator) or `raw` (the one that is being trained).
        trunc: truncation psi; 1 leaves w as it is, 0 gives the average picture, beyond 1 overshoots.
        trunc_cutoff: number of leading layers that are truncated; None means all.
        noise_mode: `const` (the network's own noise), `random` (seeded by the picture) or `none`.
        class_index: class of a conditional network; None for an unconditional one.
        scale: whole factor by which every picture is enlarged, for tiny networks.
        scale_filter: `nearest` keeps pixels square, `lanczos` smooths them.
        device: `auto`, `cpu`, `cuda` or `mps`.
        batch: pictures drawn at once; None fits memory.
    """

    network: str = "faces64"
    weights: str = "ema"
    trunc: float = 1.0
    trunc_cutoff: int | None = None
    noise_mode: str = "const"
    class_index: int | None = None
    scale: int = 1
    scale_filter: str = "nearest"
    device: str = "auto"
    batch: int | None = None

    def __post_init__(self) -> None:
        _one_of("weights", self.weights, WEIGHTS)
        _one_of("noise_mode", self.noise_mode, NOISE_MODES)
        _one_of("scale_filter", self.scale_filter, SCALE_FILTERS)
        _one_of("device", self.device, DEVICES)
        _refuse(not math.isfinite(self.trunc), f"trunc {self.trunc} is not finite; 1 leaves w as it is")
        _at_least("trunc_cutoff", self.trunc_cutoff, 0)
        _at_least("class_index", self.class_index, 0)
        _at_least("scale", self.scale, 1)
        _at_least("batch", self.batch, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkConfig:
    """How a walk through latent space runs.

    Attributes:
        path: a name of `bend.walks.WALKS`.
        space: `z` or `w`; None takes the path's own.
        loop: close the path, so that after the last frame comes the first. Circle and noise always close.
        grid: columns and rows of walks shown side by side; the seeds are dealt to them in equal shares.
        radius: of a circle about a seed, as a share of that seed's distance from the origin.
        diameter: of the circle in the noise field, in lattice cells; a bigger one changes more in a turn.
        amount: how far noise strays, as a share of the seeds' distance from the origin.
    """

    path: str = "slerp"
    space: str | None = None
    loop: bool = False
    grid: tuple[int, int] = (1, 1)
    radius: float = 1.0
    diameter: float = 2.0
    amount: float = 1.0

    def __post_init__(self) -> None:
        _one_of("path", self.path, PATHS)
        _one_of("space", self.space or "z", SPACES)
        _whole_grid(self.grid)
        for name in ("radius", "diameter", "amount"):
            value = getattr(self, name)
            _refuse(not 0 < value <= 100, f"{name} {value} is out of range; between 0 and 100 it may be")


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmConfig:
    """How long a film is and how it is encoded.

    Attributes:
        seconds: length.
        fps: frames a second.
        crf: H.264 quality, 0 (lossless) to 51 (worst).
    """

    seconds: float = 10.0
    fps: float = 24.0
    crf: int = 18

    def __post_init__(self) -> None:
        _refuse(
            not 0 < self.fps <= 240, f"fps {self.fps} is out of range; more than 0 and at most 240 it may be"
        )
        _refuse(
            not 0 < self.seconds <= 86_400, f"seconds {self.seconds} is out of range; at most a day it may be"
        )
        _refuse(not 0 <= self.crf <= 51, f"crf {self.crf} is out of range; 0 (lossless) to 51 it may be")
        _refuse(
            self.num_frames < 1,
            f"{self.seconds} seconds at {self.fps} fps are no frame; ask for more seconds or more fps",
        )

    @property
    def num_frames(self) -> int:
        """The exact number of frames."""
        return round(self.seconds * self.fps)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneConfig:
    """How the plane through three latents is sampled.

    Attributes:
        grid: columns and rows of the sheet.
        extent: how far the sheet reaches beyond the three latents on each side, as a share of their distance.
    """

    grid: tuple[int, int] = (9, 9)
    extent: float = 0.0

    def __post_init__(self) -> None:
        _whole_grid(self.grid)
        _refuse(
            not 0 <= self.extent <= 100, f"extent {self.extent} is out of range; between 0 and 100 it may be"
        )


def _refuse(condition: bool, message: str) -> None:
    if condition:
        raise SettingsError(message)


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    _refuse(value not in known, f"{name} {value!r} is unknown; known are {', '.join(known)}")


def _at_least(name: str, value: int | None, least: int) -> None:
    _refuse(value is not None and value < least, f"{name} {value} is too small; at least {least} it must be")


def _whole_grid(grid: tuple[int, int]) -> None:
    columns, rows = grid
    _refuse(columns < 1 or rows < 1, f"a grid of {columns}x{rows} holds nothing; at least 1x1 it must be")
