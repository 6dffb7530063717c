"""`bend run`: the whole chain from one file."""

import contextlib
import dataclasses
import json
import sys
from pathlib import Path

import click

from bend.options.shared import force_option, json_option, output_option

__all__ = ["run"]


@click.command()
@click.argument("recipe", metavar="RECIPE.toml", type=click.Path(path_type=Path))
@output_option("Working folder; named after the recipe if left out.", "--out", required=False, metavar="DIR")
@click.option("--allow-outside", is_flag=True, help="Let stages write outside DIR.")
@click.option("--dry-run", is_flag=True, help="Check the recipe and show its stages.")
@force_option
@json_option
def run(
    recipe: Path, *, out: Path | None, allow_outside: bool, dry_run: bool, force: bool, as_json: bool
) -> None:
    """Run the stages of a recipe in order; run it again to continue with what is not complete.

    Example: bend run examples/lecture.toml -o out/lecture
    """
    from bend.pipeline import check_recipe, run_recipe
    from bend.recipe import read_recipe

    read, folder = read_recipe(recipe), out or Path(recipe.stem)
    if dry_run:
        check_recipe(read, folder, beside=recipe.parent, anywhere=allow_outside)
        stages = [{"do": stage.do, **stage.options} for stage in read.stages]
        click.echo(json.dumps(stages, indent=2) if as_json else "\n".join(map(_line, stages)))
        return

    # What the stages say of themselves goes where progress goes, if the result is for programs.
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        outcomes = run_recipe(
            read, folder, beside=recipe.parent, force=force, anywhere=allow_outside, say=click.echo
        )
        done = list(outcomes)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(outcome) for outcome in done], default=str))
    else:
        noun = "stage" if len(done) == 1 else "stages"
        before = sum(outcome.skipped for outcome in done)
        click.echo(f"{folder}: {len(done)} {noun} done, {before} of them earlier")


def _line(stage: dict[str, object]) -> str:
    options = ", ".join(f"{name} = {value!r}" for name, value in stage.items() if name != "do")
    return f"{stage['do']}: {options}"
