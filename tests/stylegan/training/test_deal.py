"""Who computes which samples, in which order, and what each of them draws."""

import numpy as np
import pytest
import torch

from stylegan.discriminator import Discriminator, minibatch_std
from stylegan.errors import TrainingError
from stylegan.training.deal import deal, group_size, parts, sample_draws, whole_groups


def judge(group: int | None, channels: int = 1) -> Discriminator:
    """A discriminator that compares that many pictures."""
    return Discriminator(
        0,
        8,
        3,
        channel_base=64,
        epilogue_kwargs={"mbstd_group_size": group, "mbstd_num_channels": channels},
    )


def groups(D: Discriminator, batch: int, size: int, micro_batch: int) -> set[frozenset[int]]:
    """Which samples of a batch `D` in fact compares with one another."""
    found = set()
    for rank in range(size):
        for numbers in parts(D, deal(D, batch, rank, size), micro_batch):
            for victim in range(len(numbers)):
                x = torch.zeros([len(numbers), 1, 1, 1])
                x[victim] = 1
                felt = minibatch_std(x, D.b4.mbstd_group_size)[:, 1, 0, 0] > 1e-3
                found.add(frozenset(numbers[felt.numpy()].tolist()))
    return found


@pytest.mark.parametrize("batch", [8, 16, 24])
def test_groups_are_the_same_however_a_batch_is_cut_and_dealt(batch: int) -> None:
    D = judge(4)
    expected = {frozenset(range(start, start + 4)) for start in range(0, batch, 4)}
    for size in (1, 2):
        for micro_batch in (4, 8, 16, 24):
            assert groups(D, batch, size, micro_batch) == expected


def test_an_odd_batch_keeps_its_makeshift_groups() -> None:
    D = judge(4)
    assert group_size(D, 10) == 2  # four do not divide ten
    expected = {frozenset((start, start + 1)) for start in range(0, 10, 2)}
    for size in (1, 2):
        for micro_batch in (2, 4, 10):
            assert groups(D, 10, size, micro_batch) == expected


@pytest.mark.parametrize("group", [1, 3, 4, None])
@pytest.mark.parametrize(("batch", "size"), [(24, 1), (24, 2), (24, 3), (12, 1), (7, 1)])
def test_every_sample_is_dealt_once(group: int | None, batch: int, size: int) -> None:
    D = judge(group)
    if group is None and size > 1:
        with pytest.raises(TrainingError, match=f"--batch {batch * size} or more"):
            deal(D, batch, 0, size)
        return
    dealt = [parts(D, deal(D, batch, rank, size), 4) for rank in range(size)]
    assert sorted(np.concatenate([numbers for own in dealt for numbers in own])) == list(range(batch))
    for own in dealt:
        assert any((numbers % 2 == 0).any() for numbers in own)  # the path length has something to do


def test_too_small_a_batch_is_refused_in_one_line() -> None:
    with pytest.raises(
        TrainingError, match=r"--batch 4: too few for 2 processes.* give --batch 8"
    ) as refusal:
        deal(judge(4), 4, 0, 2)
    assert "\n" not in str(refusal.value)


def test_no_process_is_left_without_a_sample_for_the_path_length() -> None:
    D = judge(1)
    with pytest.raises(TrainingError, match=r"--batch 6: too few for 4 processes.* give --batch 8"):
        deal(D, 6, 0, 4)
    assert [(share.start, share.stop) for share in (deal(D, 7, rank, 4) for rank in range(4))] == [
        *((0, 2), (2, 4), (4, 6), (6, 7))
    ]


def test_micro_batches_hold_whole_groups_or_even_parts_of_one() -> None:
    D = judge(4)
    assert [whole_groups(D, 16, wanted) for wanted in (1, 2, 3, 4, 5, 7, 8, 11, 16, 99)] == [
        *(1, 2, 2, 4, 4, 4, 8, 8, 16, 16)
    ]
    assert whole_groups(judge(4, channels=0), 16, 5) == 5


def test_a_sample_draws_by_its_number_alone() -> None:
    cpu, device = torch.device("cpu"), torch.device("cpu")
    together = sample_draws((1, 2, 3), np.arange(6), device)
    alone = sample_draws((1, 2, 3), np.array([4]), cpu)
    for many, one in zip(together, alone, strict=True):
        assert torch.equal(many.normal([6, 5, 7])[4:5], one.normal([1, 5, 7]))
        assert torch.equal(many.uniform([6, 3])[4:5], one.uniform([1, 3]))


def test_draws_differ_by_every_part_of_their_key() -> None:
    keys = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    drawn = set()
    for key in keys:
        for draws in sample_draws(key, np.arange(2), torch.device("cpu")):
            drawn |= {tuple(row) for row in draws.normal([2, 3]).tolist()}
    assert len(drawn) == len(keys) * 2 * 2
