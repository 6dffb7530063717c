"""The work of `bend project`: finds the latent of a picture file; writes it, a comparison, and a film of the search.

The picture is decoded and cropped like a training image. With `--latents`, every render draws the latent that was
found. The search itself is in `bend.projection.search`.
"""

import dataclasses
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from bend import render
from bend.config import FilmConfig, ProjectConfig, RenderConfig
from bend.errors import IntakeError, RenderError, made_meanwhile
from bend.film.destination import check_output, write_film
from bend.latent_file import write_latents
from bend.picture import Pixels, refuse_existing, save_picture
from bend.prepare.crop import CROPS, cut
from bend.prepare.intake import take_in
from bend.projection.perception import Perception, find_perception
from bend.projection.search import Projection, Step, project_w
from bend.provenance import Provenance, read_provenance
from bend.work import describe
from stylegan.checkpoint import load_network
from stylegan.device import choose_device
from stylegan.generator import Generator

__all__ = ["Projected", "project_picture", "read_target"]

_FILM = FilmConfig(seconds=6)
_SMALLEST_SIDE = 256  # of the pictures in the comparison and the film


@dataclass(frozen=True, slots=True, kw_only=True)
class Projected:
    """The result of a projection.

    Attributes:
        output: the `.npz`.
        comparison: the PNG of the target beside the picture that was found.
        film: of the search, or None.
        perception: how distances were measured: `lpips`, `discriminator` or `pixels`.
        first_distance: squared distance of the average picture from the target.
        last_distance: that of the picture that was found.
    """

    output: Path
    comparison: Path
    film: Path | None
    perception: str
    first_distance: float
    last_distance: float


def project_picture(
    picture: Path,
    config: ProjectConfig,
    output: Path,
    *,
    film: Path | None = None,
    force: bool = False,
    command: str | None = None,
) -> Projected:
    """Find the latent of a picture.

    Args:
        picture: any file that `bend package` takes.
        config: how to search.
        output: an `.npz`; the comparison goes beside it as `.comparison.png`.
        film: a film of the search, or None.
        force: write over what is there.
        command: the command line, for the provenance.

    Raises:
        IntakeError: no picture, or none that can be used.
        RenderError: an output that exists, or has come to exist meanwhile, or cannot be written.
        SettingsError, StyleganError: the network or its settings.
    """
    if output.suffix.lower() != ".npz":
        raise RenderError(f"{output}: latents go to an .npz; name one")
    comparison = output.with_suffix(".comparison.png")
    force = force or _was_broken_off(output, [comparison, film], command)
    for path in (output, comparison):
        refuse_existing(path, force)
    if film is not None:
        check_output(film, force)
    network = load_network(config.network)
    device = choose_device(config.device)
    G = render.generator_of(network, config.weights, device).requires_grad_(False)
    target = read_target(picture, config.crop, G).to(device)
    D = None if network.D is None else network.D.to(device).requires_grad_(False)
    perception = find_perception(D)
    found, way = _search(G, config, target, perception)
    drawing = RenderConfig(network=config.network, weights=config.weights, class_index=config.class_index)
    note = describe("project", drawing, G, command, project=_decisive(config), perception=perception.name)
    key, rows = ("ws", found.ws) if config.space == "w+" else ("w", found.ws[:, 0])
    seen = _enlarged(render.pixels_of(target)[0])
    save_picture(comparison, _beside(seen, _draw(G, found.ws)), note, replace=force)
    if film is not None:
        _write_way(film, G, way, seen, note, force)
    # Written last: if it is there, everything is.
    arrays = {key: rows.cpu().numpy(), "bend": np.array(note.to_json())}
    try:
        write_latents(output, replace=force, **arrays)
    except FileExistsError:
        raise made_meanwhile(output) from None
    return Projected(
        output=output,
        comparison=comparison,
        film=film,
        perception=perception.name,
        first_distance=found.first_distance,
        last_distance=found.last_distance,
    )


def read_target(picture: Path, crop: str, G: Generator) -> Tensor:
    """The picture as the network would draw it, `[1, img_channels, img_resolution, img_resolution]` in [-1, 1].

    Raises:
        IntakeError: it cannot be used.
        SettingsError: the network draws neither grey nor colour.
        OSError: it cannot be read.
    """
    render.check_channels(G)
    try:
        with picture.open("rb") as file:
            taken = take_in(file)
    except IntakeError as error:
        raise IntakeError(error.reason, f"{picture}: {error}; project another picture") from None
    square = cut(
        taken.image,
        taken.full_size,
        CROPS[crop](taken.image, taken.full_size),
        G.img_resolution,
        (255, 255, 255),
    )
    pixels = np.asarray(square.convert("L" if G.img_channels == 1 else "RGB")).reshape(
        G.img_resolution, G.img_resolution, G.img_channels
    )
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


def _was_broken_off(output: Path, others: Sequence[Path | None], command: str | None) -> bool:
    """Whether the existing files were left by the same command, which ended before it had written `output`."""
    left = [path for path in others if path is not None and path.is_file()]
    if output.exists() or not left or command is None:
        return False
    notes = [read_provenance(path) for path in left]
    return all(note is not None and note.command == command for note in notes)


def _search(
    G: Generator, config: ProjectConfig, target: Tensor, perception: Perception
) -> tuple[Projection, list[Tensor]]:
    """Search; gives the result, and the ws on the way to it."""
    way: list[Tensor] = []
    every = max(1, config.steps // _FILM.num_frames)
    with tqdm(total=config.steps, desc="projecting", unit="step", disable=None) as bar:

        def on_step(step: Step) -> None:
            if step.index % every == 0:
                way.append(step.ws.cpu())
            bar.set_postfix(distance=f"{step.distance:.3f}", refresh=False)
            bar.update()

        found = project_w(
            G,
            target,
            perception,
            space=config.space,
            steps=config.steps,
            seed=config.seed,
            class_index=config.class_index,
            on_step=on_step,
        )
    return found, [*way, found.ws.cpu()]


def _decisive(config: ProjectConfig) -> dict[str, Any]:
    """The settings that decide the result, and are not in the note already."""
    settings = dataclasses.asdict(config)
    return {name: settings[name] for name in ("space", "steps", "crop", "seed")}


def _write_way(
    film: Path, G: Generator, way: list[Tensor], seen: Pixels, note: Provenance, force: bool
) -> None:
    """Film the search: the target on the left, the picture of each step on the right."""
    timing = FilmConfig(fps=_FILM.fps, seconds=len(way) / _FILM.fps)

    def frames(wanted: Container[int]) -> Iterator[tuple[int, Pixels]]:
        for index, ws in enumerate(way):
            if index in wanted:
                yield index, _beside(seen, _draw(G, ws))

    write_film(film, frames, config=timing, provenance=note, force=force)


def _draw(G: Generator, ws: Tensor) -> Pixels:
    return _enlarged(render.draw(G, ws)[0])


def _enlarged(pixels: Pixels) -> Pixels:
    side = max(pixels.shape[0], _SMALLEST_SIDE)
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.LANCZOS))


def _beside(left: Pixels, right: Pixels) -> Pixels:
    return np.concatenate([left, right], axis=1)
