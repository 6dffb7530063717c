"""The networks, runs and data sets to play and to train on, by names that a page may use in place of paths.

A shelf name is `faces64`, the name of a network that was given on the command line, or `run:` and the name of a run
folder. A file is called by its name, with as many of its parent folders as tell it from the others. Files of runs are
found by listing their folders and comparing names.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bend.automation import Automation
from bend.errors import ScoreError, SettingsError
from bend.info.run_files import number_in, parse_object, read_object, table_in
from bend.number import spelled
from bend.score.card import read_card
from bend.stores.marker import holds_state
from bend.studio.config import StudioConfig
from stylegan.checkpoint import list_snapshots
from stylegan.errors import StyleganError
from stylegan.run_names import OPTIONS, STATS

__all__ = ["BUNDLED", "Opened", "Shelf", "Standing"]

BUNDLED = "bundled photos"
"""The data set that comes with bend, packed when it is first asked for."""
_RUN = "run:"
_PICTURES = re.compile(r"(fakes(_init|\d{6})|reals|timeline)\.png|fakes.*\.jpg")
_EMBEDDED = "faces64"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One network on the shelf.

    Attributes:
        name: by which a page calls it.
        network: for `load_network`.
        title: to show.
        moments: kimg of the snapshots of a run; empty for a plain network.
        base: shelf name of the network that it was bent from; None if that is not on the shelf.
    """

    name: str
    network: str
    title: str
    moments: tuple[float, ...] = ()
    base: str | None = None

    @property
    def as_now(self) -> str:
        """For `load_network`: of a run the last snapshot so far, since others come when it goes on training."""
        return f"{self.network}@{spelled(self.moments[-1])}" if self.moments else self.network

    def held(self, kimg: Automation | None) -> Automation | None:
        """Training time limited to that of the run's snapshots; None for a plain network."""
        return kimg.within(self.moments[0], self.moments[-1]) if kimg is not None and self.moments else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The networks that are played, as they were when they were opened.

    Attributes:
        standing: of the network on the stage.
        network: its `as_now` then.
        base: that of the dial's base; None for no dial.
    """

    standing: Standing
    network: str
    base: str | None = None


class Shelf:
    """Networks, runs and data sets, as they are on the disk now.

    Args:
        config: of the studio.
    """

    def __init__(self, config: StudioConfig) -> None:
        self._config = config
        named = [_EMBEDDED, config.network, *config.networks]
        self._given = {_short(text, named): text for text in named}
        self._first = _short(config.network, named)

    @property
    def first(self) -> str:
        """Shelf name of the network that is on the stage at first."""
        wanted = self._config.network
        as_run = next((s.name for s in self.standing() if s.network == str(Path(wanted))), None)
        return as_run or self._first

    def standing(self) -> list[Standing]:
        """All networks."""
        return [*self._plain(), *self._runs()]

    def find(self, name: str) -> Standing:
        """The network of that name.

        Raises:
            SettingsError: there is none.
        """
        for standing in self.standing():
            if standing.name == name:
                return standing
        raise SettingsError(f"{name!r:.60} is not on the shelf; choose one from the list")

    def run_folder(self, name: str) -> Path:
        """A run folder by its name.

        Raises:
            SettingsError: there is none.
        """
        folder = next((path for path in self._run_folders() if path.name == name), None)
        if folder is None:
            raise SettingsError(f"there is no run {name!r:.60}")
        return folder

    def run_picture(self, run: str, name: str) -> Path:
        """A picture in a run folder.

        Raises:
            SettingsError: there is none.
        """
        if not _PICTURES.fullmatch(name):
            raise SettingsError(f"a run has no picture {name!r:.60}")
        folder = self.run_folder(run)
        path = folder / name
        if not path.is_file() or path.resolve().parent != folder.resolve():  # a link leads elsewhere
            raise SettingsError(f"{run} has no {name} yet")
        return path

    def data_sets(self) -> dict[str, Path | None]:
        """Data sets by name; None for the one that is not packed yet."""
        given = {str(path): path for path in self._config.data}
        return {BUNDLED: None, **{_short(text, given): path for text, path in given.items()}}

    def runs(self) -> list[dict[str, Any]]:
        """What a page shows of every run."""
        return [_run_facts(folder) for folder in self._run_folders()]

    def _plain(self) -> Iterator[Standing]:
        runs = {str(path.resolve()) for path in self._run_folders()}
        for name, text in self._given.items():
            if str(Path(text).resolve()) not in runs:
                moments = tuple(at for at, _ in _snapshots(Path(text)))
                base = None if name == _EMBEDDED else _EMBEDDED
                yield Standing(name=name, network=text, title=name, moments=moments, base=base)

    def _runs(self) -> Iterator[Standing]:
        folders = self._run_folders()
        texts = self._given | {_RUN + folder.name: str(folder) for folder in folders}
        names: dict[Path | None, str] = {Path(text).resolve(): name for name, text in reversed(texts.items())}
        for folder in folders:
            moments = tuple(at for at, _ in _snapshots(folder))
            if moments:
                yield Standing(
                    name=_RUN + folder.name,
                    network=str(folder),
                    title=folder.name,
                    moments=moments,
                    base=names.get(_base_of(folder)),
                )

    def _run_folders(self) -> list[Path]:
        runs = self._config.runs
        if not runs.is_dir():
            return []
        return sorted(path for path in runs.iterdir() if path.is_dir() and not path.name.startswith("."))


def _short(text: str, others: Iterable[str]) -> str:
    """The name of a network or a data set: as much of its path as tells it from the others."""
    if not Path(text).exists():
        return text
    parts, taken = Path(text).absolute().parts, [Path(other).absolute().parts for other in others]
    enough = (
        num
        for num in range(1, len(parts) + 1)
        if all(other == parts for other in taken if other[-num:] == parts[-num:])
    )
    return str(Path(*parts[-next(enough) :]))


def _snapshots(folder: Path) -> list[tuple[float, Path]]:
    try:
        return list_snapshots(folder) if folder.is_dir() else []
    except (OSError, StyleganError):
        return []


def _config_of(folder: Path) -> dict[str, Any]:
    """What a run was asked for, as far as that can be read."""
    try:
        return table_in(read_object(folder / OPTIONS), "config")
    except OSError:
        return {}


def _base_of(folder: Path) -> Path | None:
    """The network that a run was bent from; None if it does not say."""
    base = _config_of(folder).get("base")
    return Path(base).resolve() if isinstance(base, str) and "\0" not in base else None


def _run_facts(folder: Path) -> dict[str, Any]:
    config = _config_of(folder)
    moments = [at for at, _ in _snapshots(folder)]
    return {
        "name": folder.name,
        "kimg": _reached(folder, moments),
        "kimg_wanted": number_in(config.get("kimg")),
        "data": Path(str(config.get("data", ""))).name,
        "base": Path(str(config.get("base", ""))).name,
        "moments": moments,
        "pictures": _pictures(folder),
        "score": _score(folder),
        "can_resume": holds_state(folder),
    }


def _pictures(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir() if _PICTURES.fullmatch(path.name))
    except OSError:
        return []


def _reached(folder: Path, moments: list[float]) -> float:
    """The kimg in the last line of the run's statistics, or of the last snapshot if that cannot be read."""
    try:
        lines = (folder / STATS).read_bytes().splitlines()
    except OSError:
        lines = []
    last = parse_object(lines[-1]) if lines else {}
    reached = number_in(table_in(last, "Progress/kimg").get("mean"))
    return reached if reached is not None else max(moments, default=0.0)


def _score(folder: Path) -> dict[str, Any] | None:
    """The curves of a run's score card, for drawing; None if it has not been scored, or the card cannot be read."""
    try:
        card = read_card(folder)
    except (OSError, ScoreError):
        return None
    if card is None:
        return None
    rows = card.of("ema")
    return {
        "kimg": [row.kimg for row in rows],
        "from_home": [row.d0 for row in rows],
        "diversity": [row.diversity for row in rows],
        "moments": {name: moment.kimg for name, moment in card.moments("ema").items() if moment is not None},
    }
