"""A patch: the whole state of the instrument as a frozen record, and the reader of what a page sends.

A page is never trusted. Every value is checked here: numbers against their ranges, texts against the grammars of the
command line; a page cannot name files. `stage` draws a patch, `recipes` writes it as a recipe.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bend.automation import Automation, Constant, parse
from bend.bends.geometry import EDGES
from bend.bends.grammar import BendSpec
from bend.bends.masks import parse_mask
from bend.bends.selection import parse_selection
from bend.bends.table import BENDS
from bend.config import NOISE_MODES, WEIGHTS
from bend.dial.amount import Amount, parse_amount
from bend.errors import SettingsError

__all__ = ["DialSetting", "Module", "Patch", "Place", "Wander", "read_patch", "read_place"]

MAPS = ("seeds", "pca")
WANDERS = ("drift", "circle", "journey")
_MOST_MODULES = 32
_LONGEST = 400
_FARTHEST = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A point of latent space, by its place on a map.

    Attributes:
        mode: `seeds` for the plane through three seeds, `pca` for two principal axes through the first seed.
        seeds: those at (0, 0), (1, 0) and (0, 1).
        axes: numbers of the principal components.
        x: to the right; along principal axes in standard deviations.
        y: down, likewise.
        to: the place that a morph leads to; None for no morph.
        share: how far the morph has come, 0 to 1.
    """

    mode: str = "seeds"
    seeds: tuple[int, int, int] = (0, 1, 2)
    axes: tuple[int, int] = (0, 1)
    x: float = 0.0
    y: float = 0.0
    to: "Place | None" = None
    share: float = 0.0

    @property
    def is_plain(self) -> bool:
        """Whether it lies in the plane of its seeds, so that options of the command line can name it."""
        return self.mode == "seeds" and self.to is None

    @property
    def noise_seed(self) -> int:
        """The seed of random noise: that of the plane's first corner, or 0, the row of the point in a file."""
        return self.seeds[0] if self.is_plain else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wander:
    """How the point moves by itself.

    Attributes:
        on: whether it moves.
        path: `drift`, `circle`, or `journey` from seed to seed.
        speed: roughly the turns, or seeds, in ten seconds.
        reach: radius on the map.
    """

    on: bool = False
    path: str = "drift"
    speed: float = 1.0
    reach: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class DialSetting:
    """How far the network is turned from its base.

    Attributes:
        base: shelf name of the network at 0; None for no dial.
        amount: in the grammar of `bend.dial.amount`.
    """

    base: str | None = None
    amount: str = "1"

    def parsed(self) -> Amount:
        """The amount."""
        return parse_amount(self.amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A bend in the rack.

    Attributes:
        key: the page's name for it.
        spec: the bend.
        on: whether it acts.
    """

    key: str
    spec: BendSpec
    on: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """The state of the instrument.

    Attributes:
        network: shelf name.
        weights: `ema` or `raw`.
        place: on the map.
        wander: how it moves by itself.
        trunc: truncation psi over time.
        noise_mode: `const`, `random` or `none`.
        class_index: of a conditional network.
        kimg: training time over the seconds; None for the network as it is.
        dial: from the base to the bent network.
        modules: bends, in the order in which they act.
    """

    network: str = "faces64"
    weights: str = "ema"
    place: Place = field(default_factory=Place)
    wander: Wander = field(default_factory=Wander)
    trunc: Automation = field(default_factory=lambda: Constant(1.0))
    noise_mode: str = "const"
    class_index: int | None = None
    kimg: Automation | None = None
    dial: DialSetting = field(default_factory=DialSetting)
    modules: tuple[Module, ...] = ()

    @property
    def bends(self) -> tuple[BendSpec, ...]:
        """The bends that are switched on."""
        return tuple(module.spec for module in self.modules if module.on)

    @property
    def moves(self) -> bool:
        """Whether it changes over time by itself."""
        return (
            self.wander.on
            or self.trunc.varies
            or (self.kimg is not None and self.kimg.varies)
            or (self.dial.base is not None and self.dial.parsed().varies)
            or any(spec.varies for spec in self.bends)
        )

    def facts(self) -> dict[str, Any]:
        """As JSON, which `read_patch` reads back."""
        return {
            "network": self.network,
            "weights": self.weights,
            "place": dataclasses.asdict(self.place),
            "wander": dataclasses.asdict(self.wander),
            "trunc": str(self.trunc),
            "noise_mode": self.noise_mode,
            "class_index": self.class_index,
            "kimg": None if self.kimg is None else str(self.kimg),
            "dial": dataclasses.asdict(self.dial),
            "modules": [_module_facts(module) for module in self.modules],
        }


def read_patch(facts: Any) -> Patch:
    """Read the JSON of a patch.

    Raises:
        SettingsError: it is malformed; says which part is wrong and what to give.
    """
    table = _table("the patch", facts)
    modules = _listed("modules", table.get("modules", []), _MOST_MODULES)
    kimg = table.get("kimg")
    class_index = table.get("class_index")
    return Patch(
        network=_text("network", table.get("network", "faces64")),
        weights=_one_of("weights", table.get("weights", "ema"), WEIGHTS),
        place=read_place(table.get("place", {})),
        wander=_wander(_table("wander", table.get("wander", {}))),
        trunc=_over_time("trunc", table.get("trunc", 1)),
        noise_mode=_one_of("noise_mode", table.get("noise_mode", "const"), NOISE_MODES),
        class_index=None if class_index is None else _whole("class_index", class_index, 2**31),
        kimg=None if kimg is None else _over_time("kimg", kimg),
        dial=_dial(_table("dial", table.get("dial", {}))),
        modules=tuple(read_module(module) for module in modules),
    )


def read_place(facts: Any, depth: int = 0) -> Place:
    """Read the JSON of a place.

    Raises:
        SettingsError: it is malformed.
    """
    table = _table("place", facts)
    to = table.get("to")
    if to is not None and depth:
        raise SettingsError("place: a morph goes to one place, not on from there")
    seeds = [_whole("seed", seed, 2**32 - 1) for seed in _listed("seeds", table.get("seeds", [0, 1, 2]), 3)]
    axes = [_whole("axis", axis, 4095) for axis in _listed("axes", table.get("axes", [0, 1]), 2)]
    if len(seeds) != 3 or len(axes) != 2:
        raise SettingsError("place: a map has three seeds and two axes")
    return Place(
        mode=_one_of("mode", table.get("mode", "seeds"), MAPS),
        seeds=(seeds[0], seeds[1], seeds[2]),
        axes=(axes[0], axes[1]),
        x=_number("x", table.get("x", 0), -_FARTHEST, _FARTHEST),
        y=_number("y", table.get("y", 0), -_FARTHEST, _FARTHEST),
        to=None if to is None else read_place(to, depth + 1),
        share=_number("share", table.get("share", 0), 0, 1),
    )


def read_module(facts: Any) -> Module:
    """Read the JSON of a bend in the rack.

    Raises:
        SettingsError: it is malformed.
    """
    table = _table("a module", facts)
    name = _text("name", table.get("name"))
    if name not in BENDS:
        raise SettingsError(f"{name!r} is not a bend")
    values = _listed("values", table.get("values", []), 16)
    if len(values) != len(BENDS[name].parameters):
        raise SettingsError(f"{name}: {len(values)} values, it takes {len(BENDS[name].parameters)}")
    mask = _text("mask", table.get("mask") or "")
    if mask and mask.removeprefix("~").partition(":")[0] not in ("rect", "ellipse"):
        raise SettingsError("mask: a page cannot name files; take rect or ellipse")
    spec = BendSpec(
        name=name,
        values=tuple(_over_time(f"{name}", value) for value in values),
        tap=_text("tap", table.get("tap")),
        channels=parse_selection(_text("channels", table.get("channels") or "all")),
        mask=parse_mask(mask) if mask else None,
        soft=_number("soft", table.get("soft", 0.05), 0, 10),
        mix=_over_time("mix", table.get("mix", 1)),
        edge=_one_of("edge", table.get("edge") or EDGES[0], EDGES),
    )
    return Module(key=_text("key", table.get("key", name)), spec=spec, on=bool(table.get("on", True)))


def _module_facts(module: Module) -> dict[str, Any]:
    spec = module.spec
    return {
        "key": module.key,
        "on": module.on,
        "name": spec.name,
        "values": [str(value) for value in spec.values],
        "tap": spec.tap,
        "channels": str(spec.channels),
        "mask": "" if spec.mask is None else str(spec.mask),
        "soft": spec.soft,
        "mix": str(spec.mix),
        "edge": spec.edge,
    }


def _wander(table: Mapping[str, Any]) -> Wander:
    return Wander(
        on=bool(table.get("on", False)),
        path=_one_of("wander", table.get("path", "drift"), WANDERS),
        speed=_number("speed", table.get("speed", 1), 0, 50),
        reach=_number("reach", table.get("reach", 0.5), 0, 20),
    )


def _dial(table: Mapping[str, Any]) -> DialSetting:
    base = table.get("base")
    amount = _text("dial", str(table.get("amount", "1")))
    parse_amount(amount)
    return DialSetting(base=None if base is None else _text("base", base), amount=amount)


def _table(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise SettingsError(f"{name}: {value!r:.60} is not a table")
    return value


def _listed(name: str, value: Any, most: int) -> Sequence[Any]:
    if not isinstance(value, (list, tuple)) or len(value) > most:
        raise SettingsError(f"{name}: give a list of at most {most}")
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise SettingsError(f"{name}: give a text of at most {_LONGEST} letters")
    return value


def _one_of(name: str, value: Any, known: Sequence[str]) -> str:
    if value not in known:
        raise SettingsError(f"{name} {value!r:.60} is unknown; choose from {', '.join(known)}")
    return str(value)


def _number(name: str, value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SettingsError(f"{name}: {value!r:.60} is not a number")
    if not low <= value <= high:
        raise SettingsError(f"{name} {value!r:.60} is out of range; give {low:g} to {high:g}")
    return float(value)


def _whole(name: str, value: Any, high: int) -> int:
    number = _number(name, value, 0, high)
    if number != int(number):
        raise SettingsError(f"{name} {number:g} is not whole")
    return int(number)


def _over_time(name: str, value: Any) -> Automation:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)) or len(str(value)) > _LONGEST:
        raise SettingsError(f"{name}: {value!r:.60} is neither a number nor one over time")
    return parse(value)
