"""What every walk promises, tried on the whole table."""

import itertools

import numpy as np
import pytest

from bend.config import PATHS, SPACES
from bend.walks import WALKS, Course, Walk, times
from bend.walks.course import Floats, segments

NAMES = sorted(WALKS)


def keyframes(walk: Walk, dim: int = 24, seed: int = 0) -> Floats:
    num = walk.usual if walk.takes(walk.usual) else walk.fewest
    return np.random.RandomState(seed).randn(num, dim)


def closed(walk: Walk) -> Course:
    return Course(loop=walk.closes(True))


def test_the_options_name_every_walk() -> None:
    assert sorted(PATHS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_row_is_sound(name: str) -> None:
    walk = WALKS[name]
    assert walk.space in SPACES
    assert walk.takes(walk.usual)
    assert walk.takes(walk.fewest)
    assert not walk.takes(walk.fewest - 1)
    assert walk.most is None or not walk.takes(walk.most + 1)


@pytest.mark.parametrize("name", NAMES)
def test_shape_and_dtype(name: str) -> None:
    walk = WALKS[name]
    points = walk.at(keyframes(walk), times(7, True), closed(walk))
    assert points.shape == (7, 24)
    assert points.dtype == np.float64
    assert np.isfinite(points).all()
    assert walk.at(keyframes(walk), np.zeros(0), closed(walk)).shape == (0, 24)


@pytest.mark.parametrize("name", NAMES)
def test_loop_closes_exactly(name: str) -> None:
    """The point at t = 1 is that at t = 0, and the step across the seam is like its neighbours."""
    walk = WALKS[name]
    ends = walk.at(keyframes(walk), np.array([0.0, 1.0]), closed(walk))
    np.testing.assert_allclose(ends[1], ends[0], rtol=0, atol=1e-12)
    film = walk.at(keyframes(walk), times(240, True), closed(walk))
    steps = np.linalg.norm(np.diff(np.concatenate([film, film[:1]]), axis=0), axis=1)
    assert 0 < steps[-1] < 2 * np.median(steps)


@pytest.mark.parametrize("name", [n for n in NAMES if WALKS[n].passes_keyframes])
@pytest.mark.parametrize("loop", [True, False])
@pytest.mark.parametrize("num", [2, 3, 7])
def test_passes_through_keyframes(name: str, loop: bool, num: int) -> None:
    keys = np.random.RandomState(1).randn(num, 24)
    at = np.arange(num) / (num if loop else num - 1)
    points = WALKS[name].at(keys, at, Course(loop=loop))
    np.testing.assert_allclose(points, keys, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", [n for n in NAMES if WALKS[n].passes_keyframes])
@pytest.mark.parametrize("loop", [True, False])
def test_passes_through_keyframes_at_their_knots(name: str, loop: bool) -> None:
    keys, knots = np.random.RandomState(1).randn(4 - loop, 24), np.array([0, 0.1, 0.7, 1])
    points = WALKS[name].at(keys, knots[: len(keys)], Course(loop=loop, knots=knots))
    np.testing.assert_allclose(points, keys, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", [n for n in NAMES if WALKS[n].keeps_norm])
def test_keeps_norm(name: str) -> None:
    walk = WALKS[name]
    for num in range(walk.fewest, walk.usual + 1):
        keys = np.random.RandomState(2).randn(num, 24)
        keys /= np.linalg.norm(keys, axis=1, keepdims=True)
        norms = np.linalg.norm(walk.at(keys, times(50, True), closed(walk)), axis=1)
        np.testing.assert_allclose(norms, norms[0], rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_deterministic_and_pure(name: str) -> None:
    walk = WALKS[name]
    keys = keyframes(walk)
    before = keys.copy()
    state = np.random.get_state()[1].copy()  # type: ignore[index]
    first = walk.at(keys, times(9, True), closed(walk))
    again = walk.at(keys, times(9, True), closed(walk))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(keys, before)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # type: ignore[index]


@pytest.mark.parametrize("name", NAMES)
def test_points_do_not_depend_on_the_batch(name: str) -> None:
    walk = WALKS[name]
    keys, clock = keyframes(walk), times(12, True)
    whole = walk.at(keys, clock, closed(walk))
    parts = [walk.at(keys, clock[part], closed(walk)) for part in (slice(0, 5), slice(5, 12))]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


@pytest.mark.parametrize("name", NAMES)
def test_continuous(name: str) -> None:
    walk = WALKS[name]
    points = walk.at(keyframes(walk), times(2000, True), closed(walk))
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    assert steps.max() < 0.05 * np.linalg.norm(points, axis=1).max()


def test_clock() -> None:
    np.testing.assert_array_equal(times(4, closed=True), [0, 0.25, 0.5, 0.75])
    np.testing.assert_array_equal(times(5, closed=False), [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_array_equal(times(1, closed=False), [0])


def test_every_keyframe_is_hit_whatever_the_frame_count() -> None:
    """k/K*K is not always k in floating point; the segment arithmetic must not land just before it."""
    for num, scale in itertools.product(range(1, 200, 7), (1, 3)):
        before, _, share = segments(num, np.arange(num * scale)[::scale] / (num * scale), Course(loop=True))
        np.testing.assert_array_equal(before, np.arange(num))
        np.testing.assert_array_equal(share, 0)
