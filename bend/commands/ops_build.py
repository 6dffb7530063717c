"""`bend ops build`: compile the native operations for this machine."""

import json

import click

from bend.options.shared import json_option

__all__ = ["build"]


@click.command()
@click.option(
    "--target",
    type=click.Choice(("all", "cpu", "cuda")),
    default="all",
    show_default=True,
    help="Which ones; all means those this machine can use.",
)
@click.option("--force", is_flag=True, help="Compile even what the cache holds.")
@json_option
def build(*, target: str, force: bool, as_json: bool) -> None:
    """Compile the native operations with ninja into the cache, where later commands find them.

    Training and films do so by themselves; BEND_NATIVE=0 does without them, BEND_NATIVE=1 compiles on first use.

    Example: bend ops build
    """
    from stylegan.ops.build import build as compile_target
    from stylegan.ops.toolchain import TARGETS, present_targets

    paths = {}
    for name in present_targets() if target == "all" else (TARGETS[target],):
        if not as_json:
            click.echo(f"compiling the operations for {name}", err=True)
        paths[name] = str(compile_target(name, force=force))
        if not as_json:
            click.echo(f"{name}: {paths[name]}")
    if as_json:
        click.echo(json.dumps(paths))
