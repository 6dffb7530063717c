"""What a page may ask for: one function for each word, in one table.

Every function gets the studio, the seat that asks and the message, and returns the answer to that seat, or None. Most
run on worker threads, since they wait for the instrument or write files.
"""

import dataclasses
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bend.errors import SettingsError
from bend.info.layers import layers_of
from bend.studio import training
from bend.studio.chance import MOST, throws
from bend.studio.clusters import cluster_facts
from bend.studio.config import StudioConfig
from bend.studio.hub import Hub, Seat
from bend.studio.instrument import Instrument
from bend.studio.jobs import Jobs
from bend.studio.keeping import Keeping
from bend.studio.message import Message
from bend.studio.patch import Patch, read_patch
from bend.studio.plane_map import ground
from bend.studio.shelf import Shelf
from bend.studio.stage import Stage

__all__ = ["ACTIONS", "BUSY", "Action", "Studio", "act", "graph_facts", "keep_takes", "whole_state"]

BUSY = "the instrument is busy; try again"
"""The answer if the instrument does not respond in time."""
Answer = Message | None
Action = Callable[["Studio", Seat, Mapping[str, Any]], Answer]
_FILM_FPS = 24.0
_MOST_TAPS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Studio:
    """The parts of the studio, as the server holds them."""

    config: StudioConfig
    shelf: Shelf
    hub: Hub
    instrument: Instrument
    keeping: Keeping
    jobs: Jobs
    saving: threading.Lock = field(default_factory=threading.Lock)
    """Held while takes are saved."""


def act(studio: Studio, seat: Seat, message: Any) -> Answer:
    """Do what a message asks for.

    Raises:
        SettingsError: it asks for something unknown.
        TimeoutError: the instrument is busy.
        BendError, StyleganError, OSError: it cannot be done.
    """
    do = message.get("do") if isinstance(message, Mapping) else None
    if not isinstance(do, str) or do not in ACTIONS:
        raise SettingsError("the page asked for something unknown; reload it")
    return ACTIONS[do](studio, seat, message)


def whole_state(studio: Studio) -> dict[str, Any]:
    """Everything that changes now and then: presets, takes, jobs, runs, networks and data sets."""
    return {
        "standing": [dataclasses.asdict(one) for one in studio.shelf.standing()],
        "runs": studio.shelf.runs(),
        "data_sets": list(studio.shelf.data_sets()),
        "presets": studio.keeping.presets(),
        "takes": studio.keeping.takes(),
        "jobs": studio.jobs.facts(),
        "may_train": studio.config.may_train,
    }


def keep_takes(studio: Studio) -> list[str]:
    """Stop recording, save what was played, and show it to every page; a take that cannot be saved is held.

    Returns:
        The names of the takes.

    Raises:
        SettingsError: nothing was played.
        TimeoutError: the instrument is busy.
        OSError: a take cannot be written.
    """
    names: list[str] = []
    trouble: OSError | None = None
    with studio.saving:  # two pages may stop one recording
        for take in studio.instrument.end_take():
            try:
                name = studio.keeping.keep_film(
                    take.played(),
                    take.opened,
                    take.bends(),
                    take.path(),
                    seconds=take.seconds,
                    fps=_FILM_FPS,
                    resolution=take.resolution,
                    kind="take",
                )
            except OSError as error:
                trouble = trouble or error
                continue
            studio.instrument.has_saved(take)
            names.append(name)
    if names:
        studio.hub.publish(Message("state", whole_state(studio)))
    if trouble is not None:
        raise trouble
    return names


def graph_facts(stage: Stage) -> dict[str, Any]:
    """The network on the stage as a graph whose nodes are the taps for bends."""
    G = stage.G
    return {
        "network": stage.standing.name,
        "resolution": G.img_resolution,
        "channels": G.img_channels,
        "classes": G.c_dim,
        "w_dim": G.w_dim,
        "moments": list(stage.standing.moments),
        "base": stage.standing.base,
        "layers": [
            {"tap": layer.tap, "kind": layer.kind, "shape": list(layer.output), "detail": layer.detail}
            for layer in layers_of(G)
        ],
    }


def _play(studio: Studio, seat: Seat, message: Mapping[str, Any]) -> Answer:
    """Play a patch, of which the page may send only what changed; a refusal tells what is played instead."""
    seat.gesture = _number(message, "gesture", 0, 2**53, 0)
    played, changes = studio.instrument.patch.facts(), message.get("patch")
    try:
        patch = read_patch({**played, **changes} if isinstance(changes, Mapping) else changes)
    except SettingsError as error:
        return Message("trouble", {"text": str(error), "patch": played, "heard": studio.hub.heard()})
    studio.instrument.play(patch, seat.gesture)
    studio.hub.publish(Message("patch", {"patch": patch.facts(), "heard": studio.hub.heard()}), but=seat)
    return None


def _shown(studio: Studio, seat: Seat, message: Mapping[str, Any]) -> Answer:
    studio.instrument.shown(_number(message, "number", 0, 2**53))
    return None


def _watch(studio: Studio, seat: Seat, message: Mapping[str, Any]) -> Answer:
    names = message.get("taps", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SettingsError("taps: give a list of names")
    seat.watched = tuple(names[:_MOST_TAPS])
    studio.instrument.watch(studio.hub.watched())
    return None


def _graph(studio: Studio, seat: Seat, message: Mapping[str, Any]) -> Answer:
    return Message("graph", studio.instrument.ask(graph_facts).result(timeout=120))


def _refresh(studio: Studio, seat: Seat, message: Mapping[str, Any]) -> Answer:
    return Message("state", whole_state(studio))


def _roll(studio: Studio, seat: Seat, message: Mapping[str, Any]) -> Answer:
    parents = message.get("parents", [])
    if not isinstance(parents, list) or len(parents) > 16:
        raise SettingsError("parents: give a list of patches")
    kin = [read_patch(parent) for parent in parents]
    num = _number(message, "num", 1, MOST)
    seed = _number(message, "seed", 0, 2**31, random.randrange(2**31))

    def steps(stage: Stage, patch: Patch) -> Iterator[Message | None]:
        for throw in throws(stage, patch, num=num, seed=seed, parents=kin):
            yield None if throw is None else Message("chance", {"seed": seed, **throw})

    studio.instrument.begin("roll", steps)
    return None


def _stop_roll(studio: Studio, seat: Seat, message: Mapping[str, Any]) -> Answer:
    studio.instrument.drop("roll")
    return None


def _ground(studio: Studio, seat: Seat, message: Mapping[str, Any]) -> Answer:
    key = str(message.get("key", ""))[:200]
    studio.instrument.begin("ground", lambda stage, patch: ground(stage, patch, key))
    return None


def _clusters(studio: Studio, seat: Seat, message: Mapping[str, Any]) -> Answer:
    return Message("clusters", studio.instrument.ask(cluster_facts).result(timeout=600))


def _record(studio: Studio, seat: Seat, message: Mapping[str, Any]) -> Answer:
    studio.instrument.start_take()
    return None


def _end_record(studio: Studio, seat: Seat, message: Mapping[str, Any]) -> Answer:
    return Message("kept", {"names": keep_takes(studio)})


def _film(studio: Studio, seat: Seat, message: Mapping[str, Any]) -> Answer:
    """Render a film of what is playing now, as it would go on by itself."""
    seconds = float(_number(message, "seconds", 1, 600, 10))
    patch, opened, path, resolution = studio.instrument.path(seconds, _FILM_FPS)
    name = studio.keeping.keep_film(
        patch, opened, patch.bends, path, seconds=seconds, fps=_FILM_FPS, resolution=resolution, kind="film"
    )
    return _render_take(studio, seat, {"name": name})


def _render_take(studio: Studio, seat: Seat, message: Mapping[str, Any]) -> Answer:
    folder = studio.keeping.take_folder(str(message.get("name")))
    output = folder / f"{folder.name}.mp4"
    words = ["run", str(folder / "recipe.toml"), "-o", str(folder), "--force"]
    studio.jobs.submit("film", f"film of {folder.name}", [words], folder, output)
    return None


def _keep_preset(studio: Studio, seat: Seat, message: Mapping[str, Any]) -> Answer:
    name = str(message.get("name", "")).strip()
    studio.instrument.ask_now(lambda stage, patch, _: studio.keeping.keep_preset(name, stage, patch)).result(
        timeout=60
    )
    studio.hub.publish(Message("state", whole_state(studio)))
    return None


def _drop_preset(studio: Studio, seat: Seat, message: Mapping[str, Any]) -> Answer:
    studio.keeping.drop_preset(str(message.get("name")))
    studio.hub.publish(Message("state", whole_state(studio)))
    return None


def _train(studio: Studio, seat: Seat, message: Mapping[str, Any]) -> Answer:
    answers = message.get("answers")
    if not isinstance(answers, Mapping):
        raise SettingsError("answers: give a table")
    training.start(answers, studio.config, studio.shelf, studio.jobs)
    return None


def _resume(studio: Studio, seat: Seat, message: Mapping[str, Any]) -> Answer:
    training.resume(str(message.get("run")), message, studio.config, studio.shelf, studio.jobs)
    return None


def _stop_job(studio: Studio, seat: Seat, message: Mapping[str, Any]) -> Answer:
    studio.jobs.stop(_number(message, "number", 0, 2**31))
    return None


def _number(message: Mapping[str, Any], name: str, low: int, high: int, default: int | None = None) -> int:
    value = message.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise SettingsError(f"{name}: give a number from {low} to {high}")
    return int(value)


ACTIONS: dict[str, Action] = {
    "play": _play,
    "shown": _shown,
    "watch": _watch,
    "graph": _graph,
    "refresh": _refresh,
    "roll": _roll,
    "stop-roll": _stop_roll,
    "ground": _ground,
    "clusters": _clusters,
    "record": _record,
    "end-record": _end_record,
    "film": _film,
    "render-take": _render_take,
    "keep-preset": _keep_preset,
    "drop-preset": _drop_preset,
    "train": _train,
    "resume": _resume,
    "stop-job": _stop_job,
}
