"""Style mixing: a table of pictures, each with the row's latent, but the column's in some of the layers.

Karras et al., arXiv 1812.04948, section 3.1 and figure 3: coarse layers decide pose and shape, fine ones colour and
texture. The first row and column show the sources.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bend import latents, render
from bend.config import RenderConfig, StyleMixConfig
from bend.grid import sheet
from bend.picture import Pixels, Rendered, check_picture_output, enlarge, one_picture, save_picture
from bend.progress import counted
from bend.sizes import check_sheet
from bend.style_layers import parse_layers, rows_of
from bend.work import describe
from stylegan.generator import Generator

__all__ = ["mixed", "render_style_mix"]


def render_style_mix(
    config: RenderConfig,
    mix: StyleMixConfig,
    output: Path,
    *,
    force: bool = False,
    command: str | None = None,
) -> Rendered:
    """Write the table as a sheet.

    Args:
        config: how pictures are drawn.
        mix: whose styles go where.
        output: a PNG, JPEG or WebP.
        force: write over the file.
        command: the command line, for the provenance.

    Raises:
        SettingsError: malformed layers, or layers that this network does not have.
        RenderError: the output cannot be written.
        StyleganError: the network cannot be read.
    """
    check_picture_output(output, force)
    layers = parse_layers(mix.layers)
    G = render.open_generator(config)
    check_sheet(output, config, G, len(mix.columns) + 1, len(mix.rows) + 1)
    note = describe("style-mix", config, G, command, mix=mix)
    rows = latents.ws_from_seeds(G, config, mix.rows, option="--rows")
    columns = latents.ws_from_seeds(G, config, mix.columns, option="--columns")
    ws = torch.cat([columns, mixed(rows, columns, rows_of(G, layers)).flatten(0, 1)])
    seeds = [*mix.columns, *(seed for seed in mix.rows for _ in range(len(mix.columns) + 1))]
    drawn = _table(_drawn(G, config, ws, seeds))
    surface = sheet(drawn, len(mix.columns) + 1, len(mix.rows) + 1)
    save_picture(output, surface, note, replace=force)
    return one_picture(output, surface)


def mixed(rows: Tensor, columns: Tensor, layers: slice) -> Tensor:
    """Each row's ws itself, then with each column's in `layers`.

    Args:
        rows: `[R, num_ws, w_dim]`.
        columns: `[C, num_ws, w_dim]`.
        layers: rows of ws that the columns give.

    Returns:
        `[R, 1 + C, num_ws, w_dim]`.
    """
    table = rows[:, None].repeat(1, 1 + len(columns), 1, 1)
    table[:, 1:, layers] = columns[None, :, layers]
    return table


def _drawn(G: Generator, config: RenderConfig, ws: Tensor, seeds: list[int]) -> Iterator[Pixels]:
    pictures = render.frames(
        G,
        ws,
        noise_mode=config.noise_mode,
        noise_seeds=seeds,
        batch=config.batch,
        plays=render.open_plays(config, G),
    )
    for picture in counted(pictures, len(ws)):
        yield enlarge(picture, config.scale, config.scale_filter)


def _table(pictures: Iterator[Pixels]) -> Iterator[Pixels]:
    """The pictures, after an empty place for the corner."""
    first = next(pictures)
    yield np.zeros_like(first)
    yield first
    yield from pictures
