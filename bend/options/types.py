"""Parameter types of options: seeds, grids, sizes, finite numbers, numbers over time."""

import contextlib
import re
from typing import Any

import click

from bend.errors import BendError
from bend.number import fault_of

__all__ = [
    "FINITE",
    "GRID",
    "OVER_TIME",
    "SEEDS",
    "SIZE",
    "FiniteType",
    "OverTimeType",
    "SeedsType",
    "TwoSidesType",
]

_MOST_SEEDS = 1_000_000


class SeedsType(click.ParamType):
    """`0-31,77` -> the seeds in that order."""

    name = "seeds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        seeds: list[int] = []
        for part in str(value).split(","):
            match = re.fullmatch(r"\s*(\d+)(?:\s*-\s*(\d+))?\s*", part, re.ASCII)
            if match is None:
                self.fail(f"{value!r}: {part!r} is not a seed or range; write 0-31,77", param, ctx)
            first, last = int(match[1]), int(match[2] or match[1])
            if max(first, last) >= 2**32:
                self.fail(f"{value!r}: seeds end at {2**32 - 1}", param, ctx)
            if last < first:
                self.fail(f"{value!r}: {part.strip()} runs backwards; write {last}-{first}", param, ctx)
            if len(seeds) + last - first >= _MOST_SEEDS:
                self.fail(f"{value!r}: more than {_MOST_SEEDS} seeds", param, ctx)
            seeds.extend(range(first, last + 1))
        return tuple(seeds)


class TwoSidesType(click.ParamType):
    """`4x2` -> 4 across, 2 down.

    Args:
        name: shown in help.
        wanted: the end of the message about a malformed text.
        num_digits: the most digits that a side may have.
        beyond: the end of the message about a side with more digits.
    """

    def __init__(self, name: str, *, wanted: str, num_digits: int, beyond: str) -> None:
        self.name = name
        self._wanted = wanted
        self._num_digits = num_digits
        self._beyond = beyond

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"([1-9]\d*)[x×]([1-9]\d*)", str(value), re.ASCII)
        if match is None:
            self.fail(f"{value!r} is not a {self._wanted}", param, ctx)
        if max(map(len, match.groups())) > self._num_digits:
            self.fail(f"{value!r}: more than {'9' * self._num_digits} {self._beyond}", param, ctx)
        return int(match[1]), int(match[2])


class FiniteType(click.ParamType):
    """A finite number; click's own float accepts nan and inf."""

    name = "float"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number", param, ctx)
        if fault := fault_of(number):
            self.fail(f"{value!r} {fault}", param, ctx)
        return number


class OverTimeType(click.ParamType):
    """A number, or the canonical text of a parameter over time (`bend.automation`)."""

    name = "number or automation"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | str:
        with contextlib.suppress(ValueError):
            return FINITE.convert(float(value), param, ctx)
        from bend.automation import parse

        try:
            return str(parse(str(value)))
        except BendError as error:
            self.fail(str(error), param, ctx)


OVER_TIME = OverTimeType()

SIZE = TwoSidesType(
    "WIDTHxHEIGHT",
    wanted="size; write width x height in pixels, such as 1024x512",
    num_digits=5,
    beyond="pixels a side; ask for a smaller size",
)

SEEDS = SeedsType()

GRID = TwoSidesType(
    "COLUMNSxROWS",
    wanted="grid; write columns x rows, such as 4x2",
    num_digits=4,
    beyond="columns or rows; ask for a smaller grid",
)

FINITE = FiniteType()
