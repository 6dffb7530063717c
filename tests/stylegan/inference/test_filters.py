"""A filter's taps as native layers take them."""

import pytest
import torch

from stylegan.inference.filters import taps_of
from stylegan.ops import setup_filter

CPU = torch.device("cpu")


def test_the_product_of_taps_is_the_filter() -> None:
    for given in ([1, 3, 3, 1], [1, 2, 4, 3]):
        f = setup_filter(given)
        taps = taps_of(f, CPU)
        assert taps is not None
        torch.testing.assert_close(torch.outer(taps[0], taps[1]), 4 * f.flip(0, 1))


def test_a_change_is_heard_however_it_was_made() -> None:
    f = setup_filter([1, 3, 3, 1])
    before = taps_of(f, CPU)
    f.data.mul_(2)
    after = taps_of(f, CPU)
    assert before is not None
    assert after is not None
    torch.testing.assert_close(after[0], 2 * before[0])


@pytest.mark.parametrize(
    "f", [setup_filter([1, 3, 1]), torch.zeros(4, 4), torch.eye(4), setup_filter([1, 3, 3, 1]).to("meta")]
)
def test_others_have_none(f: torch.Tensor) -> None:
    assert taps_of(f, CPU) is None
