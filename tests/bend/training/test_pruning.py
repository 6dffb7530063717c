"""Which snapshots are removed: those that differ least, never the ends, the spared ones last."""

from bend.training.pruning import choose_removals

PLACE = {0.0: 0.0, 0.25: 0.1, 0.5: 1.0, 1.0: 1.1, 2.0: 1.2, 4.0: 5.0}
"""How far along a line each moment's pictures lie."""


def apart(a: float, b: float) -> float:
    return abs(PLACE[a] - PLACE[b])


def test_those_go_whose_neighbours_are_alike() -> None:
    moments = sorted(PLACE)
    assert choose_removals(moments, apart, 6) == []
    assert choose_removals(moments, apart, 5) == [1.0]  # 0.5 and 2 are 0.2 apart
    assert choose_removals(moments, apart, 3) == [1.0, 0.25, 0.5]
    assert choose_removals(moments, apart, 2) == [1.0, 0.25, 0.5, 2.0]


def test_age_does_not_count() -> None:
    turned = {-moment: place for moment, place in PLACE.items()}
    gone = choose_removals(sorted(turned), lambda a, b: abs(turned[a] - turned[b]), 3)
    assert sorted(-moment for moment in gone) == [0.25, 0.5, 1.0]


def test_spared_ones_go_last_and_vital_ones_never() -> None:
    moments = sorted(PLACE)
    assert choose_removals(moments, apart, 4, spared={1.0, 0.25}) == [0.5, 2.0]
    assert choose_removals(moments, apart, 3, spared={1.0, 0.25})[-1] in (0.25, 1.0)
    assert choose_removals(moments, apart, 3, vital={0.5, 1.0, 2.0}) == [0.25]
