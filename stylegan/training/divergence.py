"""Detects that a training has diverged.

Now and then a gradient is not finite, in half precision above all; that is mended and forgotten. Where it happens in
round after round, the training will not recover. A round has as many steps as it takes for every phase to be computed,
so that a penalty that always fails counts as much as a loss that fails at every step.
"""

from stylegan.training.step import D_REG_INTERVAL

__all__ = ["DivergenceWatch"]

ROUND_STEPS = D_REG_INTERVAL
MAX_BAD_ROUNDS = 6


class DivergenceWatch:
    """Counts consecutive rounds of steps with gradients that were not finite."""

    def __init__(self) -> None:
        self._is_bad_round = False
        self._num_bad_rounds = 0

    def note(self, step: int, is_bad: bool) -> bool:
        """Count a step.

        Args:
            step: steps taken so far, this one included.
            is_bad: some of its gradients were not finite.

        Returns:
            Whether the training has diverged.
        """
        self._is_bad_round |= is_bad
        if step % ROUND_STEPS == 0:
            self._num_bad_rounds = self._num_bad_rounds + 1 if self._is_bad_round else 0
            self._is_bad_round = False
        return self._num_bad_rounds >= MAX_BAD_ROUNDS
