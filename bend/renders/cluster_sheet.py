"""The sheet of clusters: what each group of channels draws, layer by layer, so that a person can choose.

Each row is a layer, from the coarsest to the finest. For each cluster it shows where the cluster is active (heat over a
picture), the picture without the cluster, and the picture with the cluster amplified; the caption is what to type. The
clusters are found in `bend.clusters`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bend import render
from bend.bends import open_bends
from bend.clusters import ChannelClusters, find_clusters
from bend.config import RenderConfig
from bend.errors import SettingsError
from bend.latents import ws_from_seeds
from bend.picture import Pixels, Rendered, check_picture_output, one_picture, save_picture
from bend.play import Play
from bend.work import describe
from stylegan.errors import ConfigError
from stylegan.generator import Generator
from stylegan.taps import find_taps

__all__ = ["ClusterSheetConfig", "render_clusters"]

_CELL = 112  # pixels a picture is shown at
_GAP, _CAPTION, _LABEL, _HEAD = 10, 20, 132, 58
_INK, _FAINT, _PAPER = (228, 224, 216), (142, 138, 132), (17, 17, 19)
# From inactive to most active, dark to light, so that it can be read without colours too.
_HEAT = np.array(
    [[12, 8, 38], [86, 16, 110], [187, 55, 84], [249, 142, 8], [252, 255, 190]], dtype=np.float64
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSheetConfig:
    """What the sheet shows.

    Attributes:
        layers: pattern of convolutions, see `stylegan.taps.find_taps`.
        boost: the factor of a cluster's signal in the third picture.
    """

    layers: str = "*"
    boost: float = 3.0


def render_clusters(
    config: RenderConfig,
    shown: ClusterSheetConfig,
    seeds: Sequence[int] | None,
    output: Path,
    *,
    force: bool = False,
    command: str | None = None,
) -> Rendered:
    """Find the clusters of a network, or take them from the cache, and write the sheet.

    Args:
        config: how pictures are drawn.
        shown: which layers, and how much clusters are amplified.
        seeds: one, whose picture is shown; None for 0.
        output: a PNG, JPEG or WebP.
        force: write over the file.
        command: the command line, for the provenance.

    Raises:
        SettingsError: several seeds, or no such layer.
        RenderError: the output cannot be written.
        StyleganError: the network cannot be read.
    """
    check_picture_output(output, force)
    seeds = (0,) if seeds is None else seeds
    if len(seeds) != 1:
        raise SettingsError(f"a sheet of clusters shows one picture; --seeds names {len(seeds)}, give one")
    G = render.open_generator(config)
    layers = _layers(G, shown.layers)
    clusters = find_clusters(G)
    rows = [_row(G, config, shown, clusters, layer, seeds[0]) for layer in layers]
    surface = _sheet(rows, f"{config.network}, seed {seeds[0]}", shown.boost)
    note = describe("clusters", config, G, command, seeds=list(seeds), clusters=shown)
    save_picture(output, surface, note, replace=force)
    return one_picture(output, surface)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cluster:
    """One cluster: its number, how many channels it has, and three pictures `[cell, cell, 3]`."""

    number: int
    num_channels: int
    pictures: tuple[Image.Image, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    layer: str
    num_channels: int
    clusters: tuple[_Cluster, ...]


def _layers(G: Generator, pattern: str) -> list[str]:
    try:
        found = [tap.name for tap in find_taps(G, pattern) if tap.kind == "conv"]
    except ConfigError as error:
        raise SettingsError(f"--layers {error}") from None
    if not found:
        raise SettingsError(f"--layers {pattern}: only convolutions have clusters, such as b16.conv1")
    return found


def _row(
    G: Generator,
    config: RenderConfig,
    shown: ClusterSheetConfig,
    clusters: ChannelClusters,
    layer: str,
    seed: int,
) -> _Row:
    labels = clusters.labels[layer]
    plain = _draw(G, config, seed, [])
    cells = []
    for number, heat in enumerate(clusters.maps[layer]):
        at = f"@{layer}/cluster={number}"
        without, louder = (
            _draw(G, config, seed, [f"{what}{at}"], clusters)
            for what in ("ablate", f"multiply:{shown.boost}")
        )
        pictures = (_cell(_heated(plain, heat)), _cell(without), _cell(louder))
        cells.append(_Cluster(number=number, num_channels=int((labels == number).sum()), pictures=pictures))
    return _Row(layer=layer, num_channels=len(labels), clusters=tuple(cells))


def _draw(
    G: Generator,
    config: RenderConfig,
    seed: int,
    bends: Sequence[str],
    clusters: ChannelClusters | None = None,
) -> Pixels:
    plays: list[Play] = [*render.open_plays(config, G)]
    if clusters is not None:
        plays.append(open_bends(bends, G, labels=clusters.labels.get))
    ws = ws_from_seeds(G, replace(config, batch=1), [seed])
    return render.draw(G, ws, noise_mode=config.noise_mode, noise_seeds=[seed], plays=plays)[0]


def _heated(picture: Pixels, heat: NDArray[np.float32]) -> Pixels:
    """The picture in grey, coloured by a map `[h, w]` from 0 to 1."""
    height, width = picture.shape[:2]
    smooth = Image.fromarray(heat).resize((width, height), Image.Resampling.BICUBIC)
    level = np.clip(np.asarray(smooth, dtype=np.float64), 0, 1)
    stops = np.linspace(0, 1, len(_HEAT))
    colour = np.stack([np.interp(level, stops, _HEAT[:, i]) for i in range(3)], axis=-1)
    grey = picture.mean(axis=-1, keepdims=True)
    # The heat only tints the picture and brightens the active parts, so that it stays recognisable.
    mixed = colour * (0.35 + 0.65 * grey / 255) * 0.85 + grey * 0.15
    return mixed.clip(0, 255).astype(np.uint8)


def _cell(picture: Pixels) -> Image.Image:
    """The picture at the size of a cell."""
    return Image.fromarray(picture).resize((_CELL, _CELL), Image.Resampling.LANCZOS)


def _sheet(rows: Sequence[_Row], title: str, boost: float) -> Pixels:
    most = max(len(row.clusters) for row in rows)
    cluster_width, row_height = 3 * _CELL + _GAP * 2, _CELL + _CAPTION + _GAP
    size = (_LABEL + most * cluster_width + _GAP, _HEAD + len(rows) * row_height + _GAP)
    sheet = Image.new("RGB", size, _PAPER)
    pen = ImageDraw.Draw(sheet)
    large, small = ImageFont.load_default(size=20), ImageFont.load_default(size=13)
    pen.text((_GAP * 1.5, 14), title, fill=_INK, font=large)
    told = f"each cluster: where it is active · without it · times {boost:g}"
    pen.text((size[0] - _GAP, 20), told, fill=_FAINT, font=small, anchor="ra")
    for index, row in enumerate(rows):
        top = _HEAD + index * row_height
        pen.text((_GAP * 1.5, top + _CELL / 2 - 10), row.layer, fill=_INK, font=large, anchor="lm")
        pen.text(
            (_GAP * 1.5, top + _CELL / 2 + 12),
            f"{row.num_channels} channels",
            fill=_FAINT,
            font=small,
            anchor="lm",
        )
        for place, cluster in enumerate(row.clusters):
            left = _LABEL + place * cluster_width
            for number, picture in enumerate(cluster.pictures):
                sheet.paste(picture, (left + number * _CELL, top))
            caption = f"@{row.layer}/cluster={cluster.number}   {cluster.num_channels} channels"
            pen.text((left, top + _CELL + 4), caption, fill=_FAINT, font=small)
    return np.asarray(sheet)
