"""The options of `bend finetune` that are fields of `TrainConfig`, named, defaulted and bounded as those are."""

import dataclasses
from collections.abc import Collection
from typing import Any

import click

from bend.options.records import Decorator, option_group
from stylegan.training.config import CHOICES, TrainConfig

__all__ = ["check_heard", "train_options"]

_FROM_SCRATCH = ("channel_base", "channel_max", "mapping_layers", "w_dim")
_FIELDS = {field.name: field for field in dataclasses.fields(TrainConfig)}
# field, type, help; shown in this order
_OPTIONS: tuple[tuple[str, type, str], ...] = (
    (
        "data",
        str,
        "Data-set zip, as `bend package` writes it; or shards: a pattern in quotes, a folder, a list.",
    ),
    ("base", str, "Network to start from: name, file, run folder or RUN@KIMG; none for random weights."),
    ("kimg", float, "Length in thousands of pictures seen; fractions allowed."),
    ("snapshots", str, "log, every:K, or a list of kimg such as 0.5,1,2."),
    ("snapshot_dtype", str, "How snapshots store weights."),
    ("snapshot_format", str, "Whole networks, or only what changed since kimg 0: half the size or less."),
    ("until", str, "Stop at this moment of the score; --kimg is the cap."),
    ("keep", int, "Keep at most this many snapshots, those that differ most."),
    ("no_score", bool, "Do not score snapshots."),
    ("preset", str, "Batch, learning rate, R1 weight and EMA half-life by name."),
    ("batch", int, "Pictures a step."),
    ("micro_batch", int, "Pictures computed at once; as many as fit in memory by default."),
    ("g_lr", float, "Learning rate of the generator."),
    ("d_lr", float, "Learning rate of the discriminator."),
    ("r1_gamma", float, "Weight of the R1 penalty."),
    ("pl_weight", float, "Weight of the path-length penalty; 0 for none."),
    ("style_mixing", float, "Probability of style mixing."),
    ("ema_kimg", float, "Half-life of the weight average in kimg."),
    ("aug", str, "Augmentation of what the discriminator sees."),
    ("aug_pipe", str, "Set of augmentations: blit, geom, color, bg, bgc, bgcf, …"),
    ("aug_p", float, "Augmentation probability at the start; the base's own by default."),
    ("ada_target", float, "Mean sign of the discriminator on reals to aim for; 0.6: 80 % taken for real."),
    ("ada_kimg", float, "kimg in which the probability could go from 0 to 1."),
    ("freeze_d", int, "Discriminator layers to freeze, from the highest resolution."),
    ("freeze_g", int, "Freeze the generator's blocks up to this resolution."),
    ("mirror", bool, "Add each picture's mirror image."),
    ("max_images", int, "Use only this many pictures, spread evenly."),
    ("seed", int, "Seed of everything random."),
    ("device", str, "auto, cpu, cuda, cuda:N or mps."),
    ("precision", str, "Number format of half-precision layers."),
    ("workers", int, "Threads that decode pictures."),
    ("channel_base", int, "From scratch: channels times resolution."),
    ("channel_max", int, "From scratch: most channels in a layer."),
    ("mapping_layers", int, "From scratch: layers of the mapping network."),
    ("w_dim", int, "From scratch: width of z and w."),
    ("save_minutes", float, "Minutes between saved states."),
    (
        "bend",
        tuple,
        "Keep a layer bent throughout, so that training learns around the fault; may be repeated.",
    ),
)


def _option(name: str, kind: Any, text: str) -> Decorator:
    flag = f"--{name.replace('_', '-')}"
    if kind is tuple:
        return click.option(flag, multiple=True, callback=_none_for_none, metavar="NAME:ARG@LAYER", help=text)
    if kind is bool:
        return click.option(flag, is_flag=True, default=None, help=text)
    default = _FIELDS[name].default
    if default not in (None, dataclasses.MISSING):
        text = f"{text} [default: {default}]"
    if name in CHOICES:
        kind = click.Choice(CHOICES[name])
    return click.option(flag, type=kind, default=None, help=text)


def _none_for_none(
    ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...] | None:
    return value or None


def check_heard(config: TrainConfig, given: Collection[str]) -> None:
    """Refuse options that nothing would come of.

    Args:
        config: what a new run is asked to be.
        given: the fields of it that somebody named.

    Raises:
        click.UsageError: the first that another option leaves without effect. One line.
    """
    for fields, is_deaf, mend in (
        (
            _FROM_SCRATCH,
            config.base != "none",
            f"{config.base} decides it; leave it out, or start from --base none",
        ),
        (
            ("ada_target", "ada_kimg"),
            config.aug != "ada",
            f"--aug {config.aug} does not use it; leave it out, or choose --aug ada",
        ),
        (("aug_pipe",), config.aug == "noaug", "--aug noaug augments nothing; leave one out"),
    ):
        if is_deaf and (idle := [name for name in fields if name in given]):
            raise click.UsageError(f"--{idle[0].replace('_', '-')}: {mend}")


train_options = option_group(*(_option(name, kind, text) for name, kind, text in _OPTIONS))
"""Every option of the table; what nobody gives is None."""
