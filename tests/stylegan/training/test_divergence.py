"""When a training counts as diverged."""

from collections.abc import Callable

import pytest

from stylegan.training.divergence import MAX_BAD_ROUNDS, ROUND_STEPS, DivergenceWatch


def steps_until_diverged(is_bad: Callable[[int], bool], limit: int = 2000) -> int | None:
    """The step at which the watch speaks, None if it stays silent."""
    watch = DivergenceWatch()
    return next((step for step in range(1, limit) if watch.note(step, is_bad(step))), None)


def test_sound_steps_never_stop_a_training() -> None:
    assert steps_until_diverged(lambda step: False) is None


@pytest.mark.parametrize("interval", [1, 4, ROUND_STEPS])
def test_a_phase_that_always_fails_does(interval: int) -> None:
    assert steps_until_diverged(lambda step: step % interval == 0) == MAX_BAD_ROUNDS * ROUND_STEPS


def test_stumbling_now_and_then_does_not() -> None:
    assert steps_until_diverged(lambda step: step % (MAX_BAD_ROUNDS * ROUND_STEPS) > ROUND_STEPS) is None


def test_a_late_divergence_is_seen_as_soon() -> None:
    stopped = steps_until_diverged(lambda step: step > 500)
    assert stopped is not None
    assert stopped - 500 <= (MAX_BAD_ROUNDS + 1) * ROUND_STEPS
