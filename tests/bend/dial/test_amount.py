"""How far the dial is turned: numbers, layers, swaps, blends, and what is refused."""

import math
from dataclasses import replace

import pytest

from bend.dial.amount import parse_amount, parse_logistic
from bend.errors import SettingsError

LAYERS = ["mapping", "b4.const", "b4", "b4.conv1", "b8.conv0", "b8", "b16.torgb", "b16", "b32.conv1", "b32"]


def test_one_number_is_for_all() -> None:
    amount = parse_amount("0.7")
    assert not amount.varies
    assert {amount.at(0)(layer) for layer in LAYERS} == {0.7}


def test_a_number_over_time() -> None:
    amount = parse_amount("0s:0, 2s:1, 4s:.5")
    assert amount.varies
    assert [amount.at(t)("b8.conv0") for t in (0, 1, 2, 3, 9)] == [0, 0.5, 1, 0.75, 0.5]


def test_blocks_between_those_named_lie_between_by_depth() -> None:
    amounts = parse_amount("b4=0,b32=0.9").at(0)
    assert amounts("b4.conv1") == 0
    assert amounts("b8.conv0") == pytest.approx(0.3)
    assert amounts("b16.torgb") == pytest.approx(0.6)
    assert amounts("b32.conv1") == pytest.approx(0.9)
    assert amounts("mapping") == 0  # goes with the lowest block


def test_a_layer_alone() -> None:
    amounts = parse_amount("b8.conv0=1").at(0)
    assert [layer for layer in LAYERS if amounts(layer)] == ["b8.conv0"]
    assert parse_amount("mapping=1,b4=0").at(0)("mapping") == 1


def test_layers_may_vary_each_by_its_own_clock() -> None:
    amount = parse_amount("b4=0s:0,1s:1,b8=lfo(triangle,0..1,2s),b16=0.5")
    assert amount.varies
    assert [amount.at(1)(layer) for layer in ("b4", "b8", "b16")] == [1, 1, 0.5]
    assert parse_amount("b4=(0s:0,1s:1),b8=(lfo(triangle,0..1,2s)),b16=.5") == amount
    assert str(parse_amount(str(amount))) == str(amount)


def test_a_swap_is_hard_and_a_logistic_blend_is_not() -> None:
    swap = replace(parse_amount("1"), swap=16).at(0)
    assert [swap(layer) for layer in ("mapping", "b4", "b8.conv0", "b16", "b32.conv1")] == [0, 0, 0, 1, 1]
    half = replace(parse_amount("0.5"), swap=16).at(0)
    assert half("b32") == 0.5
    blend = replace(parse_amount("1"), logistic=parse_logistic("16:0.5")).at(0)
    assert blend("b16") == 0.5
    assert blend("b32") == pytest.approx(1 / (1 + math.exp(-2)))
    assert blend("b4") == pytest.approx(1 / (1 + math.exp(4)))
    assert parse_logistic("16") == (16, 0.5)
    sharp = replace(parse_amount("1"), logistic=parse_logistic("12:0.001")).at(0)
    assert [sharp(layer) for layer in ("b4", "b8", "b16")] == pytest.approx([0, 0, 1])


@pytest.mark.parametrize(
    ("text", "settings", "says"),
    [
        ("much", {}, "not a number"),
        ("b4=0,0.5,b8", {}, "not a keyframe|not a number"),
        ("0.5,b4=1", {}, "names no layer"),
        ("b4=nan", {}, "not finite"),
        ("1", {"swap": 12}, "--swap 12"),
        ("1", {"swap": 8, "logistic": (8, 1)}, "choose one"),
        ("b4=1", {"swap": 8}, "choose one"),
        ("1", {"logistic": (8, 0)}, "above 0"),
    ],
)
def test_what_is_no_amount(text: str, settings: dict[str, object], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        replace(parse_amount(text), **settings)
    with pytest.raises(SettingsError, match="not a logistic blend"):
        parse_logistic("wide")


def test_layers_that_are_not_there() -> None:
    parse_amount("b4=0,b8.conv0=1,mapping=0").check(LAYERS)
    with pytest.raises(
        SettingsError, match="b64 is not a layer of this network; it has mapping, b4, b8, b16, b32"
    ):
        parse_amount("b64=1").check(LAYERS)
    with pytest.raises(SettingsError, match="--swap 64"):
        replace(parse_amount("1"), swap=64).check(LAYERS)
