"""The thread that plays: it answers, it follows the latest state, and an hour of it leaves nothing behind."""

import gc
import itertools
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bend.errors import SettingsError
from bend.studio.actions import Studio
from bend.studio.config import StudioConfig
from bend.studio.frames import Pace
from bend.studio.instrument import Instrument
from bend.studio.message import Message
from bend.studio.patch import Patch, read_patch
from bend.studio.shelf import Shelf
from bend.studio.stage import Stage
from tests.bend.runs import write_run
from tests.bend.studio.conftest import eventually

BENDS = [
    ("rotate", ["25"]),
    ("swirl", ["lfo(sine,0..90,2s)"]),
    ("feedback", ["0.5", "2"]),
    ("perturb", ["0.2", "1"]),
]


def test_nothing_is_drawn_that_nobody_looks_at(studio: Studio) -> None:
    heard: list[Message] = []
    studio.instrument._publish = heard.append
    studio.instrument.play(read_patch({"network": studio.shelf.first, "wander": {"on": True}}))
    assert studio.instrument.ask(lambda stage: stage.resolution).result(timeout=300) == 16
    assert heard == []
    studio.instrument.seat(+1)
    eventually(lambda: bool(heard))


def test_a_page_that_does_not_answer_gets_few_frames(studio: Studio) -> None:
    heard: list[Message] = []
    studio.instrument._publish = heard.append
    studio.instrument.seat(+1)
    studio.instrument.play(read_patch({"network": studio.shelf.first, "wander": {"on": True}}))
    eventually(lambda: len(heard) >= 3)
    studio.instrument.shown(10**9)  # a page cannot have shown what was not sent
    assert studio.instrument._flow.shown <= studio.instrument._flow.sent


def test_what_is_asked_of_this_moment_waits_for_no_frame(studio: Studio) -> None:
    patch = read_patch({"network": "faces64", "place": {"x": 0.7}})
    studio.instrument.play(patch)
    now = studio.instrument.ask_now(lambda stage, patch, seconds: (stage.standing.name, patch))
    assert now.result(timeout=300) == ("faces64", patch)
    studio.instrument.play(read_patch({"network": studio.shelf.first}))
    film, opened, (times, points), resolution = studio.instrument.path(1.0, 4.0)
    assert (film.network, opened.standing.name, resolution) == (studio.shelf.first, studio.shelf.first, 16)
    assert (len(times), points.shape) == (5, (5, 32))


@pytest.mark.parametrize(
    "moving", [{"kimg": "0s:4,1s:0"}, {"dial": {"base": "run:00000-rocks-tiny", "amount": "0s:1,1s:0"}}]
)
def test_the_path_of_a_film_is_that_of_the_weights_at_each_moment(
    studio: Studio, moving: dict[str, object]
) -> None:
    run = write_run(studio.config.runs)
    network = studio.shelf.first if "dial" in moving else f"run:{run.name}"
    patch = read_patch({"network": network, **moving})
    studio.instrument.play(patch)
    _, _, (times, points), _ = studio.instrument.path(1.0, 4.0)

    def played(stage: Stage) -> list[np.ndarray]:
        drawn = []
        for seconds in times.tolist():
            stage.prepare(patch, seconds)
            drawn.append(stage.w(patch.place).numpy())
        return drawn

    assert np.array_equal(points, np.stack(studio.instrument.ask(played).result(timeout=60)))
    assert np.abs(points[0] - points[-1]).mean() > 0.1


def test_an_end_without_a_beginning_is_no_take(studio: Studio) -> None:
    with pytest.raises(SettingsError, match="nothing was recorded"):
        studio.instrument.end_take()


def test_a_question_that_fails_harms_nobody_else(studio: Studio) -> None:
    failing = studio.instrument.ask(lambda stage: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        failing.result(timeout=300)
    assert studio.instrument.ask(lambda stage: "well").result(timeout=300) == "well"


def test_what_fails_for_no_known_reason_is_told_and_the_play_goes_on(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Message] = []
    studio.instrument._publish = heard.append

    def fail(*args: object, **options: object) -> None:
        raise RuntimeError("out of luck\nand of much else")

    patch = read_patch({"network": studio.shelf.first, "wander": {"on": True}})
    with monkeypatch.context() as broken:
        broken.setattr(Stage, "draw", fail)
        studio.instrument.seat(+1)
        eventually(lambda: bool(heard))
    text = "this cannot be drawn: RuntimeError: out of luck"
    assert heard[0] == Message("trouble", {"text": text, "frame": 0})  # and no frame after that one
    assert "out of luck" in caplog.text
    studio.instrument.play(patch)
    eventually(lambda: any(message.kind == "frame" for message in heard))


def test_a_chore_that_fails_ends_and_the_next_one_is_done(studio: Studio) -> None:
    heard: list[Message] = []
    studio.instrument._publish = heard.append
    studio.instrument.begin("bad", lambda stage, patch: iter(1 // x for x in (1, 0, 1)))  # type: ignore[misc,arg-type]
    studio.instrument.begin("good", lambda stage, patch: iter([Message("step")]))
    eventually(lambda: Message("finished", {"what": "good"}) in heard)
    assert heard[1].kind == "trouble"
    assert heard[2] == Message("finished", {"what": "bad"})


def test_chores_are_of_the_network_that_is_on_the_stage(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Message] = []
    instrument = studio.instrument
    instrument._publish = heard.append

    def tell(stage: Stage, patch: Patch) -> Iterator[Message]:
        yield Message("network", {"stage": stage.standing.name, "patch": patch.network})

    def open_slowly(*args: Any) -> Stage:
        instrument.begin("new", tell)  # while the other network is being opened
        return Stage(*args)

    monkeypatch.setattr("bend.studio.instrument.Stage", open_slowly)
    endless = itertools.chain([Message("step")], itertools.repeat(None))
    instrument.begin("old", lambda stage, patch: endless)
    eventually(lambda: Message("step") in heard)
    instrument.seat(+1)
    instrument.play(read_patch({"network": "faces64"}))
    eventually(lambda: Message("finished", {"what": "new"}) in heard)
    assert Message("network", {"stage": "faces64", "patch": "faces64"}) in heard
    assert heard.index(Message("finished", {"what": "old"})) < heard.index(
        Message("opened", {"network": "faces64"})
    )


def test_a_take_has_the_moments_that_were_played(tmp_path: Path) -> None:
    run = write_run(tmp_path / "runs")
    config = StudioConfig(runs=tmp_path / "runs", network=str(run), out=tmp_path / "out", device="cpu")
    heard: list[Message] = []
    instrument = Instrument(config, Shelf(config), heard.append)
    instrument.play(read_patch({"network": instrument.patch.network, "kimg": "99"}))
    instrument.start_take()
    eventually(lambda: any(message.kind == "frame" for message in heard))
    (take,) = instrument.end_take()
    instrument.close()
    assert str(take.played().kimg) == "4"


def test_previews_shrink_when_drawing_is_slow_and_grow_when_it_is_quick() -> None:
    pace = Pace([1024, 512, 256, 128, 64, 32])
    assert pace.most == 256
    for _ in range(40):
        pace.took(0.2, is_whole=False)
    assert pace.most == 64
    for _ in range(200):
        pace.took(0.002, is_whole=False)
    assert pace.most == 1024
    pace.took(9.0, is_whole=True)
    assert pace.most == 1024


def test_the_thread_ends(config: StudioConfig) -> None:
    instrument = Instrument(config, Shelf(config), lambda message: None)
    instrument.close()
    assert not any(thread.name == "studio-instrument" for thread in threading.enumerate())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_stays_flat_over_a_scripted_session(studio: Studio) -> None:
    drawn = threading.Semaphore(0)

    def look(message: Message) -> None:
        if message.kind == "frame":
            drawn.release()

    instrument = studio.instrument
    instrument._publish = look
    instrument.seat(+1)
    taps = ["b8.conv1", "b16.conv0", "b16.conv1"]

    def play(number: int) -> None:
        name, values = BENDS[number % len(BENDS)]
        module = {"key": str(number), "name": name, "values": values, "tap": taps[number % 3]}
        place = {"seeds": [number, number + 1, number + 2], "x": number % 7 / 7}
        instrument.watch(tuple(taps[: number % 3]))
        instrument.play(
            read_patch({"network": studio.shelf.first, "place": place, "modules": [module] * (number % 2)})
        )
        assert drawn.acquire(timeout=300)
        instrument.shown(instrument._flow.sent)

    for number in range(40):
        play(number)
    before = _resident_mb()
    for number in range(40, 160):
        play(number)
    assert _resident_mb() - before < 48
    hooks = instrument.ask(lambda stage: sum(len(module._forward_hooks) for module in stage.G.modules()))
    assert hooks.result(timeout=300) == 0


def _resident_mb() -> float:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20
