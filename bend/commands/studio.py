"""`bend studio`: the instrument in a browser."""

import importlib.util
from pathlib import Path

import click

from bend.errors import SettingsError
from bend.options.records import default_of, usage_errors
from bend.options.shared import device_option, output_option
from bend.studio.config import StudioConfig

__all__ = ["studio"]

_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.option(
    "--network",
    default=default_of(StudioConfig, "network"),
    show_default=True,
    metavar="NETWORK",
    help="On the stage at first: file, run folder, RUN@KIMG or name.",
)
@click.option("--also", "networks", multiple=True, metavar="NETWORK", help="Another network to choose from.")
@click.option(
    "--runs",
    "--run",
    type=_FOLDER,
    default=default_of(StudioConfig, "runs"),
    show_default=True,
    help="Folder of run folders, or one of them; trainings go there.",
)
@click.option("--data", type=_FILE, multiple=True, metavar="ZIP", help="A data set that one may train on.")
@output_option(
    "Keeps go there.",
    "--out",
    type=_FOLDER,
    default=default_of(StudioConfig, "out"),
    metavar="DIR",
)
@click.option(
    "--host", default=default_of(StudioConfig, "host"), show_default=True, help="Address to listen on."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=default_of(StudioConfig, "port"),
    show_default=True,
    help="0 takes a free one.",
)
@click.option("--no-train", is_flag=True, help="Let nobody train from the page.")
@click.option("--open/--no-open", "opens", default=True, help="Open the page in a browser.")
@device_option()
def studio(
    network: str,
    networks: tuple[str, ...],
    runs: Path,
    data: tuple[Path, ...],
    out: Path,
    host: str,
    port: int,
    no_train: bool,
    opens: bool,
    device: str,
) -> None:
    """Play a network live in the browser: map, dial, bends, chance, takes, trainings.

    Example: bend studio --runs runs
    """
    if missing := [
        name for name in ("starlette", "uvicorn", "websockets") if not importlib.util.find_spec(name)
    ]:
        raise SettingsError(f"{', '.join(missing)}: missing; run pip install 'bend-gan[studio]'")
    if (runs / "training_options.json").is_file():
        network, runs = (
            (str(runs) if network == default_of(StudioConfig, "network") else network),
            runs.parent,
        )
    with usage_errors():
        config = StudioConfig(
            network=network,
            networks=networks,
            runs=runs,
            data=data,
            out=out,
            host=host,
            port=port,
            device=device,
            may_train=not no_train,
        )
    from bend.studio.serving import serve

    def say(address: str) -> None:
        click.echo(f"The studio is at {address}\nCtrl-C ends it.")
        if opens:
            click.launch(address)

    serve(config, say)
