"""`bend finetune`: train a base on a data set, from new or resumed."""

import json
from pathlib import Path
from typing import Any

import click

from bend.options.records import usage_errors
from bend.options.shared import output_option
from bend.options.stored import StoreCommand
from bend.options.train import check_heard, train_options
from stylegan.launch import is_launched
from stylegan.training.config import TrainConfig

__all__ = ["finetune"]

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command(cls=StoreCommand, roles={"data": "own", "base": "own", "out": "own", "resume": "own"})
@output_option("Folder for run folders.", "--out", type=_FOLDER, default="runs", metavar="DIR")
@click.option("--resume", metavar="RUN", help="Run folder to continue; latest means the newest in --out.")
@train_options
@click.option(
    "--gpus",
    type=click.IntRange(1),
    help="Processes that share the work, one GPU each; see docs/distributed.md.",
)
@click.option("--dry-run", is_flag=True, help="Say what would run, and estimate time and memory.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@click.pass_context
def finetune(
    ctx: click.Context,
    out: Path | str,
    resume: str | None,
    gpus: int | None,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a generator on a data set for just the right amount of time.

    The architecture comes from --base. Ctrl-C finishes the step and saves; --resume continues exactly where it stopped.

    Example: bend finetune --data rocks.zip --base faces64 --kimg 4 --mirror
    """
    given = {name: value for name, value in options.items() if value is not None}
    if resume is None and (missing := [f"--{name}" for name in ("data", "kimg") if name not in given]):
        raise click.UsageError(
            f"Missing {' and '.join(missing)}; a new run needs --data and --kimg (or --resume RUN)."
        )
    if resume is None:
        with usage_errors():
            config = TrainConfig(**given)
        check_heard(config, given)
    if gpus is not None and gpus > 1 and not is_launched():
        from bend.launch import start_processes, words_of

        ctx.exit(start_processes(gpus, ["finetune", *words_of(ctx, without="gpus")]))
    from bend.training.session import Request, run_finetune

    report = run_finetune(Request(out=out, resume=resume, dry_run=dry_run, options=given))
    click.echo(json.dumps(report.facts) if as_json else report.text)
    if report.stopped_by is not None:
        ctx.exit(128 + report.stopped_by)
