"""`bend studio`: the instrument in a browser."""

import dataclasses
import functools
import importlib.util
from pathlib import Path

import click

from bend.doctor import MODULES_OF_EXTRAS
from bend.errors import SettingsError
from bend.options.records import default_of, field_option, record_options
from bend.options.shared import device_option, output_option
from bend.studio.config import StudioConfig
from stylegan.run_names import OPTIONS

__all__ = ["studio"]

_FOLDER = click.Path(file_okay=False, path_type=Path)

_setting = functools.partial(field_option, StudioConfig)


@click.command()
@record_options(
    StudioConfig,
    "config",
    _setting(
        "--network",
        "network",
        "The first to play: file, run folder, RUN@KIMG or name.",
        metavar="NETWORK",
    ),
    _setting("--also", "networks", "Another network to choose from.", multiple=True, metavar="NETWORK"),
    click.option(
        "--runs",
        "--run",
        type=_FOLDER,
        default=default_of(StudioConfig, "runs"),
        show_default=True,
        help="Folder of run folders, or one of them; trainings go there.",
    ),
    _setting(
        "--data",
        "data",
        "A data set that can be trained on from the page.",
        type=click.Path(path_type=Path),
        multiple=True,
        metavar="ZIP",
    ),
    output_option(
        "Folder for everything that is kept.",
        "--out",
        type=_FOLDER,
        default=default_of(StudioConfig, "out"),
        metavar="DIR",
    ),
    _setting("--host", "host", "Address to listen on."),
    _setting("--port", "port", "0 takes a free one.", type=click.IntRange(0, 65535)),
)
@click.option("--no-train", is_flag=True, help="Let nobody train from the page.")
@click.option("--open/--no-open", "opens", default=True, help="Open the page in a browser.")
@device_option()
def studio(config: StudioConfig, no_train: bool, opens: bool) -> None:
    """Play a network live in the browser: map, dial, bends, chance, takes, trainings.

    Example: bend studio --runs runs
    """
    if missing := [name for name in MODULES_OF_EXTRAS["studio"] if not importlib.util.find_spec(name)]:
        raise SettingsError(f"{', '.join(missing)}: missing; run pip install 'bend-gan[studio]'")
    from bend.studio.serving import serve

    def say(address: str) -> None:
        click.echo(f"The studio is at {address}\nCtrl-C ends it.")
        if opens:
            click.launch(address)

    serve(_with_run_on_stage(dataclasses.replace(config, may_train=not no_train)), say)


def _with_run_on_stage(config: StudioConfig) -> StudioConfig:
    """Where `runs` is a run folder itself: its neighbours are the runs, and it is on the stage unless another is."""
    if not (config.runs / OPTIONS).is_file():
        return config
    is_asked_for = config.network != default_of(StudioConfig, "network")
    network = config.network if is_asked_for else str(config.runs)
    return dataclasses.replace(config, network=network, runs=config.runs.parent)
