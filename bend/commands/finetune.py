"""`bend finetune`: train a base on a data set, from new or resumed."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import click

from bend.options import usage_errors
from stylegan.config import PRESETS
from stylegan.training.config import AUG_MODES, DTYPES, PRECISIONS, TrainConfig

_FIELDS = {field.name: field for field in dataclasses.fields(TrainConfig)}
_CHOICES = {"preset": tuple(PRESETS), "aug": AUG_MODES, "precision": PRECISIONS, "snapshot_dtype": DTYPES}
_FOLDER = click.Path(file_okay=False, path_type=Path)


def _option(name: str, kind: Any, text: str) -> Any:
    """An option named, defaulted and bounded as the field of `TrainConfig` is."""
    flag = f"--{name.replace('_', '-')}"
    if kind is bool:
        return click.option(flag, is_flag=True, default=None, help=text)
    default = _FIELDS[name].default
    if default not in (None, dataclasses.MISSING):
        text = f"{text} [default: {default}]"
    if name in _CHOICES:
        kind = click.Choice(_CHOICES[name])
    return click.option(flag, type=kind, default=None, help=text)


@click.command()
@_option("data", str, "Data-set zip, as `bend package` writes it.")
@_option("base", str, "Network to start from: name, file, run folder or RUN@KIMG; none for random weights.")
@_option("kimg", float, "Length in thousands of pictures seen; fractions allowed.")
@click.option("-o", "--out", type=_FOLDER, default="runs", show_default=True, help="Folder for run folders.")
@_option("snapshots", str, "log, every:K, or a list of kimg such as 0.5,1,2.")
@_option("snapshot_dtype", str, "What snapshots store weights as.")
@click.option("--resume", metavar="RUN", help="Go on with a run folder, or with the latest one in --out.")
@_option("preset", str, "Batch, learning rate, R1 weight and EMA half-life by name.")
@_option("batch", int, "Pictures a step.")
@_option("micro_batch", int, "Pictures computed at once; what fits memory by default.")
@_option("g_lr", float, "Learning rate of the generator.")
@_option("d_lr", float, "Learning rate of the discriminator.")
@_option("r1_gamma", float, "Weight of the R1 penalty.")
@_option("pl_weight", float, "Weight of the path-length penalty; 0 for none.")
@_option("style_mixing", float, "Probability of style mixing.")
@_option("ema_kimg", float, "Half-life of the weight average in kimg.")
@_option("aug", str, "Augmentation of what the discriminator sees.")
@_option("aug_pipe", str, "Set of augmentations: blit, geom, color, bg, bgc, bgcf, …")
@_option("aug_p", float, "Augmentation probability at the start; the base's own by default.")
@_option("ada_target", float, "Share of reals the discriminator should get right.")
@_option("ada_kimg", float, "kimg in which the probability could go from 0 to 1.")
@_option("freeze_d", int, "Discriminator layers to freeze, from the highest resolution.")
@_option("freeze_g", int, "Freeze the generator's blocks up to this resolution.")
@_option("mirror", bool, "Add each picture's mirror image.")
@_option("max_images", int, "Use only so many pictures.")
@_option("seed", int, "Seed of everything random.")
@_option("device", str, "auto, cpu, cuda, cuda:N or mps.")
@_option("precision", str, "What half-precision layers run in.")
@_option("workers", int, "Threads that decode pictures.")
@_option("channel_base", int, "From scratch: channels times resolution.")
@_option("channel_max", int, "From scratch: most channels of a layer.")
@_option("mapping_layers", int, "From scratch: layers of the mapping network.")
@_option("w_dim", int, "From scratch: width of z and w.")
@_option("save_minutes", float, "Minutes between saved states.")
@click.option("--dry-run", is_flag=True, help="Say what would run, and estimate time and memory.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@click.pass_context
def finetune(
    ctx: click.Context, out: Path, resume: str | None, dry_run: bool, as_json: bool, **options: Any
) -> None:
    """Train a generator on a data set for just the right amount of time.

    The architecture comes from --base. Ctrl-C finishes the step and saves; --resume goes on exactly where it stopped.

    Example: bend finetune --data rocks.zip --base faces64 --kimg 4 --mirror
    """
    given = {name: value for name, value in options.items() if value is not None}
    if resume is None and (missing := [f"--{name}" for name in ("data", "kimg") if name not in given]):
        raise click.UsageError(
            f"Missing {' and '.join(missing)}; a new run needs --data and --kimg (or --resume RUN)."
        )
    if resume is None:
        with usage_errors():
            TrainConfig(**given)
    from bend.training import Request, run_finetune

    report = run_finetune(Request(out=out, resume=resume, dry_run=dry_run, options=given))
    click.echo(json.dumps(report.facts) if as_json else report.text)
    if report.stopped_by is not None:
        ctx.exit(128 + report.stopped_by)
