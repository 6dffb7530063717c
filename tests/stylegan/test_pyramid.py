"""Channels by resolution, and the resolutions that run in half precision."""

import pytest

from stylegan.precision import is_half_block
from stylegan.pyramid import channel_counts


def test_channels_halve_with_each_resolution_below_the_most() -> None:
    assert channel_counts(32, 256, 24) == {4: 24, 8: 24, 16: 16, 32: 8}


def test_refuses_what_leaves_a_block_nothing() -> None:
    with pytest.raises(ValueError, match="channel_base 31 leaves no channels at 32 pixels"):
        channel_counts(32, 31, 512)
    with pytest.raises(ValueError, match="power of two from 8 on, not 4"):
        channel_counts(4, 256, 512, least_resolution=8)


@pytest.mark.parametrize(("num", "halves"), [(0, []), (1, [32]), (2, [16, 32]), (9, [8, 16, 32])])
def test_the_highest_resolutions_run_in_half_precision(num: int, halves: list[int]) -> None:
    assert [res for res in (4, 8, 16, 32) if is_half_block(res, 32, num)] == halves
