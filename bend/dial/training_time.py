"""Training time as a parameter: the network as it was at any moment of its run, also between two snapshots.

Neighbouring snapshots are so close that interpolating their weights draws about what the training passed through.
Every moment is a mix of two snapshots, of which the last few stay in memory. As a play it works in any render, such as
a walk through latent space while the training goes on.
"""

import bisect
import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from bend.automation import Automation, Constant, Keyframes
from bend.dial.mixing import State, mix, refuse_strangers, restored, state_of
from bend.errors import SettingsError
from bend.latents import device_of
from bend.number import spelled
from bend.play import Moment
from stylegan.checkpoint import list_snapshots, load_network
from stylegan.generator import Generator
from stylegan.run_names import readings

__all__ = [
    "TrainingTime",
    "check_moments",
    "even_pace",
    "open_training_time",
    "run_snapshots",
    "snapshots_passed",
]

_KEPT = 3  # states in memory


class TrainingTime:
    """A play: the weights of a run at a moment of its training.

    Args:
        snapshots: (kimg, file), rising, at least one.
        kimg: thousands of pictures seen, over time; limited to those of the first and the last snapshot.
        weights: `ema` or `raw`.
    """

    def __init__(
        self, snapshots: Sequence[tuple[float, Path]], kimg: Automation, weights: str = "ema"
    ) -> None:
        self._snapshots = list(snapshots)
        self._kimg = kimg
        self._weights = weights
        self._states: dict[int, State] = {}

    @property
    def varies(self) -> bool:
        """Whether the moment changes over time."""
        return self._kimg.varies

    @contextlib.contextmanager
    def during(self, G: Generator, moment: Moment) -> Iterator[None]:
        """Give `G` the weights of the moment for as long as the context lasts."""
        with self.holding(G, self._kimg.at(moment.seconds)):
            yield

    @contextlib.contextmanager
    def holding(self, G: Generator, kimg: float) -> Iterator[None]:
        """Give `G` the weights of the run at `kimg` for as long as the context lasts."""
        with restored(G):
            self.set(G, kimg)
            yield

    def set(self, G: Generator, kimg: float) -> None:
        """Give `G` the weights of the run at `kimg`, for good."""
        moments = [at for at, _ in self._snapshots]
        after = min(bisect.bisect_left(moments, kimg), len(moments) - 1)
        before = max(after - 1, 0) if moments[after] > kimg else after
        span = moments[after] - moments[before]
        share = 0.0 if span == 0 else (kimg - moments[before]) / span
        share = min(max(share, 0.0), 1.0)
        mix(G, self._state(before, G), self._state(after, G), lambda layer: share)

    def _state(self, index: int, G: Generator) -> State:
        if index not in self._states:
            path = self._snapshots[index][1]
            snapshot = load_network(path).generator(self._weights)
            refuse_strangers(G, snapshot, ("the network", path.name))
            while len(self._states) >= _KEPT:
                del self._states[max(self._states, key=lambda kept: abs(kept - index))]
            self._states[index] = state_of(snapshot, device_of(G))
        return self._states[index]


def open_training_time(run: str, kimg: Automation, weights: str = "ema") -> TrainingTime:
    """Training time of a run folder.

    Raises:
        SettingsError: no run folder with snapshots, or moments outside of the run.
    """
    snapshots = run_snapshots(run)
    check_moments(run, snapshots, kimg.bounds())
    return TrainingTime(snapshots, kimg, weights)


def check_moments(run: str, snapshots: Sequence[tuple[float, Path]], moments: Sequence[float]) -> None:
    """Refuse moments before the first snapshot of a run, and after the last one.

    Raises:
        SettingsError: there is one.
    """
    first, last = snapshots[0][0], snapshots[-1][0]
    for moment in moments:
        if not first <= moment <= last:
            whole = f"{run} goes from {spelled(first)} to {spelled(last)} kimg"
            raise SettingsError(f"kimg {spelled(moment)}: {whole}; name a moment of it")


def run_snapshots(run: str) -> list[tuple[float, Path]]:
    """The snapshots of a run folder as (kimg, file).

    Raises:
        SettingsError: no run folder with snapshots.
    """
    folder = next((Path(path) for path, _ in readings(run) if Path(path).is_dir()), None)
    snapshots = [] if folder is None else list_snapshots(folder)
    if not snapshots:
        raise SettingsError(f"{run}: no snapshots there; pass a run folder of `bend finetune`")
    return snapshots


def snapshots_passed(run: str, kimg: Automation) -> list[Path]:
    """The snapshots of a run that are mixed while training time runs as `kimg` says.

    Raises:
        SettingsError: no run folder with snapshots.
    """
    snapshots = run_snapshots(run)
    moments = [at for at, _ in snapshots]
    low, high = kimg.bounds()
    first = max(bisect.bisect_right(moments, low) - 1, 0)
    return [path for _, path in snapshots[first : bisect.bisect_left(moments, high) + 1]]


def even_pace(moments: Sequence[float], seconds: float, *, loop: bool = False) -> Automation:
    """Training time that takes equally long from each snapshot to the next; with log-spaced ones that is log time.

    Args:
        moments: of the snapshots, rising.
        seconds: length of the film.
        loop: whether to go there and back again.
    """
    values = [*moments, *reversed(moments[:-1])] if loop else list(moments)
    if len(values) == 1:
        return Constant(values[0])
    step = seconds / (len(values) - 1)
    return Keyframes(tuple(step * i for i in range(len(values))), tuple(values))
