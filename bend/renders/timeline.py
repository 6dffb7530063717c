"""The timeline: the same seeds, snapshot after snapshot, so that one sees a network break.

Each row is a seed, each column a snapshot with its kimg. The raw generator and its average are two different artworks
(with a long half-life, an early average is still the old network), so a run's own `timeline.png` shows both, one above
the other, and grows with every snapshot. `bend.score` measures the breaking.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL.PngImagePlugin import PngImageFile
from tqdm import tqdm

from bend import latents, render
from bend.bends.opening import bend_mapping
from bend.config import RenderConfig
from bend.errors import RenderError, SettingsError
from bend.labelled import columns_of, labelled_sheet, sheet_shape
from bend.picture import Pixels, Rendered, check_picture_output, one_picture, save_picture
from bend.play import Moment
from bend.provenance import Provenance, read_provenance
from bend.renders.moving import draw_seeds
from bend.run_names import TIMELINE
from bend.work import describe
from stylegan.checkpoint import list_snapshots, load_network
from stylegan.generator import Generator

__all__ = ["RunTimeline", "pick_columns", "render_timeline", "timeline_sheet"]

Snapshot = TypeVar("Snapshot")

_MOST_COLUMNS = 16
_RUN_SEEDS = tuple(range(4))
_SMALLEST_CELL = 64  # pixels; a smaller network's pictures are enlarged for a run's own sheet


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One snapshot: its pictures from top to bottom, uint8 `[H, W, 3]`, all of one size."""

    kimg: float
    pictures: tuple[Pixels, ...]


def render_timeline(
    config: RenderConfig,
    seeds: Sequence[int] | None,
    output: Path,
    *,
    both: bool = False,
    force: bool = False,
    command: str | None = None,
) -> Rendered:
    """Write the timeline of a run as a sheet.

    Args:
        config: how pictures are drawn; `network` is a run folder.
        seeds: rows; None for 0 to 5, or every latent of `config.latents`.
        output: a PNG, JPEG or WebP.
        both: the raw generator above its average, whatever `config.weights` says.
        force: write over the file.
        command: the command line, for the provenance.

    Raises:
        RenderError: no run folder with snapshots, or the output cannot be written.
        SettingsError, StyleganError: the snapshots or the settings.
    """
    check_picture_output(output, force)
    seeds = latents.usual_seeds(config, 6) if seeds is None else seeds
    if not seeds:
        raise SettingsError("a timeline needs seeds; give at least one")
    if config.kimg is not None:
        raise SettingsError("--kimg: a sheet shows the snapshots as they are; write a film, or leave it out")
    snapshots = pick_columns(list_snapshots(config.network) if Path(config.network).is_dir() else [])
    if not snapshots:
        raise RenderError(f"{config.network}: no snapshots there; pass a run folder of `bend finetune`")
    kinds = ("raw", "ema") if both else (config.weights,)
    columns: dict[str, list[Column]] = {weights: [] for weights in kinds}
    for kimg, path in tqdm(snapshots, desc="rendering", unit="snapshot", disable=None):
        for weights in kinds:
            look = replace(config, network=str(path), weights=weights)
            G = render.open_generator(look)
            columns[weights].append(Column(kimg=kimg, pictures=_draw(G, look, seeds)))
    moments = [kimg for kimg, _ in snapshots]
    drawn_with = [str(path) for _, path in snapshots]
    note = describe(
        "timeline", config, G, command, others=drawn_with, seeds=list(seeds), kimg=moments, both=both
    )
    surface = np.concatenate([timeline_sheet(weights, columns[weights]) for weights in kinds])
    save_picture(output, surface, note, replace=force)
    return one_picture(output, surface)


class RunTimeline:
    """The `timeline.png` of a run in progress; call it with each snapshot.

    Args:
        device: where to draw.
        bend: the bends that it trains with, which its pictures have too.
    """

    def __init__(self, device: str = "cpu", bend: tuple[str, ...] = ()) -> None:
        self._device = device
        self._bend = bend
        self._raw: dict[float, Column] = {}
        self._ema: dict[float, Column] = {}
        self._is_new = True

    def __call__(self, path: Path, kimg: float) -> None:
        """Add the snapshot at `path`, and any before it that is not on the sheet yet; write the sheet."""
        for earlier, snapshot in list_snapshots(path.parent):
            if earlier <= kimg and earlier not in self._raw:
                self._add(earlier, snapshot)
        if self._is_new:
            self._recall(path.parent, kimg)
        shown = pick_columns(sorted(self._raw))
        surface = np.concatenate(
            [
                timeline_sheet("raw", [self._raw[moment] for moment in shown]),
                timeline_sheet("ema", [self._ema[moment] for moment in shown]),
            ]
        )
        work = {"kind": "timeline", "seeds": list(_RUN_SEEDS), "kimg": shown, "weights": ["raw", "ema"]}
        note = Provenance(work=work, network=path.parent.name, network_sha256="")
        save_picture(path.parent / TIMELINE, surface, note)

    def _recall(self, run: Path, kimg: float) -> None:
        """Take the columns of snapshots that no longer exist from an earlier session's sheet, up to `kimg`."""
        self._is_new = False
        height, width = self._raw[min(self._raw)].pictures[0].shape[:2]
        try:
            note = read_provenance(run / TIMELINE)
            shown = [float(moment) for moment in note.work["kimg"]] if note is not None else []
            cells = (len(shown), len(_RUN_SEEDS), height, width)
            with PngImageFile(run / TIMELINE) as opened:  # `Image.open` takes large sheets for bombs
                if (opened.height, opened.width) != (2 * sheet_shape(*cells)[0], sheet_shape(*cells)[1]):
                    return
                sheet = np.asarray(opened)
            halves = [columns_of(half, *cells) for half in np.split(sheet, 2)]
        except (OSError, SyntaxError, ValueError, KeyError, TypeError):  # none, damaged, or not ours
            return
        for moment, *pair in zip(shown, *halves, strict=True):
            if moment <= kimg and moment not in self._raw:
                for columns, pictures in zip((self._raw, self._ema), pair, strict=True):
                    # Copies, so that the sheet need not stay.
                    columns[moment] = Column(kimg=moment, pictures=tuple(map(np.copy, pictures)))

    def _add(self, kimg: float, snapshot: Path) -> None:
        network = load_network(snapshot)
        for weights, columns in (("raw", self._raw), ("ema", self._ema)):
            G = render.generator_of(network, weights, self._device)
            config = RenderConfig(
                scale=max(1, _SMALLEST_CELL // G.img_resolution),
                class_index=0 if G.c_dim else None,
                bend=self._bend,
            )
            bend_mapping(config, G)
            columns[kimg] = Column(kimg=kimg, pictures=_draw(G, config, _RUN_SEEDS))


def pick_columns(snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """At most sixteen of the snapshots: the first, the last, and others spread evenly by index."""
    if len(snapshots) <= _MOST_COLUMNS:
        return list(snapshots)
    indices = np.linspace(0, len(snapshots) - 1, _MOST_COLUMNS).round().astype(int)
    return [snapshots[i] for i in indices]


def timeline_sheet(title: str, columns: Sequence[Column]) -> Pixels:
    """Lay columns side by side under their kimg.

    Args:
        title: written before the first kimg.
        columns: at least one, all with as many pictures of one size.

    Returns:
        uint8 `[head + rows * H, columns * W, 3]`.
    """
    labels = [f"{title}, {columns[0].kimg:g} kimg", *(f"{column.kimg:g}" for column in columns[1:])]
    return labelled_sheet(labels, [column.pictures for column in columns])


def _draw(G: Generator, config: RenderConfig, seeds: Sequence[int]) -> tuple[Pixels, ...]:
    return tuple(draw_seeds(G, config, seeds, Moment(), render.open_plays(config, G)))
