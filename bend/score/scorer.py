"""Scores the snapshots of a run, by features of the base's discriminator.

The snapshot at 0 kimg is the base: its discriminator gives the features, and d0 is measured from its pictures ("home").
The same seeds of every snapshot and the same choice of the data are used, in batches of a fixed size, so that a rerun
gives the same numbers. At every snapshot `score.json`, `score.png` and a picture of each suggested moment are written
to the run folder.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bend import play, render
from bend.bends import open_bends
from bend.errors import ScoreError
from bend.grid import sheet
from bend.latents import z_from_seeds
from bend.picture import Pixels, enlarge, save_picture
from bend.provenance import Provenance, weights_sha256
from bend.run_names import SCORE_PLOT
from bend.score.card import KINDS, Moment, ScoreCard, ScoreRow, Settings, read_card, rounded
from bend.score.features import Ruler, feature_maps
from bend.score.measures import diversity, kernel_distance, paired_distance
from bend.score.metrics import Metric, Pictures, found_metrics
from bend.score.plot import draw_plot
from stylegan.archive import PictureSet, open_dataset
from stylegan.archive.shard_names import are_there
from stylegan.checkpoint import Network, list_snapshots, load_network
from stylegan.device import choose_device
from stylegan.discriminator import Discriminator
from stylegan.generator import Generator
from stylegan.run_names import OPTIONS
from stylegan.training.config import parse_snapshots, read_config
from stylegan.training.plan import recorded_data

__all__ = ["RunScorer", "score_run", "seeds_for"]

_FEWEST_SEEDS, _MOST_SEEDS = 32, 64
_NIMG_A_SEED = 16  # images trained on between snapshots for each seed: scoring takes under 5 % of a run
_NUM_PICTURES = 256
_BATCH = 16  # fixed, since the batch may change the last bits
_SHOWN = (4, 2)  # columns and rows of a moment's picture
_SMALLEST_CELL, _LARGEST_CELL = 64, 256
_SKETCH = 16  # how many seeds snapshots are compared with one another by


@dataclass(frozen=True, slots=True, kw_only=True)
class _Home:
    """What every snapshot is compared with: the base's pictures and the data's."""

    D: Discriminator
    ruler: Ruler
    base: dict[str, Tensor]
    """Vectors of the base's pictures, `[N, F]`, for raw and averaged weights."""
    data: Tensor
    """Vectors of the data's pictures, `[M, C]`."""
    away: float


def seeds_for(total_nimg: int, num_snapshots: int) -> int:
    """How many seeds to score each snapshot by, 32 to 64: more if there is more training between two snapshots.

    Args:
        total_nimg: images of the whole training.
        num_snapshots: snapshots it keeps.
    """
    between = total_nimg // max(num_snapshots, 1)
    return min(max(between // _NIMG_A_SEED // _BATCH * _BATCH, _FEWEST_SEEDS), _MOST_SEEDS)


def score_run(run: Path, *, device: str = "auto") -> ScoreCard:
    """Score the snapshots of a run folder that have no row yet, with the data that it was trained on.

    Raises:
        ScoreError: there is no snapshot at 0 kimg, or the data is gone.
        StyleganError: no run folder, or files of it cannot be read.
    """
    config = read_config(run)
    options = json.loads((run / OPTIONS).read_text())
    path = recorded_data(options, config.data)
    if not are_there(path):
        raise ScoreError(f"{run}: its data set {path} is not there any more; put it back to score the run")
    data = open_dataset(path, max_images=config.max_images, xflip=config.mirror)
    kept = read_card(run)
    if kept is not None:
        num_seeds = kept.settings.num_seeds
    else:
        num_seeds = seeds_for(round(config.kimg * 1000), len(parse_snapshots(config.snapshots, config.kimg)))
    return RunScorer(
        run, data, device=choose_device(device), num_seeds=num_seeds, bend=config.bend
    ).score_run()


class RunScorer:
    """Scores the snapshots of one run.

    Args:
        run: its folder; the snapshot at 0 kimg must be in it when something is scored.
        data: the data set that it is trained on.
        device: where to compute.
        num_seeds: how many pictures of each snapshot to use, at least 8.
        bend: the bends that it trains with, which its pictures have too.
        find_metrics: gives further metrics for every row, from the base's and the data's pictures.
    """

    def __init__(
        self,
        run: Path,
        data: PictureSet,
        *,
        device: str | torch.device = "cpu",
        num_seeds: int = _FEWEST_SEEDS,
        bend: tuple[str, ...] = (),
        find_metrics: Callable[[Pictures, Pictures], Sequence[Metric]] = found_metrics,
    ) -> None:
        if num_seeds < _SHOWN[0] * _SHOWN[1]:
            raise ScoreError(f"{num_seeds} seeds are too few to score by; give 8 or more")
        self.run = run
        self.seconds = 0.0
        """How long scoring has taken."""
        self._data = data
        self._device = torch.device(device)
        self._num_seeds = num_seeds
        self._bend = bend
        self._find_metrics = find_metrics
        self._metrics: Sequence[Metric] = ()
        self._home: _Home | None = None
        self._card: ScoreCard | None = None
        self._shown: dict[tuple[float, str], list[Pixels]] = {}
        self._sketches: dict[float, Tensor] = {}
        self._drawn: dict[str, Moment] = {}

    @property
    def card(self) -> ScoreCard:
        """The rows so far."""
        assert self._card is not None, "nothing is scored yet"
        return self._card

    def __call__(self, path: Path, kimg: float) -> ScoreCard:
        """Score the snapshot at `path`, and any before it that has no row; write the card, its plot and pictures.

        Raises:
            ScoreError: the run keeps no snapshot at 0 kimg.
            StyleganError: a snapshot or a picture cannot be read.
        """
        started = time.perf_counter()
        home = self._settle()
        done = {row.kimg for row in self.card.rows} - {kimg}
        for moment, snapshot in list_snapshots(self.run):
            if moment <= kimg and moment not in done:
                self._score(home, snapshot, moment)
        self._write()
        self.seconds += time.perf_counter() - started
        return self.card

    def score_run(self) -> ScoreCard:
        """Score every snapshot that a run folder holds and that has no row yet."""
        snapshots = list_snapshots(self.run)
        self._settle()
        done = {row.kimg for row in self.card.rows}
        todo = [(kimg, path) for kimg, path in snapshots if kimg not in done]
        if not todo:
            self._write()
        for kimg, path in todo:
            self(path, kimg)
        return self.card

    def apart(self, kimg: float, other: float) -> float:
        """Mean distance between two snapshots' pictures of the same seeds, of raw weights; both files must exist."""
        a, b = self._sketch(kimg), self._sketch(other)
        return float((a - b).norm(dim=1).mean())

    def _settle(self) -> _Home:
        """Measure the base and the data; only the first call does it."""
        if self._home is not None:
            return self._home
        first = dict(list_snapshots(self.run)).get(0.0)
        if first is None:
            raise ScoreError(f"{self.run}: keeps no snapshot at 0 kimg, from which the breaking is measured")
        network = load_network(first)
        if network.D is None:
            raise ScoreError(f"{first}: holds no discriminator to judge by; give a run of `bend finetune`")
        D = network.D.to(self._device)
        base = {kind: self._maps(D, network.generator(kind)) for kind in KINDS}
        chosen = sorted(np.random.default_rng(0).permutation(len(self._data))[:_NUM_PICTURES].tolist())
        if len(chosen) < 3:
            raise ScoreError(
                f"{self._data.name}: {len(chosen)} pictures are too few to score by; give 3 or more"
            )
        data = torch.cat([feature_maps(D, batch) for batch in self._pictures(chosen)])
        ruler = Ruler.of([base["raw"], data])
        vectors = {kind: ruler.places(maps) for kind, maps in base.items()}
        away = rounded(float(torch.cdist(vectors["raw"], ruler.places(data)).mean()))
        settings = Settings(
            num_seeds=self._num_seeds,
            num_pictures=len(chosen),
            judge=weights_sha256(D)[:16],
            data_hash=self._data.fingerprint()[:16],
        )
        self._home = _Home(D=D, ruler=ruler, base=vectors, data=ruler.overall(data), away=away)
        kept = read_card(self.run)
        self._metrics = self._find_metrics(
            lambda: self._images(network.generator("raw")), lambda: self._pictures(chosen)
        )
        comparable = kept is not None and kept.settings == settings
        self._card = kept if comparable else ScoreCard(settings=settings, away=away)
        return self._home

    def _score(self, home: _Home, path: Path, kimg: float) -> None:
        network = load_network(path)
        for kind in KINDS:
            G = network.generator(kind).to(self._device)
            images = list(self._images(G))
            maps = torch.cat([feature_maps(home.D, batch) for batch in images])
            vectors = home.ruler.places(maps)
            row = ScoreRow.of(
                kimg,
                kind,
                d0=paired_distance(vectors, home.base[kind]),
                d1=kernel_distance(home.ruler.overall(maps), home.data),
                diversity=diversity(vectors),
                extra={metric.name: metric(torch.cat(images)) for metric in self._metrics},
            )
            self._card = self.card.with_row(row)
            self._shown[kimg, kind] = _pixels(images[0])
            if kind == "raw":
                self._sketches[kimg] = vectors[:_SKETCH]

    def _sketch(self, kimg: float) -> Tensor:
        if kimg not in self._sketches:
            home = self._settle()
            G = self._network(kimg).generator("raw").to(self._device)
            maps = feature_maps(home.D, next(self._images(G)))
            self._sketches[kimg] = home.ruler.places(maps)[:_SKETCH]
        return self._sketches[kimg]

    def _network(self, kimg: float) -> Network:
        return load_network(dict(list_snapshots(self.run))[kimg])

    def _maps(self, D: Discriminator, G: Generator) -> Tensor:
        G = G.to(self._device)
        return torch.cat([feature_maps(D, batch) for batch in self._images(G)])

    def _images(self, G: Generator) -> Iterator[Tensor]:
        """Pictures of the fixed seeds, batch by batch, `[N, C, H, W]` in [-1, 1]; classes in turn."""
        plays = [open_bends(self._bend, G)] if self._bend else []
        for start in range(0, self._num_seeds, _BATCH):
            seeds = range(start, min(start + _BATCH, self._num_seeds))
            with torch.inference_mode():
                z = torch.from_numpy(z_from_seeds(seeds, G.z_dim)).float().to(self._device)
                c = (
                    torch.eye(G.c_dim, device=self._device)[[seed % G.c_dim for seed in seeds]]
                    if G.c_dim
                    else None
                )
                with play.playing(G, plays, play.Moment()):
                    image = G(z, c, noise_mode="const")
                yield torch.nan_to_num(image.float()).clamp(-1, 1)

    def _pictures(self, indices: Sequence[int]) -> Iterator[Tensor]:
        for start in range(0, len(indices), _BATCH):
            batch = np.stack([self._data.image(int(i)) for i in indices[start : start + _BATCH]])
            yield torch.from_numpy(batch).to(self._device).float() / 127.5 - 1

    def _write(self) -> None:
        self.card.write(self.run)
        note = Provenance(work={"kind": "score"}, network=self.run.name, network_sha256="")
        save_picture(self.run / SCORE_PLOT, draw_plot(self.card), note)
        for kind in KINDS:
            for name, moment in self.card.moments(kind).items():
                picture = self.run / f"moment-{kind}-{name}.png"
                if moment is None:
                    picture.unlink(missing_ok=True)
                elif self._drawn.get(picture.name) != moment:
                    self._draw_moment(picture, moment)

    def _draw_moment(self, picture: Path, moment: Moment) -> None:
        key = (moment.kimg, moment.weights)
        if key not in self._shown:
            if moment.kimg not in dict(list_snapshots(self.run)):
                return  # the snapshot was pruned; its picture stays as it is
            G = self._network(moment.kimg).generator(moment.weights).to(self._device)
            self._shown[key] = _pixels(next(self._images(G)))
        work = {"kind": "moment", "moment": moment.name, "kimg": moment.kimg, "weights": moment.weights}
        note = Provenance(work=work, network=self.run.name, network_sha256="")
        save_picture(picture, sheet(self._shown[key], *_SHOWN), note)
        self._drawn[picture.name] = moment


def _pixels(images: Tensor) -> list[Pixels]:
    """The first pictures of a batch, enlarged or shrunk to be looked at."""
    chosen = images[: _SHOWN[0] * _SHOWN[1]]
    while chosen.shape[-1] > _LARGEST_CELL:
        chosen = torch.nn.functional.avg_pool2d(chosen, 2)
    scale = max(1, _SMALLEST_CELL // chosen.shape[-1])
    return [enlarge(one, scale, "nearest") for one in render.pixels_of(chosen[:, :3])]
