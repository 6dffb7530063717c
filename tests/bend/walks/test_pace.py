"""The clock of a walk: keyframes at their times, and arc length against an obvious reference."""

from collections.abc import Callable

import numpy as np
import pytest

from bend.walks import even_clock, knots_at, times


def test_knots_lie_at_the_times_of_the_keyframes() -> None:
    when = np.array([2.0, 3.0, 7.0])
    np.testing.assert_allclose(knots_at(when, loop=False), [0, 0.2, 1])
    # The way back takes the mean of the others.
    np.testing.assert_allclose(knots_at(when, loop=True), np.array([0, 1, 5, 7.5]) / 7.5)


def on_a_line(place: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """Distances between the places of a point that moves along a line."""
    return lambda t: np.abs(np.diff(place(t)))


def test_even_speed_stays_as_it_is() -> None:
    for closed in (False, True):
        np.testing.assert_allclose(
            even_clock(on_a_line(lambda t: t), 13, closed), times(13, closed), atol=1e-8
        )
    np.testing.assert_array_equal(even_clock(on_a_line(np.zeros_like), 5, closed=True), times(5, closed=True))


@pytest.mark.parametrize("closed", [False, True])
def test_arc_length_against_the_exact_one(closed: bool) -> None:
    """A point that moves as t²: its inverse arc length is a square root."""
    clock = even_clock(on_a_line(np.square), 200, closed)
    np.testing.assert_allclose(clock, np.sqrt(times(200, closed)), atol=3e-3)
    assert np.diff(np.square(clock)).std() < 1e-3 * np.diff(np.square(clock)).mean()


def test_corners_cut_by_frames_are_made_up_for() -> None:
    """On a zigzag the way from frame to frame is shorter than the path; the frames' own steps come out even."""

    def place(t: np.ndarray) -> np.ndarray:
        return np.stack([t, 0.3 * np.abs((t * 3.7) % 2 - 1)])

    def measure(t: np.ndarray) -> np.ndarray:
        return np.linalg.norm(np.diff(place(t)), axis=0)

    taken = measure(even_clock(measure, 20, closed=False))
    assert taken.std() / taken.mean() < 0.05


def test_a_pause_takes_no_time() -> None:
    def place(t: np.ndarray) -> np.ndarray:
        return np.where(t < 0.25, t, np.where(t < 0.75, 0.25, t - 0.5))

    clock = even_clock(on_a_line(place), 11, closed=False)
    assert (np.diff(clock) > 0).all()
    np.testing.assert_allclose(np.diff(place(clock)), 0.05, atol=2e-3)
