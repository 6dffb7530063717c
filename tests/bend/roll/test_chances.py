"""Throws and children: always legal, only of places that exist, the same from the same seed."""

import numpy as np
import pytest

from bend.bends.grammar import parse_bend
from bend.bends.player import open_bends
from bend.errors import SettingsError
from bend.roll.chances import Chance, breed, draw
from stylegan.taps import taps
from tests.bend.tiny import tiny_generator

PLACES = list(taps(tiny_generator()).values())


def throws(num: int, seed: int = 0) -> list[Chance]:
    return [draw(np.random.default_rng([seed, number]), PLACES) for number in range(num)]


def test_throws_are_written_and_read_as_the_same() -> None:
    found = throws(200)
    for chance in found:
        assert 1 <= len(chance.bends) <= 3
        for bend in chance.bends:
            assert parse_bend(str(bend)) == bend
    assert len({bend.name for chance in found for bend in chance.bends}) > 25
    assert len({bend.tap for chance in found for bend in chance.bends}) > 8


def test_most_throws_suit_the_network() -> None:
    G, opened = tiny_generator(), 0
    for chance in throws(60):
        try:
            open_bends([str(bend) for bend in chance.bends], G)
        except SettingsError:
            continue
        opened += 1
    assert opened > 50


def test_the_dice_decide_everything() -> None:
    assert throws(20) == throws(20)
    assert throws(20) != throws(20, seed=1)


def test_children_take_after_their_parents() -> None:
    a, b = throws(2)
    names = {bend.name for bend in (*a.bends, *b.bends)}
    children = [breed(np.random.default_rng(seed), a, b, PLACES) for seed in range(100)]
    inherited = [bend.name in names for child in children for bend in child.bends]
    assert sum(inherited) / len(inherited) > 0.8
    assert all(1 <= len(child.bends) <= 4 for child in children)
    assert any(str(bend) in map(str, (*a.bends, *b.bends)) for child in children for bend in child.bends)
    assert len(set(children)) > 50
    low, high = sorted((a.trunc, b.trunc))
    assert all(low - 0.3 < child.trunc < high + 0.3 for child in children)


@pytest.mark.parametrize("seed", range(20))
def test_mutants_stay_legal(seed: int) -> None:
    parent = Chance(bends=(parse_bend("blur:64@b8.conv1"), parse_bend("zero:1,5@b8.conv1")))
    child = breed(np.random.default_rng(seed), parent, parent, PLACES)
    for bend in child.bends:
        assert parse_bend(str(bend)) == bend
