"""The instrument while it is played: one thread that owns the network and draws what the page wants to see now.

Gestures come faster than pictures can be drawn, so only the latest state counts. While something moves, frames are
JPEG and as large as can be drawn in time; at rest, the whole picture follows. Anything else that needs the network
(chance, clusters, a film's path) is done by the same thread between two frames.
"""

import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import TypeVar

import numpy as np
from torch import Tensor

from bend.errors import BendError
from bend.play import Moment
from bend.studio.chores import Chores
from bend.studio.clusters import with_listed_clusters
from bend.studio.config import StudioConfig
from bend.studio.feature_maps import Watch, sheet_of_maps
from bend.studio.flow import Flow
from bend.studio.frames import Pace, encode
from bend.studio.message import Message
from bend.studio.patch import Patch
from bend.studio.questions import Questions
from bend.studio.recording import Recording
from bend.studio.shelf import Opened, Shelf
from bend.studio.stage import Stage
from bend.studio.take import LONGEST, Take
from bend.studio.tidy import Tidy
from bend.studio.wander import Walk
from stylegan.errors import StyleganError

__all__ = ["Instrument"]

Result = TypeVar("Result")

_log = logging.getLogger(__name__)


class Instrument:
    """The network, its clock and its thread.

    Args:
        config: of the studio.
        shelf: where networks come from.
        publish: sends a message to every page; called from the thread.

    Raises:
        SettingsError, StyleganError: the first network cannot be opened.
    """

    def __init__(self, config: StudioConfig, shelf: Shelf, publish: Callable[[Message], None]) -> None:
        self.shelf = shelf
        self._config = config
        self._publish = publish
        self._news = threading.Condition()
        self._stage = Stage(shelf, shelf.first, device=config.device)
        self._patch = Patch(network=shelf.first)
        self._gesture = 0
        self._is_closing = False
        self._flow = Flow()
        self._questions, self._chores, self._tidy = Questions(), Chores(), Tidy()
        self._pace, self._watch = Pace(self._stage.previews()), Watch()
        self._trouble = ""
        self._began, self._index = time.monotonic(), 0
        self._walk = Walk(self._patch.place, self._began)
        self._recording = Recording()
        self._thread = threading.Thread(target=self._run, name="studio-instrument", daemon=True)
        self._thread.start()

    @property
    def patch(self) -> Patch:
        """The current state."""
        return self._patch

    def play(self, patch: Patch, gesture: int = 0) -> None:
        """Play this state from now on.

        Args:
            patch: the state.
            gesture: number of the gesture that made it, which is sent along with its picture.
        """
        with self._news:
            self._patch = patch
            self._gesture = gesture
            self._trouble = ""
            self._flow.gesture(time.monotonic())
            self._news.notify()

    def shown(self, number: int) -> None:
        """A page has shown the frame of that number."""
        with self._news:
            self._flow.has_shown(number)
            self._news.notify()

    def watch(self, names: tuple[str, ...]) -> None:
        """Show the feature maps of these taps as well; none to stop."""
        with self._news:
            self._watch.show(names)
            self._flow.touch()
            self._news.notify()

    def seat(self, change: int) -> None:
        """A page has come (1) or gone (-1)."""
        with self._news:
            self._flow.seat(change)
            self._news.notify()

    def ask(self, question: Callable[[Stage], Result]) -> "Future[Result]":
        """Have the thread answer a question about its network, between two frames."""
        with self._news:
            future = self._questions.add(question)
            self._news.notify()
        return future

    def ask_now(self, question: Callable[[Stage, Patch, float], Result]) -> "Future[Result]":
        """Have the thread answer a question about this moment.

        Args:
            question: gets the network, the state with its point where it is now, and the clock's seconds.
        """

        def look(_: Stage) -> Result:
            stage, patch = self._opened()
            now = time.monotonic()
            here = dataclasses.replace(patch, place=self._walk.move(patch, now))
            return question(stage, here, now - self._began)

        return self.ask(look)

    def begin(self, name: str, steps: Callable[[Stage, Patch], Iterator[Message | None]]) -> None:
        """Have the thread do a chore in steps, in place of an unfinished one of the same name.

        Args:
            name: of the chore.
            steps: gives the steps for the network and the state as they are when its turn has come; what they yield is
                published.
        """
        with self._news:
            self._chores.add(name, lambda: steps(self._stage, self._patch))
            self._news.notify()

    def drop(self, name: str) -> None:
        """End a chore."""
        with self._news:
            self._chores.drop(name)

    @property
    def is_recording(self) -> bool:
        """Whether there are takes that are not saved yet."""
        return self._recording.is_on

    def start_take(self) -> None:
        """Begin to record what is played; the clock starts again at 0."""

        def start(stage: Stage, patch: Patch, seconds: float) -> None:
            self._recording.begin(stage)
            self._start_anew()
            self._flow.touch()

        self.ask_now(start).result(timeout=60)

    def end_take(self) -> list[Take]:
        """Stop recording; the takes are held until `has_saved`.

        Returns:
            What was played: one take, or several if something changed that is fixed within a film.

        Raises:
            SettingsError: nothing was played.
        """
        return self.ask(lambda stage: self._recording.end(time.monotonic() - self._began)).result(timeout=60)

    def has_saved(self, take: Take) -> None:
        """A take need not be held any longer."""
        self.ask(lambda stage: self._recording.has_saved(take)).result(timeout=60)

    def path(self, seconds: float, rate: float) -> tuple[Patch, Opened, tuple[np.ndarray, np.ndarray], int]:
        """The path of the point from here on.

        Args:
            seconds: how long.
            rate: points a second.

        Returns:
            The state, its networks, times `[K]` and points `[K, w_dim]`, and the network's resolution.
        """

        def follow(_: Stage) -> tuple[Patch, Opened, tuple[np.ndarray, np.ndarray], int]:
            stage, patch = self._opened()
            times = np.arange(max(round(seconds * rate), 1) + 1) / rate
            points = []
            for t in times.tolist():
                stage.prepare(patch, t)  # the point depends on the weights of its moment
                points.append(stage.w(self._walk.ahead(patch, t), patch.class_index).cpu().numpy())
            path = times, np.stack(points)
            return with_listed_clusters(stage, patch), stage.opened(patch), path, stage.resolution

        return self.ask(follow).result(timeout=600)

    def close(self) -> None:
        """End the thread."""
        with self._news:
            self._is_closing = True
            self._news.notify()
        self._thread.join(timeout=60)

    def _run(self) -> None:
        while True:
            with self._news:
                while not self._is_closing and not self._has_work():
                    self._news.wait(timeout=self._nap())
                if self._is_closing:
                    return
            self._questions.answer(lambda: self._stage)
            if self._wants_frame():
                self._draw()
            self._step()
            self._tidy.after_work(time.monotonic())

    def _has_work(self) -> bool:
        return bool(self._questions) or self._may_step() or self._wants_frame()

    def _may_step(self) -> bool:
        """Whether a chore can go on: none does while the player moves something, or before the network is open."""
        is_free = self._is_open(self._patch) and not self._flow.is_played(time.monotonic())
        return bool(self._chores) and is_free

    def _is_heard(self) -> bool:
        is_recording = self._recording.is_on and time.monotonic() - self._began <= LONGEST
        return self._flow.audience > 0 or is_recording

    def _nap(self) -> float | None:
        return self._flow.nap(moves=self._patch.moves) if self._is_heard() or self._chores else None

    def _wants_frame(self) -> bool:
        is_due = self._flow.is_due(time.monotonic(), moves=self._patch.moves)
        return is_due and self._is_heard() and not self._trouble

    def _step(self) -> None:
        """One step of the first chore."""
        if not self._may_step():
            return
        try:
            message = self._chores.step()
        except Exception as error:  # noqa: BLE001  told to the pages; the thread has to go on
            message = Message("trouble", {"text": _told(error)})
        if message is not None:
            self._publish(message)
        if self._patch.moves:
            self._flow.touch()

    def _draw(self) -> None:
        """Draw a frame. If that fails, the pages are told why, and nothing is drawn until the next gesture."""
        with self._news:
            patch, gesture = self._patch, self._gesture
            began = time.monotonic()
            is_whole = self._flow.begin(began, moves=patch.moves)
        try:
            self._frame(patch, gesture, began, is_whole)
        except Exception as error:  # noqa: BLE001  as above
            text = _told(error)
            with self._news:
                if self._patch is patch:
                    self._trouble = text
            self._publish(Message("trouble", {"text": text, "frame": self._flow.sent}))

    def _frame(self, patch: Patch, gesture: int, began: float, is_whole: bool) -> None:
        self._open(patch)
        if what := self._recording.part(began - self._began, patch, self._stage):
            self._start_anew()
            self._publish(Message("parted", {"what": what}))
        seconds = max(began - self._began, 0.0)
        place = self._walk.move(patch, began)
        self._stage.prepare(patch, seconds)
        w = self._stage.w(place, patch.class_index)
        noise_seed = self._index if patch.moves else place.noise_seed
        moment = Moment(seconds=seconds, index=self._index, seed=noise_seed)
        most = None if is_whole else self._pace.most
        maps = self._watch.due(began)
        picture = self._stage.draw(patch, w, moment, most=most, listeners=maps)
        took = time.monotonic() - began
        self._pace.took(took, is_whole=is_whole)
        self._record(self._stage, patch, seconds, w)
        self._index += 1
        kind, data = encode(picture, is_whole=is_whole)
        with self._news:
            number = self._flow.send(began, is_whole=is_whole)
        facts = {
            "number": number,
            "gesture": gesture,
            "seconds": round(min(seconds, LONGEST) if self._recording.is_on else seconds, 3),
            "place": dataclasses.asdict(place),
            "size": [picture.shape[1], picture.shape[0]],
            "milliseconds": round(took * 1000, 1),
            "is_whole": is_whole,
            "is_recording": self._recording.is_on,
            "type": kind,
        }
        self._publish(Message("frame", facts, data))
        if maps:
            order = list(maps)
            self._publish(Message("maps", {"order": order}, sheet_of_maps(maps, order)))

    def _record(self, stage: Stage, patch: Patch, seconds: float, w: Tensor) -> None:
        """Add a frame to the take, if one is being recorded."""
        if not self._recording.is_on:
            return
        played = dataclasses.replace(with_listed_clusters(stage, patch), kimg=stage.standing.held(patch.kimg))
        self._recording.uses(stage.opened(patch))
        if self._recording.add(seconds, played, w.cpu().numpy()):
            self._publish(Message("full", {"minutes": LONGEST / 60}))

    def _start_anew(self) -> None:
        """Restart the clock with the next frame."""
        self._stage.forget()
        self._began, self._index = time.monotonic(), 0

    def _open(self, patch: Patch) -> None:
        """Open the patch's network, if it is not open; the chores of the old one end."""
        if self._is_open(patch):
            return
        self._publish(Message("opening", {"network": patch.network}))
        stage = Stage(self.shelf, patch.network, patch.weights, self._config.device)
        with self._news:
            ended = self._chores.end_begun()
            self._stage, self._pace, self._watch = stage, Pace(stage.previews()), Watch()
        for name in ended:
            self._publish(Message("finished", {"what": name}))
        self._publish(Message("opened", {"network": patch.network}))

    def _opened(self) -> tuple[Stage, Patch]:
        """The current state and its network, opened now if no frame has opened it yet."""
        patch = self._patch
        self._open(patch)
        return self._stage, patch

    def _is_open(self, patch: Patch) -> bool:
        return patch.network == self._stage.standing.name and patch.weights == self._stage.config.weights


def _told(error: Exception) -> str:
    """A failure in one line; one that the state does not explain goes to the log, too."""
    if isinstance(error, (BendError, StyleganError)):
        return str(error)
    _log.error("the instrument's thread", exc_info=error)
    return f"this cannot be drawn: {type(error).__name__}: {error}".splitlines()[0][:300]
