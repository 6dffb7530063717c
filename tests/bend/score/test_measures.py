"""The three measures and their error bars, against loops that spell the definitions out."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from bend.score.measures import diversity, kernel_distance, paired_distance


def vectors(num: int, seed: int, shift: float = 0.0, width: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn([num, width], generator=generator, dtype=torch.float64) + shift


def distance(a: Tensor, b: Tensor) -> float:
    return math.sqrt(sum((float(p) - float(q)) ** 2 for p, q in zip(a, b, strict=True)))


def kernel(a: Tensor, b: Tensor) -> float:
    return (sum(float(p) * float(q) for p, q in zip(a, b, strict=True)) / len(a) + 1) ** 3


def slow_kernel_distance(x: Tensor, y: Tensor) -> float:
    within = [
        sum(kernel(a, b) for a, b in itertools.permutations(rows, 2)) / (len(rows) * (len(rows) - 1))
        for rows in (x, y)
    ]
    between = sum(kernel(a, b) for a in x for b in y) / (len(x) * len(y))
    return sum(within) - 2 * between


def slow_jackknife(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return math.sqrt((len(values) - 1) / len(values) * sum((value - mean) ** 2 for value in values))


def without(rows: Tensor, index: int) -> Tensor:
    return torch.cat([rows[:index], rows[index + 1 :]])


def test_paired_distance_is_the_mean_of_pairs_with_its_standard_error() -> None:
    a, b = vectors(7, 0), vectors(7, 1)
    pairs = [distance(p, q) for p, q in zip(a, b, strict=True)]
    mean = sum(pairs) / 7
    error = math.sqrt(sum((pair - mean) ** 2 for pair in pairs) / 6 / 7)
    measured = paired_distance(a, b)
    assert measured.value == pytest.approx(mean)
    assert measured.error == pytest.approx(error)


def test_diversity_is_the_mean_over_all_pairs_with_the_jackknife() -> None:
    def slow(rows: Tensor) -> float:
        pairs = list(itertools.combinations(rows, 2))
        return sum(distance(p, q) for p, q in pairs) / len(pairs)

    a = vectors(6, 2)
    measured = diversity(a)
    assert measured.value == pytest.approx(slow(a))
    assert measured.error == pytest.approx(slow_jackknife([slow(without(a, i)) for i in range(6)]))


def test_kernel_distance_is_the_unbiased_estimate_with_the_jackknife_of_both_sides() -> None:
    x, y = vectors(5, 3), vectors(7, 4, shift=0.5)
    measured = kernel_distance(x, y)
    assert measured.value == pytest.approx(slow_kernel_distance(x, y))
    from_x = slow_jackknife([slow_kernel_distance(without(x, i), y) for i in range(5)])
    from_y = slow_jackknife([slow_kernel_distance(x, without(y, i)) for i in range(7)])
    assert measured.error == pytest.approx(math.hypot(from_x, from_y))


def test_error_bars_mean_what_they_say() -> None:
    """Over many draws, the spread of each estimate is its error bar, within a quarter."""
    draws = range(200)
    for measure in (
        lambda i: kernel_distance(vectors(24, 2 * i), vectors(24, 2 * i + 1, shift=0.4)),
        lambda i: diversity(vectors(24, i)),
        lambda i: paired_distance(vectors(24, 2 * i), vectors(24, 2 * i + 1)),
    ):
        measured = [measure(i) for i in draws]
        spread = float(torch.tensor([one.value for one in measured]).std())
        claimed = math.sqrt(sum(one.error**2 for one in measured) / len(measured))
        assert claimed == pytest.approx(spread, rel=0.25)


def test_kernel_distance_of_the_same_world_is_nought_and_of_another_is_not() -> None:
    same = kernel_distance(vectors(60, 5), vectors(80, 6))
    other = kernel_distance(vectors(60, 5), vectors(80, 6, shift=1.0))
    assert abs(same.value) < 3 * same.error
    assert other.value > 5 * other.error
