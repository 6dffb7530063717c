"""A performance becomes keyframes, and its film shows what was played."""

import numpy as np
import pytest

from bend.automation import Constant, Keyframes, parse
from bend.studio.patch import Patch, read_patch
from bend.studio.take import Take, Track

FPS = 20


def _patch(trunc: str = "1", **module: object) -> Patch:
    modules = [{"key": "a", "name": "rotate", "values": ["0"], "tap": "b8.conv1", **module}] if module else []
    return read_patch({"trunc": trunc, "modules": modules})


def test_what_nobody_moved_stays_one_number() -> None:
    track = Track()
    for frame in range(50):
        track.add(frame / FPS, Constant(0.7))
    assert track.automation() == Constant(0.7)


def test_an_oscillator_stays_an_oscillator() -> None:
    track, swing = Track(), parse("lfo(sine,0..1,4s)")
    for frame in range(50):
        track.add(frame / FPS, swing)
    assert track.automation() is swing


def test_a_moved_fader_becomes_few_keyframes_that_follow_it() -> None:
    track = Track()
    moved = [0.0] * 20 + [i / 20 for i in range(20)] + [1.0] * 20
    for frame, value in enumerate(moved):
        track.add(frame / FPS, Constant(value))
    found = track.automation()
    assert isinstance(found, Keyframes)
    assert len(found.seconds) < 12
    for frame, value in enumerate(moved):
        assert found.at(frame / FPS) == pytest.approx(value, abs=0.02)
    assert parse(str(found)).at(1.5) == pytest.approx(found.at(1.5), abs=1e-4)


def test_what_sound_moves_in_every_frame_has_no_more_digits_than_are_heard() -> None:
    track, heard = Track(), np.append(np.random.default_rng(0).uniform(-89, 89, 1000), 89.9996)
    for frame, value in enumerate(heard.tolist()):
        track.add(frame / 40, Constant(value))
    found = track.automation()
    assert len(str(found)) < 18 * len(heard)
    error = [abs(found.at(frame / 40) - value) for frame, value in enumerate(heard)]
    assert max(error) < 180 * 1e-4
    assert found.bounds()[1] <= heard.max()


def test_a_seed_jumps() -> None:
    track = Track(is_stepped=True)
    for frame in range(40):
        track.add(frame / FPS, Constant(3.0 if frame < 20 else 9.0))
    found = track.automation()
    assert found.at(0.98) == 3
    assert found.at(1.0) == pytest.approx(9)


def test_a_bend_that_came_late_is_silent_before() -> None:
    take, w = Take(resolution=16), np.zeros(4, np.float32)
    for frame in range(60):
        patch = _patch() if frame < 20 or frame >= 40 else _patch(values=[str(frame)], mix="0.5")
        take.add(frame / FPS, patch, w)
    (spec,) = take.bends()
    assert spec.mix.at(0.5) == 0
    assert spec.mix.at(1.5) == pytest.approx(0.5)
    assert spec.mix.at(2.5) == 0
    assert spec.values[0].at(1.5) == pytest.approx(30, abs=0.5)


def test_a_bend_elsewhere_is_another_bend() -> None:
    take, w = Take(resolution=16), np.zeros(4, np.float32)
    for frame in range(40):
        take.add(frame / FPS, _patch(tap="b8.conv1" if frame < 20 else "b16.conv1"), w)
    assert [spec.tap for spec in take.bends()] == ["b8.conv1", "b16.conv1"]


def test_the_way_stands_still_while_the_point_does() -> None:
    take = Take(resolution=16)
    for frame in range(60):
        at = 0.0 if frame < 30 else 1.0
        take.add(frame / FPS, _patch(), np.full(4, at, np.float32))
    take.end(3.0)
    times, points = take.path()
    assert (np.diff(times) > 0).all()
    assert times[0] == 0
    assert times[-1] == pytest.approx(3.0)
    assert len(times) < 8
    assert np.interp(1.4, times, points[:, 0]) == 0
    assert np.interp(1.6, times, points[:, 0]) == 1


def test_the_dial_is_kept_whole_and_by_fader() -> None:
    take, w = Take(resolution=16), np.zeros(4, np.float32)
    for frame in range(40):
        amount = "0.5" if frame < 20 else "b4=0.5,b16=1"
        take.add(frame / FPS, read_patch({"dial": {"base": "faces64", "amount": amount}}), w)
    amount = take.played().dial.parsed()
    assert dict(amount.at(0.5).layers) == pytest.approx({"b4": 0.5, "b16": 0.5})
    assert dict(amount.at(1.5).layers) == pytest.approx({"b4": 0.5, "b16": 1.0})


def test_a_dial_that_is_turned_in_the_middle_stood_at_the_network_itself_before() -> None:
    take, w = Take(resolution=16), np.zeros(4, np.float32)
    for frame in range(60):
        is_turned = 20 <= frame < 40
        dial = {"base": "faces64", "amount": "0.5"} if is_turned else {}
        take.add(frame / FPS, read_patch({"dial": dial}), w)
    dial = take.played().dial
    assert dial.base == "faces64"
    assert [dial.parsed().at(at).overall for at in (0.5, 1.5, 2.5)] == pytest.approx([1, 0.5, 1])


@pytest.mark.parametrize(("last_kimg", "found"), [(4.0, [4.0, 1.0, 4.0]), (None, None)])
def test_the_timeline_stood_at_the_end_before_it_was_moved(
    last_kimg: float | None, found: list[float] | None
) -> None:
    take, w = Take(resolution=16, last_kimg=last_kimg), np.zeros(4, np.float32)
    for frame in range(60):
        take.add(frame / FPS, read_patch({"kimg": "1" if 20 <= frame < 40 else None}), w)
    kimg = take.played().kimg
    assert (None if kimg is None else [kimg.at(at) for at in (0.5, 1.5, 2.5)]) == found


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"network": "faces64"}, "network"),
        ({"weights": "raw"}, "set of weights"),
        ({"noise_mode": "random"}, "kind of noise"),
        ({"class_index": 1}, "class"),
        ({"dial": {"base": "c"}}, "base"),
        ({"dial": {}, "kimg": "1", "trunc": "0.5", "wander": {"on": True}}, None),
    ],
)
def test_a_film_has_one_of_what_cannot_move(change: dict[str, object], what: str | None) -> None:
    take, patch = Take(resolution=16), {"network": "a", "dial": {"base": "b"}}
    assert take.other(read_patch(patch)) is None
    take.add(0.0, read_patch(patch), np.zeros(4, np.float32))
    assert take.other(read_patch(patch | change)) == what
