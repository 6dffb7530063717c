"""The suggested moments on curves whose answer is known."""

import math
from dataclasses import replace

import pytest

from bend.score.moments import Curve, collapse, crossing, find_moments, knee, last, log_places, richest

KIMG = [0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0]


def curve(**values: object) -> Curve:
    flat = {"kimg": KIMG, "d0": [0.0] * 8, "d1": [1.0] * 8, "diversity": [1.0] * 8, "away": 1.0}
    return Curve(**{**flat, **values})


def test_home_lies_as_far_before_the_first_snapshot_as_that_before_the_second() -> None:
    assert log_places(KIMG) == [-3, -2, -1, 0, 1, 2, 3, 4]
    assert log_places([0.0, 4.0, 4.5]) == pytest.approx([2 - math.log2(4.5 / 4), 2, math.log2(4.5)])
    assert log_places([0.0, 4.0]) == [1, 2]
    assert log_places([0.0]) == [0]
    assert log_places([0.0, 4.0, 4.5], least_step=0.5)[0] == 1.5


def test_a_broken_line_has_its_knee_at_the_break() -> None:
    bent = curve(d0=[0.0, 0.3, 0.6, 0.9, 0.92, 0.94, 0.96, 0.98])
    assert knee(bent) == 3


def test_a_sigmoid_has_its_knee_where_it_flattens() -> None:
    logs = [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0]
    bent = curve(d0=[1 / (1 + math.exp(-2 * log)) for log in logs])
    assert knee(bent) in (4, 5)


@pytest.mark.parametrize(
    "d0",
    [
        [0.0] * 8,
        [i / 7 for i in range(8)],
        [(i / 7) ** 2 for i in range(8)],
    ],
    ids=["nothing moves", "straight", "still rising"],
)
def test_no_knee_where_nothing_flattens(d0: list[float]) -> None:
    assert knee(curve(d0=d0)) is None


def test_a_knee_wants_a_point_behind_it() -> None:
    bent = curve(d0=[0.0, 0.3, 0.6, 0.9, 0.92, 0.94, 0.96, 0.98])
    until_break = replace(bent, kimg=KIMG[:4], d0=bent.d0[:4])
    assert knee(until_break) is None
    assert knee(replace(bent, kimg=KIMG[:2], d0=bent.d0[:2])) is None


def test_the_crossing_is_the_first_snapshot_at_or_beyond_it() -> None:
    d0, d1 = [0.0, 0.1, 0.3, 0.6, 0.9, 1.0, 1.0, 1.0], [2.0, 1.8, 1.4, 1.0, 0.4, 0.2, 0.0, -0.1]
    assert crossing(curve(d0=d0, d1=d1)) == 3  # 0.6 of the way, 0.5 left
    assert crossing(curve(d0=d0, d1=d1, away=2.0)) == 4  # 0.45 of the way, 0.2 left
    assert crossing(curve(d0=[0.0] * 8, d1=[1.0] * 8)) is None


def test_the_crossing_does_not_move_as_the_run_goes_on() -> None:
    d0, d1 = [0.0, 0.1, 0.3, 0.6, 0.9, 1.0, 1.0, 1.0], [2.0, 1.8, 1.4, 1.0, 0.4, 0.2, 0.0, -0.1]
    whole = curve(d0=d0, d1=d1)
    for num in range(1, 9):
        begun = replace(whole, kimg=KIMG[:num], d0=d0[:num], d1=d1[:num], diversity=whole.diversity[:num])
        assert crossing(begun) == (3 if num > 3 else None)


def test_the_richest_is_the_greatest_product() -> None:
    assert richest(curve(d0=[0, 1, 2, 3, 4, 5, 6, 7], diversity=[9, 9, 9, 9, 5, 3, 2, 1])) == 3
    assert richest(curve()) is None


def test_a_collapse_is_a_third_of_the_bases_diversity() -> None:
    fading = curve(diversity=[3.0, 2.9, 2.0, 1.01, 0.99, 0.5, 2.0, 2.0])
    assert collapse(fading) == 4
    assert last(fading) == 3
    assert collapse(curve()) is None
    assert last(curve()) is None
    assert collapse(curve(diversity=[1.0, float("nan"), *[1.0] * 6])) == 1


def test_every_moment_by_name() -> None:
    found = find_moments(curve(diversity=[1.0] * 7 + [0.1]))
    assert found == {"knee": None, "crossing": None, "richest": None, "last": 6}
