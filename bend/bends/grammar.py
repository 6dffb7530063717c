"""The grammar of `--bend`: which bend, at which tap, on which channels and which part of the picture.

    NAME[:PARAMETER,…]@TAP[/channels=…][/cluster=K][/mask=…][/soft=S][/mix=M][/edge=…]

    rotate:30@b32.conv1
    ablate@b16.*/channels=random:0.3:seed7
    scale:1.3@b32.conv0/mask=ellipse:.5,.4,.2,.3/mix=.6
    rotate:lfo(sine,0..360,4s)@b8.conv1
    translate:(0s:0,2s:.5),0@b32.conv0/edge=wrap

A parameter may be named (`feedback:gain=.6,frames=3`). Parameters, `mix` and the numbers of a mask may vary over time
(`bend.automation`). `str()` of a `BendSpec` is canonical and reads back as the same. Whether a network has such a tap
is found out when bends are opened.
"""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bend.automation import Automation, Constant, parse, split
from bend.bends.geometry import EDGES
from bend.bends.masks import Mask, parse_mask
from bend.bends.row import Bend, Parameter, SignalBend, WeightBend
from bend.bends.selection import All, Selection, parse_selection
from bend.bends.table import BENDS
from bend.errors import SettingsError, about
from bend.nearest import nearest
from bend.number import spelled

__all__ = ["BendSpec", "parse_bend", "parse_bends"]

_SETTING = re.compile(r"/(?=\w+=)")
_KEYFRAME = re.compile(r"(\w+=)?([-+.\de]+)s?:.*")
_ALWAYS = Constant(1.0)
_EVERY_CHANNEL = All()


@dataclass(frozen=True, slots=True, kw_only=True)
class BendSpec:
    """One bend as it was asked for.

    Attributes:
        name: its key in the table.
        values: of all its parameters, in their order.
        tap: pattern of taps, see `stylegan.taps.find_taps`.
        channels: which it acts on.
        mask: where in the plane it acts; None for everywhere.
        soft: width of the mask's edge as a share of the sides.
        mix: 0 leaves the signal as it is, 1 replaces it.
        edge: what lies beyond the edge, for bends that move the signal.
    """

    name: str
    values: tuple[Automation, ...]
    tap: str
    channels: Selection = _EVERY_CHANNEL
    mask: Mask | None = None
    soft: float = 0.05
    mix: Automation = _ALWAYS
    edge: str = EDGES[0]

    def __post_init__(self) -> None:
        row = self.row
        for parameter, value in zip(row.parameters, self.values, strict=True):
            low, high = value.bounds()
            if low < parameter.low or high > parameter.high:
                raise SettingsError(
                    f"{parameter.name} {value} is out of range; give {parameter.low:g} to {parameter.high:g}"
                )
        low, high = self.mix.bounds()
        if low < 0 or high > 1:
            raise SettingsError(f"mix {self.mix} is out of range; give 0 to 1")
        if self.mask is not None and isinstance(row, WeightBend):
            raise SettingsError(
                f"mask={self.mask}: {self.name} bends weights, which have no place in the picture"
            )
        if self.edge != EDGES[0] and not (isinstance(row, SignalBend) and row.takes_edge):
            raise SettingsError(
                f"edge={self.edge}: {self.name} looks at nothing beyond the edge; leave it out"
            )
        if not 0 <= self.soft <= 10:
            raise SettingsError(f"soft={self.soft:g}: out of range; give 0 to 10")

    @property
    def row(self) -> Bend:
        """Its row of the table."""
        return BENDS[self.name]

    @property
    def varies(self) -> bool:
        """Whether its parameters, mix or mask change over time."""
        return (
            any(value.varies for value in self.values)
            or self.mix.varies
            or (self.mask is not None and self.mask.varies)
        )

    @property
    def files(self) -> tuple[str, ...]:
        """The picture that is its mask, if one is."""
        return () if self.mask is None else self.mask.files

    def values_at(self, t: float) -> tuple[float, ...]:
        """Its parameters at `t` seconds; those that are whole as rounded ints."""
        parameters = self.row.parameters
        values = [value.at(t) for value in self.values]
        return tuple(round(v) if p.is_whole else v for p, v in zip(parameters, values, strict=True))

    def __str__(self) -> str:
        return "".join([self.name, _print_values(self.row, self.values), f"@{self.tap}", *self._settings()])

    def _settings(self) -> Iterable[str]:
        if not isinstance(self.channels, All):
            text = str(self.channels)
            yield f"/{text}" if text.startswith("cluster=") else f"/channels={text}"
        if self.mask is not None:
            yield f"/mask={self.mask}"
        if self.soft != 0.05:
            yield f"/soft={spelled(self.soft)}"
        if self.mix != _ALWAYS:
            yield f"/mix={self.mix}"
        if self.edge != EDGES[0]:
            yield f"/edge={self.edge}"


def parse_bends(texts: Iterable[str]) -> tuple[BendSpec, ...]:
    """Read several bends; raises as `parse_bend`."""
    return tuple(parse_bend(text) for text in texts)


def parse_bend(text: str) -> BendSpec:
    """Read one bend.

    Raises:
        SettingsError: names the part that is wrong, and the nearest known name.
    """
    with about(f"--bend {text}"):
        head, *settings = _SETTING.split(text.strip())
        what, at, tap = head.partition("@")
        if not at or not tap.strip():
            raise SettingsError("does not say where; write NAME@TAP, such as rotate:30@b32.conv1")
        name, _, parameters = what.partition(":")
        row = _row(name.strip())
        values = _parse_values(row, parameters)
        fields = _parse_settings(settings)
        return BendSpec(name=name.strip(), values=values, tap=tap.strip(), **fields)  # type: ignore[arg-type]


def _row(name: str) -> Bend:
    if name not in BENDS:
        raise SettingsError(f"{name!r} is not a bend; the nearest is {_nearest(name, BENDS)}")
    return BENDS[name]


def _parse_values(row: Bend, text: str) -> tuple[Automation, ...]:
    parameters = row.parameters
    wants = ",".join(parameter.name for parameter in parameters) or "nothing"
    given: dict[str, Automation] = {}
    parts = _parts(text, alone=len(parameters) == 1) if text.strip() else []
    for place, part in enumerate(parts):
        name, value = _named(part)
        if name is None:
            if place >= len(parameters):
                raise SettingsError(f"{part!r} is one parameter too many; it takes {wants}")
            name = parameters[place].name
        if name not in {parameter.name for parameter in parameters}:
            raise SettingsError(f"{name!r} is not a parameter of it; it takes {wants}")
        if name in given:
            raise SettingsError(f"{name} is given twice")
        given[name] = parse(value)
    return tuple(_value_of(parameter, given) for parameter in parameters)


def _value_of(parameter: Parameter, given: dict[str, Automation]) -> Automation:
    if parameter.name in given:
        return given[parameter.name]
    default = _default_of(parameter)
    if default is None:
        raise SettingsError(f"lacks its parameter {parameter.name}; write it after a colon")
    return default


def _parts(text: str, alone: bool) -> list[str]:
    """The text of each parameter: commas between keyframes whose times rise do not separate parameters."""
    if alone:
        return [text]
    joined: list[str] = []
    before = math.inf
    for part in split(text):
        match = _KEYFRAME.fullmatch(part)
        time = _time(match[2]) if match else math.inf
        if time > before and match and match[1] is None:
            joined[-1] += f",{part}"
        else:
            joined.append(part)
        before = time
    return joined


def _time(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.inf


def _named(part: str) -> tuple[str | None, str]:
    name, equals, value = part.partition("=")
    if not equals:
        name, value = "", part
    return name.strip() or None, value


def _parse_settings(settings: Iterable[str]) -> dict[str, object]:
    fields: dict[str, object] = {}
    for setting in settings:
        key, _, value = setting.partition("=")
        if key not in _READERS:
            raise SettingsError(f"{key!r} is not a setting; the nearest is {_nearest(key, _READERS)}")
        field, parsed = _READERS[key](value.strip())
        if field in fields:
            raise SettingsError(f"{key} is given twice")
        fields[field] = parsed
    return fields


def _edge(value: str) -> tuple[str, str]:
    if value not in EDGES:
        raise SettingsError(f"edge={value}: unknown; choose from {', '.join(EDGES)}")
    return "edge", value


def _soft(value: str) -> tuple[str, float]:
    parsed = parse(value)
    if not isinstance(parsed, Constant):
        raise SettingsError(f"soft={value}: does not vary over time; give a number")
    return "soft", parsed.value


_READERS: dict[str, Callable[[str], tuple[str, object]]] = {
    "channels": lambda value: ("channels", parse_selection(value)),
    "cluster": lambda value: ("channels", parse_selection(f"cluster={value}")),
    "mask": lambda value: ("mask", parse_mask(value)),
    "soft": _soft,
    "mix": lambda value: ("mix", parse(value)),
    "edge": _edge,
}
"""Settings by name: each reads its text, and gives the field of `BendSpec` that it sets and the value."""


def _print_values(row: Bend, values: tuple[Automation, ...]) -> str:
    """What follows the name: values up to the last that is not a default; keyframes among others are in brackets."""
    num = len(values)
    while num and values[num - 1] == _default_of(row.parameters[num - 1]):
        num -= 1
    if not num:
        return ""
    alone = len(row.parameters) == 1
    texts = [str(value) for value in values[:num]]
    return ":" + ",".join(text if alone or not _KEYFRAME.match(text) else f"({text})" for text in texts)


def _default_of(parameter: Parameter) -> Automation | None:
    return None if parameter.default is None else Constant(float(parameter.default))


def _nearest(name: str, known: Iterable[str]) -> str:
    close = nearest(name, known, cutoff=0.0)
    assert close is not None
    return close
