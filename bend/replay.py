"""Renders a picture or film again from the note inside it, or turns that note into a recipe.

The note (`bend.provenance`) holds the command line and the hash of the network. With the same network, release and
machine the bytes are the same. A changed network is refused before anything is drawn, since the picture would be a
different one.
"""

import contextlib
import filecmp
import io
import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from bend.anchor import anchored, anchored_path
from bend.config import RenderConfig
from bend.errors import RecipeError
from bend.options.typed import given_options
from bend.options.types import SEEDS
from bend.picture import refuse_existing
from bend.provenance import Provenance, read_provenance, weights_sha256, workplace
from bend.recipe import Recipe, Stage, write_recipe
from bend.stores.address import is_address
from bend.stores.networks import fetch_network
from stylegan.digest import file_sha256
from stylegan.errors import StyleganError

__all__ = ["Replayed", "recipe_of", "replay", "save_recipe"]

_ONE_NETWORK = ("images", "grid", "plane", "latent-walk", "style-mix", "truncation", "clusters")
"""Kinds of work drawn with a single network, whose hash is in the note."""
_DECIDE_WEIGHTS = ("network", "weights", "device", "kimg", "dial_from", "dial")
"""The options that decide its weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """The result of a replay."""

    output: Path
    is_same: bool
    """Whether it is equal to the original, byte for byte."""


def replay(
    path: Path, output: Path | None = None, *, network: str | None = None, force: bool = False
) -> Replayed:
    """Render a picture or film again.

    Args:
        path: a picture or film that bend rendered.
        output: where to write it; None for its name with `-replay` in the current folder.
        network: the network, if it is elsewhere now.
        force: write over the output.

    Raises:
        RecipeError: there is no note inside, or the network or another file of the work has changed.
        BendError, StyleganError, OSError: it cannot be rendered here.
    """
    note = _note(path)
    output = output or Path(f"{path.stem}-replay{path.suffix}")
    refuse_existing(output, force)
    if "frame" in note.work:
        raise RecipeError(f"{path} is one frame of a film; run its command again: {note.command} -o FOLDER")
    stage = _stage(path, note)
    if network is not None and not _names_network(stage):
        raise RecipeError(
            f"{path} is of several networks, which --network cannot replace; run its command with the names"
            f" that they have now: {note.command} -o FILE"
        )
    if network is None and _names_network(stage) and is_address(note.network):
        network = fetch_network(note.network, whole_run=True)
    options = dict(stage.options)
    if network is not None:
        options["network"] = network
    if is_address(options.get("dial_from")):
        options["dial_from"] = fetch_network(options["dial_from"], whole_run=False)
    made, folder = output.absolute(), workplace(path, note)
    if network is not None and folder != Path():
        network = options["network"] = anchored_path(network)
    with contextlib.chdir(folder):
        stage, batch = Stage(do=stage.do, options=options), 1
        if note.work.get("kind") in _ONE_NETWORK:
            batch = _check_network(note, options | {"network": network or note.network})
        if network is None:  # snapshots of a run that has moved have other names now
            _check_inputs(note)
        if "seed" in note.work:
            _render_one(stage, note, made, batch)
        else:
            _render(stage, note, made, force)
    return Replayed(output=output, is_same=filecmp.cmp(path, output, shallow=False))


def recipe_of(path: Path) -> Recipe:
    """The recipe of a picture or film.

    Raises:
        RecipeError: no note inside.
        OSError: it cannot be read.
    """
    note = _note(path)
    stage = _stage(path, note)
    in_folder = "seed" in note.work or "frame" in note.work
    options = {**stage.options, "output": path.absolute().parent.name if in_folder else path.name}
    recipe = Recipe(title=path.stem, stages=(Stage(do=stage.do, options=options),))
    with contextlib.chdir(workplace(path, note)):
        return anchored(recipe)


def save_recipe(path: Path, output: Path, *, force: bool = False) -> None:
    """Write the recipe of a picture or film; raises as `recipe_of` and `refuse_existing`."""
    refuse_existing(output, force)
    write_recipe(output, recipe_of(path))


def _note(path: Path) -> Provenance:
    if path.is_dir():
        raise RecipeError(f"{path}: a folder; give a picture or film in it")
    note = read_provenance(path)
    if note is None:
        raise RecipeError(f"{path}: no note by bend inside; only what `bend render` made can be made again")
    if note.command is None:
        raise RecipeError(
            f"{path}: its note holds no command line to run again; it was made by a roll, a training, or from Python"
        )
    return note


def _stage(path: Path, note: Provenance) -> Stage:
    """The command line as a stage.

    Raises:
        RecipeError: this release cannot run it, or it is that of a search.
    """
    command = note.command or ""
    if command.startswith("bend project "):
        raise RecipeError(f"{path} shows a search; run its command again: {command} -o FILE.npz")
    try:
        name, verb, kind, *words = shlex.split(command)
        if name != "bend" or verb != "render":
            raise ValueError
        stage = Stage(do=f"render {kind}")
        return Stage(do=stage.do, options=given_options(stage.command(), words))
    except (ValueError, RecipeError, click.UsageError):
        raise RecipeError(
            f"{path}: its note says {command!r:.200}, which this release cannot run;"
            f" it was made by bend {note.version}"
        ) from None


def _names_network(stage: Stage) -> bool:
    """Whether the command takes its network by `--network`; a dial takes several by other options."""
    return any(param.name == "network" for param in stage.command().params)


def _check_network(note: Provenance, options: Mapping[str, Any]) -> int:
    """Refuse a network whose weights are not those of the note, neither as they are nor under `--kimg` and `--dial`.

    Returns:
        How many pictures it draws at once here.
    """
    from bend.dial.weight_plays import set_weights
    from bend.render import fitting_batch, generator_of
    from stylegan.checkpoint import load_network

    config = RenderConfig(**{name: options[name] for name in _DECIDE_WEIGHTS if name in options})
    G = generator_of(load_network(config.network), config.weights, config.device)
    if weights_sha256(G) != note.network_sha256:
        set_weights(config, G)
        if weights_sha256(G) != note.network_sha256:
            raise RecipeError(
                f"{config.network} is not the network this was drawn with; name the right one with --network"
            )
    return fitting_batch(G)


def _check_inputs(note: Provenance) -> None:
    """Refuse files that are not those of the note; which ones are missing the command will say."""
    from stylegan.checkpoint import find_network

    inputs = note.work.get("inputs")
    for name, sha256 in inputs.items() if isinstance(inputs, dict) else ():
        file = Path(name)
        if not file.is_file():
            with contextlib.suppress(StyleganError):
                file = find_network(name)
        if file.is_file() and file_sha256(file) != sha256:
            raise RecipeError(f"{name} is not the file this was drawn with; put the right one in its place")


def _render_one(stage: Stage, note: Provenance, output: Path, batch: int) -> None:
    """One picture of a folder of seeds, among those it was drawn with: in another batch, sums are rounded otherwise."""
    from bend.latents import usual_seeds
    from bend.render import chunks
    from bend.renders.stills import picture_name

    options = stage.options
    stored = RenderConfig(latents=tuple(options.get("latents", ())))
    seeds = SEEDS(options["seeds"]) if "seeds" in options else usual_seeds(stored, 8)
    wanted = str(note.work["seed"])
    batches = chunks(dict.fromkeys(seeds), int(options.get("batch", batch)))
    together = next((one for one in batches if wanted in map(str, one)), [wanted])
    stage = Stage(do=stage.do, options={**options, "seeds": ",".join(map(str, together))})
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".replay") as folder:
        _render(stage, note, Path(folder), force=False)
        (Path(folder) / picture_name(wanted)).replace(output)


def _render(stage: Stage, note: Provenance, output: Path, force: bool) -> None:
    words = [*stage.arguments({}), "--output", str(output), *(["--force"] if force else [])]
    with contextlib.redirect_stdout(io.StringIO()):  # the replay has a summary of its own
        stage.run(words, command_line=note.command)
