"""A parameter over time, as a mixing desk automates a fader: a number, keyframes, an oscillator, or what is heard.

    1.5                              a constant
    0s:0, 2s:1, 5s:.5                keyframes joined by straight lines; constant before the first and after the last
    ease(0s:0, 2s:1, 5s:.5)          the same, slowing down at every keyframe
    lfo(sine, 0..360, 4s)            from 0 to 360 and back every 4 seconds
    lfo(square, 0..1, 2hz, 0.25)     twice a second, beginning a quarter of a period in
    audio(bass, 0..1)                the energy of the film's track between 20 and 150 Hz; also mid and treble
    audio(200-800hz, 0..1)           the energy of any band
    audio(loudness, 1..0, 0.2s)      the energy of the whole spectrum, averaged over 0.2 seconds (0.05 if left out)
    audio(onset, 0..30, 0.3s)        strikes, each fading to a third in 0.3 seconds
    (0s:0, 2s:1)                     any of them in brackets, where commas also separate other things

Every option that may vary over time (a bend's parameter, the dial, truncation, a direction) takes one of these, spelled
the same on a command line and in a recipe. A new function is a row of `FUNCTIONS`.
"""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeAlias

import numpy as np

from bend import sound
from bend.errors import SettingsError
from bend.number import fault_of, spelled

__all__ = [
    "FUNCTIONS",
    "Automation",
    "Constant",
    "Heard",
    "Keyframes",
    "Oscillator",
    "parse",
    "parse_range",
    "split",
]


class Automation(ABC):
    """A number for every moment of a film; `str()` of it is read back by `parse` as the same."""

    @property
    @abstractmethod
    def varies(self) -> bool:
        """Whether it changes over time."""

    @abstractmethod
    def at(self, t: float) -> float:
        """The value at `t` seconds from the film's start."""

    @abstractmethod
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest value that it can take."""

    @abstractmethod
    def within(self, low: float, high: float) -> "Automation":
        """The same automation, with each of its own values limited to `low` to `high`."""


@dataclass(frozen=True, slots=True)
class Constant(Automation):
    """The same number always."""

    value: float

    @property
    def varies(self) -> bool:
        return False

    def at(self, t: float) -> float:
        return self.value

    def bounds(self) -> tuple[float, float]:
        return self.value, self.value

    def within(self, low: float, high: float) -> "Constant":
        return Constant(_held(self.value, low, high))

    def __str__(self) -> str:
        return spelled(self.value)


@dataclass(frozen=True, slots=True)
class Keyframes(Automation):
    """Values at given seconds, joined by straight lines, or by eased curves (`3u² - 2u³`)."""

    seconds: tuple[float, ...]
    values: tuple[float, ...]
    eased: bool = False

    def __post_init__(self) -> None:
        if any(after <= before for before, after in zip(self.seconds, self.seconds[1:], strict=False)):
            raise SettingsError(f"keyframes {self}: their times must rise; put the earliest first")

    @property
    def varies(self) -> bool:
        return len(set(self.values)) > 1

    def at(self, t: float) -> float:
        if not self.eased:
            return float(np.interp(t, self.seconds, self.values))
        position = float(np.interp(t, self.seconds, range(len(self.seconds))))
        before = min(int(position), len(self.values) - 2) if len(self.values) > 1 else 0
        u = position - before
        after = min(before + 1, len(self.values) - 1)
        return self.values[before] + (self.values[after] - self.values[before]) * u * u * (3 - 2 * u)

    def bounds(self) -> tuple[float, float]:
        return min(self.values), max(self.values)

    def within(self, low: float, high: float) -> "Keyframes":
        return replace(self, values=tuple(_held(value, low, high) for value in self.values))

    def __str__(self) -> str:
        frames = ",".join(
            f"{spelled(t)}s:{spelled(value)}" for t, value in zip(self.seconds, self.values, strict=True)
        )
        return f"ease({frames})" if self.eased else frames


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ranging(Automation):
    """A number that goes from `low` to `high`, which may be the lesser one."""

    low: float
    high: float

    @property
    def varies(self) -> bool:
        return self.low != self.high

    def bounds(self) -> tuple[float, float]:
        return min(self.low, self.high), max(self.low, self.high)

    def within(self, low: float, high: float) -> Self:
        return replace(self, low=_held(self.low, low, high), high=_held(self.high, low, high))

    def _between(self, share: float) -> float:
        """The value at a share of the way from `low` to `high`."""
        return self.low + (self.high - self.low) * share


_SHAPES: dict[str, Callable[[float], float]] = {
    "sine": lambda u: (1 - math.cos(2 * math.pi * u)) / 2,
    "triangle": lambda u: 1 - abs(2 * u - 1),
    "saw": lambda u: u,
    "square": lambda u: float(u >= 0.5),
}
"""Waves over one period: u in [0, 1) to [0, 1], each beginning at 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Oscillator(_Ranging):
    """A wave between two values."""

    shape: str
    period: float
    """Seconds."""
    phase: float = 0.0
    """The share of a period that has passed when the film starts."""

    def __post_init__(self) -> None:
        if self.shape not in _SHAPES:
            raise SettingsError(f"lfo: shape {self.shape!r} is unknown; choose from {', '.join(_SHAPES)}")
        if self.period <= 0:
            raise SettingsError(f"lfo: a period of {self.period:g} s is too short; give seconds above 0")

    def at(self, t: float) -> float:
        return self._between(_SHAPES[self.shape]((t / self.period + self.phase) % 1.0))

    def __str__(self) -> str:
        phase = f",{spelled(self.phase)}" if self.phase else ""
        return f"lfo({self.shape},{_range(self.low, self.high)},{spelled(self.period)}s{phase})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard(_Ranging):
    """A parameter that follows the film's track; it has a value only inside `bend.sound.hearing`."""

    feature: str
    smooth: float = 0.05
    """Seconds to average over; for onsets, the time in which a strike fades to a third."""

    def __post_init__(self) -> None:
        sound.check_feature(self.feature)
        if not 0 <= self.smooth <= 60:
            raise SettingsError(f"audio: {self.smooth:g} s is out of range; smooth over 0 to 60 s")

    def at(self, t: float) -> float:
        """The value at `t` seconds.

        Raises:
            SettingsError: no track is playing.
        """
        track = sound.heard_track()
        if track is None:
            raise SettingsError(
                f"{self}: there is nothing to hear; only a film with --audio FILE has a track"
            )
        return self._between(sound.level(track, self.feature, self.smooth, t))

    def __str__(self) -> str:
        return f"audio({self.feature},{_range(self.low, self.high)},{spelled(self.smooth)}s)"


Maker: TypeAlias = Callable[[Sequence[str]], Automation]

_CALL = re.compile(r"([a-z]\w*)\((.*)\)", re.DOTALL)
_SECONDS = re.compile(r"(.+?)(s|hz)", re.IGNORECASE)


def parse(text: str | float) -> Automation:
    """Read a parameter over time, in the grammar of this module.

    Raises:
        SettingsError: it cannot be read; says which part is wrong, and what to write.
    """
    if isinstance(text, int | float):
        return Constant(_finite(text, str(text)))
    text = text.strip()
    if text.startswith("(") and text.endswith(")"):
        return parse(text[1:-1])
    if call := _CALL.fullmatch(text):
        name, arguments = call.groups()
        if name not in FUNCTIONS:
            raise SettingsError(f"{text}: function {name!r} is unknown; choose from {', '.join(FUNCTIONS)}")
        return FUNCTIONS[name](split(arguments))
    if ":" in text:
        return _keyframes(split(text))
    return Constant(_number(text))


def split(text: str) -> list[str]:
    """Cut at the commas outside of brackets, and strip the parts."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def parse_range(text: str) -> tuple[float, float]:
    """Read `LOW..HIGH`; HIGH may be the lesser one.

    Raises:
        SettingsError: it is not a range.
    """
    low, dots, high = text.partition("..")
    if not dots:
        raise SettingsError(f"{text!r} is not a range; write it as 0..1")
    return _number(low), _number(high)


def _held(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _range(low: float, high: float) -> str:
    return f"{spelled(low)}..{spelled(high)}"


def _keyframes(parts: Sequence[str], eased: bool = False) -> Keyframes:
    seconds, values = [], []
    for part in parts:
        when, colon, value = part.partition(":")
        if not colon:
            raise SettingsError(f"{part!r} is not a keyframe; write SECONDS:VALUE, such as 2s:1")
        seconds.append(_number(when.strip().removesuffix("s")))
        values.append(_number(value))
    return Keyframes(tuple(seconds), tuple(values), eased)


def _oscillator(arguments: Sequence[str]) -> Oscillator:
    if len(arguments) not in (3, 4):
        raise SettingsError(
            f"lfo({','.join(arguments)}): takes a shape, a range and a period, such as lfo(sine,0..360,4s)"
        )
    low, high = parse_range(arguments[1])
    period = _SECONDS.fullmatch(arguments[2])
    length = _number(period[1] if period else arguments[2])
    if period and period[2].lower() == "hz":
        length = 1 / length if length else 0.0
    phase = _number(arguments[3]) if len(arguments) == 4 else 0.0
    return Oscillator(shape=arguments[0], low=low, high=high, period=length, phase=phase)


def _heard(arguments: Sequence[str]) -> Heard:
    if len(arguments) not in (2, 3):
        raise SettingsError(
            f"audio({','.join(arguments)}): takes what to hear and a range, such as audio(bass,0..1)"
        )
    low, high = parse_range(arguments[1])
    smooth = _number(arguments[2].removesuffix("s")) if len(arguments) == 3 else 0.05
    return Heard(feature=arguments[0], low=low, high=high, smooth=smooth)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise SettingsError(
            f"{text.strip()!r} is not a number; write one, or keyframes 0s:0,2s:1, or lfo(sine,0..1,4s)"
        ) from None
    return _finite(value, text)


def _finite(value: float, text: str) -> float:
    if fault := fault_of(value):
        raise SettingsError(f"{text.strip()!r} {fault}; give another number")
    return float(value)


FUNCTIONS: dict[str, Maker] = {
    "lfo": _oscillator,
    "audio": _heard,
    "ease": lambda arguments: _keyframes(arguments, eased=True),
}
"""Functions of the grammar by name: each makes an automation of its arguments."""
