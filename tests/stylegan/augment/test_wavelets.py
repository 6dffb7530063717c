"""The wavelets' taps are as defined: orthonormal to their even shifts, with vanishing moments."""

import numpy as np
import pytest

from stylegan.augment.wavelets import SYM2, SYM6

WAVELETS = pytest.mark.parametrize(("taps", "moments"), [(SYM2, 2), (SYM6, 6)], ids=["sym2", "sym6"])


@WAVELETS
def test_is_orthonormal_to_its_even_shifts(taps: tuple[float, ...], moments: int) -> None:
    assert len(taps) == 2 * moments
    products = np.convolve(taps, taps[::-1])[1::2]  # at shifts …, -2, 0, 2, …
    expected = np.zeros(len(products))
    expected[len(products) // 2] = 1
    np.testing.assert_allclose(products, expected, atol=1e-11)


@WAVELETS
def test_high_pass_has_vanishing_moments(taps: tuple[float, ...], moments: int) -> None:
    assert sum(taps) == pytest.approx(np.sqrt(2), abs=1e-11)
    position = np.arange(len(taps)) - (len(taps) - 1) / 2
    for order in range(moments):
        assert np.sum(np.array(taps) * (-1.0) ** np.arange(len(taps)) * position**order) == pytest.approx(
            0, abs=1e-6
        )


def test_sym2_is_the_closed_form() -> None:
    root = np.sqrt(3)
    closed = np.array([1 - root, 3 - root, 3 + root, 1 + root]) / (4 * np.sqrt(2))
    np.testing.assert_allclose(SYM2, closed, atol=1e-15)
