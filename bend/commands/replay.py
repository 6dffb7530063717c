"""`bend replay`: a rendered picture or film made again from the note inside it."""

import json
from pathlib import Path

import click

from bend.options.shared import force_option, json_option, output_option
from bend.options.stored import StoreCommand

__all__ = ["replay"]

_PATH = click.Path(path_type=Path)
_ELSEWHERE = "made with the network elsewhere, or on another machine or release"


@click.command(cls=StoreCommand, roles={"picture": "input", "network": "run", "output": "output"})
@click.argument("picture", metavar="PICTURE", type=_PATH)
@output_option("Where to write it; NAME-replay if left out.", required=False)
@click.option("--network", metavar="NETWORK", help="Where the network is now, if it has moved.")
@click.option("--recipe", type=_PATH, metavar="OUT.toml", help="Write its recipe instead of rendering it.")
@click.option("--check", is_flag=True, help="Fail if the bytes are not the same.")
@force_option
@json_option
def replay(
    picture: Path,
    *,
    output: Path | None,
    network: str | None,
    recipe: Path | None,
    check: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Render a picture or film again from the command written inside it.

    Example: bend replay out/walk.mp4 -o again.mp4 --check
    """
    from bend import replay as replays
    from bend.errors import RecipeError

    if recipe is not None:
        replays.save_recipe(picture, recipe, force=force)
        click.echo(json.dumps({"recipe": str(recipe)}) if as_json else f"{recipe}: the recipe of {picture}")
        return
    done = replays.replay(picture, output, network=network, force=force)
    is_other_format = done.output.suffix.lower() != picture.suffix.lower()
    why = "in another format" if is_other_format else _ELSEWHERE
    if check and not done.is_same:
        raise RecipeError(f"{done.output} differs from {picture}: {why}")
    same = "the same, byte for byte" if done.is_same else f"not the same bytes: {why}"
    facts = {"output": str(done.output), "is_same": done.is_same}
    click.echo(json.dumps(facts) if as_json else f"{done.output}: {same}")
