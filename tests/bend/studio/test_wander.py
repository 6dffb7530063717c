"""The point that moves by itself."""

import pytest

from bend.studio.patch import Place, Wander
from bend.studio.wander import wandered

HERE = Place(seeds=(4, 5, 6), x=0.3, y=0.6)


def test_it_stands_still_unless_told() -> None:
    assert wandered(HERE, Wander(on=False), 12.3) is HERE


@pytest.mark.parametrize("path", ["drift", "circle"])
def test_it_sets_out_where_it_stands_and_stays_within_reach(path: str) -> None:
    wander = Wander(on=True, path=path, reach=0.5)
    start = wandered(HERE, wander, 0.0)
    assert (start.x, start.y) == pytest.approx((0.3, 0.6))
    for t in range(200):
        there = wandered(HERE, wander, t / 3)
        assert abs(there.x - 0.3) <= 1.0 + 1e-9
        assert abs(there.y - 0.6) <= 0.5 + 1e-9


def test_a_circle_closes() -> None:
    there = wandered(HERE, Wander(on=True, path="circle"), 10.0)
    assert (there.x, there.y) == pytest.approx((0.3, 0.6))


def test_a_journey_passes_seed_after_seed() -> None:
    wander = Wander(on=True, path="journey")
    first, second = wandered(HERE, wander, 0.0), wandered(HERE, wander, 15.0)
    assert (first.x, first.share) == (0.3, 0.0)
    assert first.to is not None
    assert first.to.seeds[0] == 5
    assert second.seeds[0] == 5
    assert second.to is not None
    assert second.to.seeds[0] == 6
    assert second.share == pytest.approx(0.5)
