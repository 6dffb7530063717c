"""What a person may choose about a training, and what follows from it.

`TrainConfig` is what was asked for, with every default; it is written to `training_options.json` and read back on
resume. `Hyperparameters` is what a preset, the resolution and the overrides resolve to.
"""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

from stylegan.config import PRESETS, preset
from stylegan.errors import ConfigError, TrainingError
from stylegan.run_names import OPTIONS

__all__ = [
    "CHOICES",
    "Hyperparameters",
    "TrainConfig",
    "parse_snapshots",
    "read_config",
]

CHOICES = {
    "preset": tuple(PRESETS),
    "aug": ("ada", "fixed", "noaug"),
    "precision": ("auto", "fp32", "fp16", "bf16"),
    "snapshot_dtype": ("fp32", "fp16"),
    "snapshot_format": ("full", "delta"),
    "until": ("none", "knee", "crossing", "collapse"),
}
"""The fields of `TrainConfig` that are one of several words, and the words."""
_COUNTS = (
    "batch",
    "micro_batch",
    "max_images",
    "workers",
    "channel_base",
    "channel_max",
    "mapping_layers",
    "w_dim",
)
_POSITIVE = ("g_lr", "d_lr", "ema_kimg", "ada_kimg")
_NOT_NEGATIVE = ("r1_gamma", "pl_weight", "freeze_d")
_SHARES = ("aug_p", "style_mixing")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """What was asked for. Every field is an option of `bend finetune` of the same name."""

    data: str
    """Data-set zip."""
    kimg: float
    """Length of the training in thousands of real images, fractions allowed, rounded up to whole batches."""
    base: str = "faces64"
    """Network to start from: a name, file, run folder or RUN@KIMG; `none` starts from random weights."""
    snapshots: str = "log"
    """When to keep a snapshot: `log` (0, .25, .5, 1, 2, 4 …), `every:K`, or a list of kimg; the last always."""
    snapshot_dtype: str = "fp32"
    """How snapshots store weights: `fp32` or `fp16`."""
    snapshot_format: str = "full"
    """`full` writes whole networks; `delta` what changed since the snapshot at 0 kimg, in half precision."""
    until: str = "none"
    """Stop at `knee`, `crossing` or `collapse` of the score, with `kimg` as the cap; `none` goes to the end."""
    keep: int | None = None
    """Most snapshots to keep: those that differ least from their neighbours go; all stay if None."""
    no_score: bool = False
    """Do not score snapshots."""
    preset: str = "auto"
    """Batch, learning rate, R1 weight and EMA half-life by name."""
    batch: int | None = None
    """Images a step; the preset's if None."""
    micro_batch: int | None = None
    """Images computed at once, gradients being accumulated; what fits memory if None."""
    g_lr: float | None = None
    """Learning rate of the generator; the preset's if None."""
    d_lr: float | None = None
    """Learning rate of the discriminator; the preset's if None."""
    r1_gamma: float | None = None
    """Weight of the R1 penalty; the preset's if None."""
    pl_weight: float | None = None
    """Weight of the path-length penalty, 0 for none; the preset's if None."""
    style_mixing: float | None = None
    """Probability of style mixing, 0 to 1; the preset's if None."""
    ema_kimg: float | None = None
    """Half-life of the weight average in thousands of images; the preset's if None."""
    aug: str = "ada"
    """`ada` adapts the augmentation, `fixed` keeps `aug_p`, `noaug` has none."""
    aug_pipe: str = "bgc"
    """Set of augmentations."""
    aug_p: float | None = None
    """Augmentation probability at the start, 0 to 1; the base's own if None. `fixed` keeps it."""
    ada_target: float = 0.6
    """Mean sign of the discriminator's logits on reals to aim for, inside -1 to 1; 0.6 is 80 % taken for real."""
    ada_kimg: float | None = None
    """Thousands of images in which the probability can go from 0 to 1; 100 fine-tuning, 500 from scratch if None."""
    freeze_d: int = 0
    """Discriminator layers to freeze, counted from the highest resolution."""
    freeze_g: int = 0
    """Highest resolution whose synthesis block is frozen, 0 for none."""
    mirror: bool = False
    """Add each picture's mirror image to the data set."""
    max_images: int | None = None
    """Use only this many pictures, spread evenly over the data set; all if None."""
    seed: int = 0
    """Seed of everything random."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1`, `mps`."""
    precision: str = "auto"
    """What half-precision blocks run in: `auto` by device, `fp32`, `fp16`, `bf16`."""
    workers: int = 2
    """Threads that decode pictures."""
    channel_base: int | None = None
    """From scratch: channels times resolution; the preset's if None."""
    channel_max: int = 512
    """From scratch: most channels in a layer."""
    mapping_layers: int | None = None
    """From scratch: layers of the mapping network; the preset's if None."""
    w_dim: int = 512
    """From scratch: width of z and w."""
    save_minutes: float = 5.0
    """Minutes between saved states, besides those at snapshots."""
    bend: tuple[str, ...] = ()
    """What is bent in the generator throughout, so that it learns around the fault; kept for whoever bends it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "bend", tuple(self.bend))  # a list where it was read from JSON
        _check_choices(self)
        _check_numbers(self)
        _check_together(self)
        parse_snapshots(self.snapshots, self.kimg)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameters:
    """What a configuration resolves to for a given network."""

    batch: int
    g_lr: float
    d_lr: float
    r1_gamma: float
    pl_weight: float
    style_mixing: float
    ema_kimg: float
    ema_rampup: float | None
    """Half-life as a share of the images seen so far, None for none (fine-tuning)."""
    ada_kimg: float
    channel_base: int
    mapping_layers: int
    mbstd_group: int
    d_architecture: str

    @classmethod
    def resolve(cls, config: TrainConfig, resolution: int) -> "Hyperparameters":
        """Fill in from the preset what `config` leaves open."""
        chosen = preset(config.preset, resolution, config.batch)
        scratch = config.base == "none"
        return cls(
            batch=chosen.batch,
            g_lr=_default(config.g_lr, chosen.lr),
            d_lr=_default(config.d_lr, chosen.lr),
            r1_gamma=_default(config.r1_gamma, chosen.r1_gamma),
            pl_weight=_default(config.pl_weight, chosen.pl_weight),
            style_mixing=_default(config.style_mixing, chosen.style_mixing),
            ema_kimg=_default(config.ema_kimg, chosen.ema_kimg),
            ema_rampup=0.05 if scratch else None,
            ada_kimg=_default(config.ada_kimg, 500 if scratch else 100),
            channel_base=config.channel_base or chosen.channel_base,
            mapping_layers=config.mapping_layers or chosen.mapping_layers,
            mbstd_group=min(chosen.mbstd_group, chosen.batch),
            d_architecture=chosen.d_architecture,
        )


def parse_snapshots(text: str, kimg: float) -> list[float]:
    """The moments, in kimg, at which a training of length `kimg` keeps a snapshot; always 0 and the last.

    Rounded to whole images, the three decimals of a snapshot's name, so that no two share one.

    Raises:
        ConfigError: neither `log`, `every:K` nor a list of numbers.
    """
    try:
        if text == "log":
            moments = [0.25 * 2**i for i in range(64) if 0.25 * 2**i < kimg]
        elif text.startswith("every:"):
            step = float(text.removeprefix("every:"))
            if not step >= 0.001 or kimg / step > 100_000:
                raise ValueError
            moments = [i * step for i in range(1, math.ceil(kimg / step))]
        else:
            moments = [float(part) for part in text.split(",")]
            if not all(0 <= moment < math.inf for moment in moments):
                raise ValueError
    except ValueError:
        raise ConfigError(f"--snapshots {text}: write log, every:K, or kimg such as 0.5,1,2") from None
    return sorted({0.0, *(round(moment, 3) for moment in moments if moment < kimg), round(float(kimg), 3)})


def read_config(run: Path) -> TrainConfig:
    """The configuration of a run folder.

    Raises:
        TrainingError: no run folder of ours.
    """
    path = run / OPTIONS
    try:
        options: dict[str, Any] = json.loads(path.read_text())["config"]
        return TrainConfig(**options)
    except FileNotFoundError:
        raise TrainingError(f"{run}: no {OPTIONS} there; pass a run folder of `bend finetune`") from None
    except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError, RecursionError) as error:
        raise TrainingError(f"{path}: cannot be read ({error}); restore it or start a new run") from None


def _check_choices(config: TrainConfig) -> None:
    for name, known in CHOICES.items():
        value = getattr(config, name)
        _require(value in known, f"{_option(name)} {value}: choose from {', '.join(known)}")


def _check_numbers(config: TrainConfig) -> None:
    _require(0.001 <= config.kimg < math.inf, "--kimg must be a number from 0.001 (one picture) on")
    for name in _COUNTS:
        value = getattr(config, name)
        _require(value is None or value >= 1, f"{_option(name)} must be at least 1")
    for name in _POSITIVE:
        value = getattr(config, name)
        _require(value is None or 0 < value < math.inf, f"{_option(name)} must be positive")
    for name in _NOT_NEGATIVE:
        value = getattr(config, name)
        _require(value is None or 0 <= value < math.inf, f"{_option(name)} must not be negative")
    for name in _SHARES:
        value = getattr(config, name)
        _require(value is None or 0 <= value <= 1, f"{_option(name)} must lie between 0 and 1")
    _require(-1 < config.ada_target < 1, "--ada-target must lie between -1 and 1, and be neither")
    _require(
        config.keep is None or config.keep >= 3,
        "--keep must be at least 3: the first, the last, and one between",
    )
    is_resolution = config.freeze_g >= 4 and config.freeze_g & (config.freeze_g - 1) == 0
    _require(config.freeze_g == 0 or is_resolution, "--freeze-g takes 4, 8, 16, …")
    _require(0 <= config.seed < 2**31, "--seed must lie between 0 and 2**31 - 1")
    _require(config.save_minutes >= 0, "--save-minutes must not be negative")


def _check_together(config: TrainConfig) -> None:
    _require(
        config.until == "none" or not config.no_score,
        f"--until {config.until}: goes by the score; leave out --no-score",
    )
    _require(config.keep is None or not config.no_score, "--keep: goes by the score; leave out --no-score")
    _require(
        config.aug != "noaug" or not config.aug_p, "--aug-p: --aug noaug augments nothing; leave one out"
    )


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _default(value: float | None, fallback: float) -> float:
    return fallback if value is None else value


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)
