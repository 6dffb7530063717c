"""The point that moves by itself."""

import pytest

from bend.studio.patch import Patch, Place, Wander
from bend.studio.wander import Walk, wandered

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


def test_a_change_of_speed_does_not_make_it_jump() -> None:
    slow, fast = (
        Patch(place=HERE, wander=Wander(on=True, path="circle", speed=speed)) for speed in (1.0, 9.0)
    )
    walk = Walk(HERE, 100.0)
    for tick in range(1, 21):
        there = walk.move(slow, 100.0 + tick / 10)
    assert there == wandered(HERE, slow.wander, 2.0)
    assert walk.move(fast, 102.0) == there
    assert walk.ahead(fast, 1.0) == wandered(HERE, slow.wander, 11.0)
    assert walk.move(Patch(place=HERE), 103.0) is HERE
