"""Parameters over time: their values, their spelling, and what is refused."""

import math

import numpy as np
import pytest

from bend.automation import Automation, Constant, Heard, Keyframes, Oscillator, parse, split
from bend.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1.5", {0: 1.5, 9: 1.5}),
        ("0s:0,2s:1,4s:.5", {-1: 0, 0: 0, 1: 0.5, 2: 1, 3: 0.75, 4: 0.5, 99: 0.5}),
        ("0:0, 2:1", {1: 0.5}),
        ("(0s:0,2s:1)", {1: 0.5}),
        ("ease(0s:0,2s:1)", {0: 0, 0.5: 0.15625, 1: 0.5, 2: 1, 3: 1}),
        ("ease(1s:3)", {0: 3, 1: 3, 2: 3}),
        ("lfo(sine,0..360,4s)", {0: 0, 1: 180, 2: 360, 3: 180, 4: 0}),
        ("lfo(sine,0..1,4s,.5)", {0: 1, 2: 0}),
        ("lfo(triangle,-1..1,2s)", {0: -1, 0.5: 0, 1: 1, 1.5: 0}),
        ("lfo(saw,0..10,.5hz)", {0: 0, 1: 5, 1.9: 9.5, 2: 0}),
        ("lfo(square,1..0,2)", {0: 1, 0.9: 1, 1: 0, 1.9: 0, 2: 1}),
    ],
)
def test_values(text: str, values: dict[float, float]) -> None:
    automation = parse(text)
    for t, value in values.items():
        assert automation.at(t) == pytest.approx(value, abs=1e-9), t
        low, high = automation.bounds()
        assert low - 1e-9 <= automation.at(t) <= high + 1e-9


@pytest.mark.parametrize(
    "automation",
    [
        Constant(-0.25),
        Keyframes((0.0, 2.5), (1.0, -1.0)),
        Keyframes((0.0, 2.5), (1.0, -1.0), eased=True),
        Oscillator(shape="saw", low=-1.0, high=2.0, period=0.5, phase=0.25),
    ],
)
def test_spelling_is_read_back(automation: Constant | Keyframes | Oscillator) -> None:
    assert parse(str(automation)) == automation


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("99", "16"),
        ("-1", "0"),
        ("3.5", "3.5"),
        ("0s:-1,2s:8,4s:99", "0s:0,2s:8,4s:16"),
        ("ease(0s:99,2s:1)", "ease(0s:16,2s:1)"),
        ("lfo(sine,99..-1,4s,0.5)", "lfo(sine,16..0,4s,0.5)"),
        ("audio(bass,4..99,0.2s)", "audio(bass,4..16,0.2s)"),
    ],
)
def test_within_two_ends(text: str, held: str) -> None:
    assert parse(text).within(0, 16) == parse(held)


def test_every_digit_is_read_back() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        a, b, c, d = (float(x) for x in rng.normal(size=4) * 10.0 ** rng.integers(-9, 9, 4))
        made: list[Automation] = [
            Constant(a),
            Constant(float(rng.integers(2**31))),
            Keyframes((abs(c), abs(c) + abs(d)), (a, b)),
            Oscillator(shape="sine", low=a, high=b, period=abs(c), phase=d),
            Heard(feature="bass", low=a, high=b, smooth=float(rng.uniform(0, 60))),
        ]
        for automation in made:
            assert parse(str(automation)) == automation


def test_numbers_are_spelled_short() -> None:
    assert [str(Constant(x)) for x in (3.0, -0.5, 0.1, 2000000001.0)] == ["3", "-0.5", "0.1", "2000000001"]


def test_varies() -> None:
    assert parse("lfo(sine,0..1,4s)").varies and parse("0s:0,1s:1").varies
    assert not parse(2).varies and not parse("0s:1,1s:1").varies and not parse("lfo(sine,1..1,4s)").varies


def test_split_respects_brackets() -> None:
    assert split("a, lfo(sine,0..1,4s) ,b") == ["a", "lfo(sine,0..1,4s)", "b"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a number"),
        ("x", "'x' is not a number"),
        ("nan", "not finite"),
        (math.inf, "not finite"),
        ("-1e13", "beyond 1e\\+12"),
        ("lfo(sine,0..1e300,1s)", "beyond 1e\\+12"),
        ("2s:1,0s:0", "must rise"),
        ("2s:1,2s:0", "must rise"),
        ("0s:0,1", "SECONDS:VALUE"),
        ("()", "not a number"),
        ("lfo(sine,0..1)", "a shape, a range and a period"),
        ("lfo(bump,0..1,1s)", "choose from sine"),
        ("lfo(sine,0,1s)", "write it as 0..1"),
        ("lfo(sine,0..1,0s)", "seconds above 0"),
        ("lfo(sine,0..1,0hz)", "seconds above 0"),
        ("wobble(1)", "choose from lfo"),
    ],
)
def test_refusals(text: str | float, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        parse(text)
