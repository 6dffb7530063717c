"""The settings of a render, as frozen records: how pictures are drawn, how a path runs, how a film is timed.

Defaults live here and nowhere else: the command line reads them through `bend.options.records`, Python code builds the
records itself. Nothing here imports torch, so that `bend render --help` stays quick.
"""

from dataclasses import dataclass

from bend.errors import SettingsError, about
from bend.number import fault_of

__all__ = [
    "DEVICES",
    "EXTEND_MODES",
    "INDECISIVE",
    "NOISE_MODES",
    "PATHS",
    "PRECISIONS",
    "PROJECT_CROPS",
    "PROJECT_SPACES",
    "SCALE_FILTERS",
    "SPACES",
    "WEIGHTS",
    "FilmConfig",
    "PlaneConfig",
    "ProjectConfig",
    "RenderConfig",
    "StyleMixConfig",
    "TruncationConfig",
    "WalkConfig",
]

EXTEND_MODES = ("reflect", "tile", "stretch")
DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "fp32", "fp16", "bf16")
NOISE_MODES = ("const", "random", "none")
PROJECT_CROPS = ("center", "center-wide", "fit", "entropy")
PROJECT_SPACES = ("w", "w+")
PATHS = ("slerp", "linear", "spline", "circle", "noise")
SCALE_FILTERS = ("nearest", "lanczos")
SPACES = ("z", "w")
WEIGHTS = ("ema", "raw")
INDECISIVE = ("device", "batch")
"""Fields of `RenderConfig` that decide where and how fast a picture is drawn, not what it shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderConfig:
    """How a network draws its pictures.

    Attributes:
        network: a network file, a run folder, `RUN@KIMG`, or the name of an embedded network.
        weights: `ema` (the averaged generator) or `raw` (the one that is being trained).
        trunc: truncation psi; 1 leaves w as it is, 0 gives the average picture, beyond 1 overshoots. A number, or
            a parameter over time (`bend.automation`) such as `lfo(sine,0..1,4s)`.
        trunc_cutoff: number of leading layers that are truncated; None for all.
        noise_mode: `const` (the network's own noise), `random` (seeded by the picture) or `none`.
        class_index: class of a conditional network; None for an unconditional one.
        scale: whole factor by which every picture is enlarged, for tiny networks.
        scale_filter: `nearest` keeps pixels square, `lanczos` smooths them.
        device: `auto`, `cpu`, `cuda` or `mps`.
        precision: of the highest resolutions; `auto` takes the fastest on the device that makes no visible difference.
        batch: pictures drawn at once; None for as many as fit memory.
        latents: `.npz` files of latents (`bend.latent_file`); seeds then number the rows of all of them, in order.
        direction: shifts of w, `sefa:3*2.5`, `pca:0*-2@4-8`, `smile.npz*1.5`; see `bend.directions`.
        size: width and height in pixels, multiples of what one pixel of the network's constant becomes; None for
            the network's own.
        extend: how the constant is made wider for `size`: `reflect`, `tile` or `stretch`.
        bend: what is bent, `rotate:30@b32.conv1`, in the order in which it acts; see `bend.bends.grammar`.
        blend: other pictures in parts of the picture, `7@left`, `face.npz@ellipse:.5,.4,.2,.3`; see `bend.blend`.
        kimg: the moment of a run's training, also between snapshots; may vary over time.
        dial_from: the network that this one was bent from: where the dial is at 0; None for no dial.
        dial: how far the dial is turned, over time or by layer; see `bend.dial.amount`.
    """

    network: str = "faces64"
    weights: str = "ema"
    trunc: float | str = 1.0
    trunc_cutoff: int | None = None
    noise_mode: str = "const"
    class_index: int | None = None
    scale: int = 1
    scale_filter: str = "nearest"
    device: str = "auto"
    precision: str = "auto"
    batch: int | None = None
    latents: tuple[str, ...] = ()
    direction: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    extend: str = "reflect"
    bend: tuple[str, ...] = ()
    blend: tuple[str, ...] = ()
    kimg: str | None = None
    dial_from: str | None = None
    dial: str = "1"

    def __post_init__(self) -> None:
        _one_of("weights", self.weights, WEIGHTS)
        _one_of("noise_mode", self.noise_mode, NOISE_MODES)
        _one_of("scale_filter", self.scale_filter, SCALE_FILTERS)
        _one_of("device", self.device, DEVICES)
        _one_of("precision", self.precision, PRECISIONS)
        _one_of("extend", self.extend, EXTEND_MODES)
        if isinstance(self.trunc, str) or self.kimg is not None:
            from bend.automation import parse  # which needs numpy, and help does not

            for name, value in (("trunc", self.trunc), ("kimg", self.kimg)):
                if isinstance(value, str):
                    with about(f"--{name} {value}"):
                        parse(value)
        if not isinstance(self.trunc, str):
            fault = fault_of(self.trunc)
            _refuse(fault is not None, f"trunc {self.trunc} {fault}; 1 leaves w as it is")
        _at_least("trunc_cutoff", self.trunc_cutoff, 0)
        _at_least("class_index", self.class_index, 0)
        _at_least("scale", self.scale, 1)
        _at_least("batch", self.batch, 1)
        _refuse(
            self.dial != "1" and self.dial_from is None,
            f"--dial {self.dial}: has no base to turn from; name it with --dial-from",
        )
        _refuse(self.size is not None and min(self.size) < 1, f"size {self.size} is too small; try 1024x512")

    @property
    def fixed_trunc(self) -> float:
        """The truncation psi of the whole work; 1 where it varies over time, which `bend.truncation` sees to."""
        return 1.0 if isinstance(self.trunc, str) else self.trunc


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkConfig:
    """How a walk through latent space runs.

    Attributes:
        path: a name of `bend.walks.WALKS`.
        space: `z` or `w`; None takes the path's own.
        loop: close the path, so that the first frame follows the last. Circle and noise always close.
        grid: columns and rows of walks shown side by side; the seeds are dealt to them in equal shares.
        radius: of a circle about a seed, as a share of that seed's distance from the origin.
        diameter: of the circle in the noise field, in lattice cells; a larger one changes more in each turn.
        amount: how far noise strays, as a share of the seeds' distance from the origin.
        even: space the frames evenly by how different they look, not by their distance in latent space.
        path_file: an `.npz` of keyframes in w or w+, and of their times if it has any, instead of seeds.
    """

    path: str = "slerp"
    space: str | None = None
    loop: bool = False
    grid: tuple[int, int] = (1, 1)
    radius: float = 1.0
    diameter: float = 2.0
    amount: float = 1.0
    even: bool = False
    path_file: str | None = None

    def __post_init__(self) -> None:
        _one_of("path", self.path, PATHS)
        _one_of("space", self.space or "z", SPACES)
        _whole_grid(self.grid)
        for name in ("radius", "diameter", "amount"):
            _positive(name, getattr(self, name), most=100)

    @property
    def files(self) -> tuple[str, ...]:
        """The file of keyframes, if there is one."""
        return () if self.path_file is None else (self.path_file,)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmConfig:
    """How long a film is and how it is encoded.

    Attributes:
        seconds: length.
        fps: frames a second.
        crf: H.264 quality, 0 (lossless) to 51 (worst).
        audio: a track that plays along, and that parameters may follow: `audio(bass,0..1)`; None for none.
    """

    seconds: float = 10.0
    fps: float = 24.0
    crf: int = 18
    audio: str | None = None

    def __post_init__(self) -> None:
        _within("fps", self.fps, 0.01, 240)
        _positive("seconds", self.seconds, most=86_400)
        _within("crf", self.crf, 0, 51)
        _refuse(
            self.num_frames < 1,
            f"{self.seconds} seconds at {self.fps} fps make no frame; ask for more seconds or more fps",
        )

    @property
    def files(self) -> tuple[str, ...]:
        """The track, if there is one."""
        return () if self.audio is None else (self.audio,)

    @property
    def num_frames(self) -> int:
        """The exact number of frames."""
        return round(self.seconds * self.fps)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneConfig:
    """What the axes of a plane are, and how they are sampled.

    Attributes:
        grid: columns and rows of the sheet.
        extent: how far an axis of seeds reaches beyond its seeds on each side, as a share of their distance.
        x: what changes from left to right: `seeds`, `kimg=0..4`, `dial=-0.5..1.5`, `trunc=0..1`, `sefa:3=-3..3`.
        y: what changes from top to bottom, likewise; see `bend.renders.plane`.
    """

    grid: tuple[int, int] = (9, 9)
    extent: float = 0.0
    x: str = "seeds"
    y: str = "seeds"

    def __post_init__(self) -> None:
        _whole_grid(self.grid)
        _within("extent", self.extent, 0, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleMixConfig:
    """Which seeds' styles go into which layers.

    Attributes:
        rows: seeds that style all layers but `layers`.
        columns: seeds that style `layers`.
        layers: `coarse`, `middle`, `fine`, or a range of layers such as `0-3`.
    """

    rows: tuple[int, ...] = (0, 1, 2, 3)
    columns: tuple[int, ...] = (4, 5, 6, 7, 8, 9)
    layers: str = "coarse"

    def __post_init__(self) -> None:
        _refuse(
            not self.rows or not self.columns,
            "a style mix needs seeds for both sides; give --rows and --columns at least one each",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TruncationConfig:
    """The range over which truncation is swept.

    Attributes:
        psi_from: psi of the first column, or at the film's start.
        psi_to: psi of the last column, or at the film's end.
        steps: columns of the sheet.
        loop: whether a film goes there and back.
    """

    psi_from: float = -1.0
    psi_to: float = 1.0
    steps: int = 9
    loop: bool = False

    def __post_init__(self) -> None:
        for psi in (self.psi_from, self.psi_to):
            fault = fault_of(psi)
            _refuse(fault is not None, f"psi {psi} {fault}; 1 leaves w as it is")
        _within("steps", self.steps, 1, 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectConfig:
    """How the latent of a picture is found.

    Attributes:
        network: a network file, a run folder, `RUN@KIMG`, or the name of an embedded network.
        weights: `ema` (the averaged generator) or `raw` (the one that is being trained).
        class_index: class of a conditional network; None for an unconditional one.
        device: `auto`, `cpu`, `cuda` or `mps`.
        space: `w` (one for all layers: closer to what the network draws) or `w+` (one a layer: closer to the picture).
        steps: of the optimiser.
        crop: which square of the picture, as `bend package` names it.
        seed: of the noise.
    """

    network: str = "faces64"
    weights: str = "ema"
    class_index: int | None = None
    device: str = "auto"
    space: str = "w"
    steps: int = 400
    crop: str = "center"
    seed: int = 0

    def __post_init__(self) -> None:
        _one_of("weights", self.weights, WEIGHTS)
        _one_of("device", self.device, DEVICES)
        _one_of("space", self.space, PROJECT_SPACES)
        _one_of("crop", self.crop, PROJECT_CROPS)
        _at_least("class_index", self.class_index, 0)
        _within("steps", self.steps, 1, 100_000)
        _within("seed", self.seed, 0, 2**32 - 1)


def _refuse(condition: bool, message: str) -> None:
    if condition:
        raise SettingsError(message)


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    _refuse(value not in known, f"{name} {value!r} is unknown; choose from {', '.join(known)}")


def _at_least(name: str, value: int | None, least: int) -> None:
    _refuse(value is not None and value < least, f"{name} {value} is too small; give {least} or more")


def _within(name: str, value: float, low: float, high: float) -> None:
    _refuse(not low <= value <= high, f"{name} {value} is out of range; give {low} to {high}")


def _positive(name: str, value: float, *, most: float) -> None:
    _refuse(not 0 < value <= most, f"{name} {value} is out of range; give more than 0, at most {most}")


def _whole_grid(grid: tuple[int, int]) -> None:
    columns, rows = grid
    _refuse(columns < 1 or rows < 1, f"a grid of {columns}x{rows} holds nothing; give 1x1 or more")
