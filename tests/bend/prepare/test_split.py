"""Sides of a split drawn by content: stable, near-duplicates together, and about as many as asked for."""

from bend.prepare.config import Split
from bend.prepare.split import Splitter

HALF = (Split(name="test", share=0.5),)
FAR = 0xFFFF_0000_FFFF_0000


def _sides(splitter: Splitter, count: int) -> list[int]:
    return [splitter.side(f"bytes {i}") for i in range(count)]


def test_without_splits_all_is_on_the_main_side() -> None:
    assert set(_sides(Splitter((), 0), 50)) == {0}


def test_shares_are_met_in_the_mean() -> None:
    splits = (Split(name="test", share=0.1), Split(name="val", share=0.3))
    sides = _sides(Splitter(splits, 0), 4000)
    assert [round(sides.count(side) / 4000, 1) for side in range(3)] == [0.6, 0.1, 0.3]


def test_sides_depend_on_key_and_seed_alone() -> None:
    one, two, other = Splitter(HALF, 1), Splitter(HALF, 1), Splitter(HALF, 2)
    forward = _sides(one, 60)
    assert [two.side(f"bytes {i}") for i in reversed(range(60))] == forward[::-1]
    assert _sides(other, 60) != forward


def test_what_looks_the_same_follows_the_first() -> None:
    splitter = Splitter(HALF, 0)
    keys = {splitter.side(f"bytes {i}"): f"bytes {i}" for i in range(20)}
    for side, key in keys.items():
        looks = 0 if side else FAR
        splitter.remember(looks, splitter.side(key, [looks]))
    assert [splitter.side(f"like {i}", [0b101]) for i in range(20)] == [1] * 20
    assert [splitter.side(f"film {i}", [0x0F0F_0F0F, FAR ^ 1]) for i in range(20)] == [0] * 20


def test_one_between_two_sides_is_torn() -> None:
    splitter = Splitter(HALF, 0)
    splitter.remember(0b000000, 0)
    splitter.remember(0b111111, 1)
    side = splitter.side("between", [0b000111])
    assert splitter.is_torn(0b000111, side)
    assert not splitter.is_torn(0b000001, 0)
    assert splitter.is_torn(0b000001, 1)
    assert not splitter.is_torn(FAR, 0)
    assert not splitter.is_torn(None, 0)


def test_a_parent_s_side_stays_once_decided() -> None:
    splitter = Splitter(HALF, 0)
    side = splitter.side("parent p.jpg")
    splitter.remember(0, 1 - side)
    assert splitter.side("parent p.jpg", [0]) == side
