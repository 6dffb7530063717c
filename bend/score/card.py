"""The scores of a run: a row for each snapshot and kind of weights, the moments they suggest, and `score.json`.

`docs/formats.md` documents the file. Values are rounded to six digits, so that a rerun whose last bits differ writes
the same file.
"""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bend.errors import ScoreError
from bend.run_names import SCORE
from bend.score.measures import Measured
from bend.score.moments import MOMENTS, Curve, collapse, find_moments
from stylegan.atomic import write_atomic

__all__ = ["KINDS", "Moment", "ScoreCard", "ScoreRow", "Settings", "read_card", "rounded"]

VERSION = 1
KINDS = ("raw", "ema")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What decides the scores besides the snapshots; rows of different settings are not comparable.

    Attributes:
        num_seeds: how many pictures of each snapshot are used.
        num_pictures: how many pictures of the data set are used.
        judge: hash of the weights of the discriminator whose features are compared.
        data_hash: of the data set.
    """

    num_seeds: int
    num_pictures: int
    judge: str
    data_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow:
    """The measures of one snapshot's raw or averaged generator, each with its standard error (`_se`).

    Attributes:
        kimg: thousands of pictures seen.
        weights: `raw` or `ema`.
        d0: mean distance from the base's pictures of the same seeds.
        d1: kernel distance to the pictures of the data set.
        diversity: mean distance between two of its own pictures.
        extra: further metrics by name, if the `[metrics]` extra is installed.
    """

    kimg: float
    weights: str
    d0: float
    d0_se: float
    d1: float
    d1_se: float
    diversity: float
    diversity_se: float
    extra: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(
        cls,
        kimg: float,
        weights: str,
        *,
        d0: Measured,
        d1: Measured,
        diversity: Measured,
        extra: Mapping[str, float] | None = None,
    ) -> "ScoreRow":
        """A row of measured values, rounded to six digits."""
        measured = {"d0": d0, "d1": d1, "diversity": diversity}
        values = {name: rounded(one.value) for name, one in measured.items()}
        errors = {f"{name}_se": rounded(one.error) for name, one in measured.items()}
        return cls(
            kimg=kimg,
            weights=weights,
            extra={name: rounded(value) for name, value in (extra or {}).items()},
            **values,
            **errors,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A suggested moment: its name (`knee`, `crossing`, `richest`, `last`), its weights and its kimg."""

    name: str
    weights: str
    kimg: float

    @property
    def picture(self) -> str:
        """File name of its picture in the run folder."""
        return f"moment-{self.weights}-{self.name}.png"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreCard:
    """All rows of a run.

    Attributes:
        settings: what the rows were measured with.
        away: mean distance of the base's pictures from those of the data set, to which d0 can grow.
        rows: by kimg, raw before ema.
    """

    settings: Settings
    away: float
    rows: tuple[ScoreRow, ...] = ()

    def with_row(self, row: ScoreRow) -> "ScoreCard":
        """The card with a row added; it replaces a row of the same snapshot and weights."""
        others = [old for old in self.rows if (old.kimg, old.weights) != (row.kimg, row.weights)]
        rows = sorted([*others, row], key=lambda one: (one.kimg, KINDS.index(one.weights)))
        return dataclasses.replace(self, rows=tuple(rows))

    def of(self, weights: str) -> list[ScoreRow]:
        """The rows of `raw` or `ema`, by kimg."""
        return [row for row in self.rows if row.weights == weights]

    def curve(self, weights: str) -> Curve:
        """The same rows as curves."""
        rows = self.of(weights)
        return Curve(
            kimg=[row.kimg for row in rows],
            d0=[row.d0 for row in rows],
            d1=[row.d1 for row in rows],
            diversity=[row.diversity for row in rows],
            away=self.away,
        )

    def moments(self, weights: str) -> dict[str, Moment | None]:
        """The suggested moments by name; None for those that have not come."""
        rows = self.of(weights)
        found = find_moments(self.curve(weights)) if rows else dict.fromkeys(MOMENTS)
        return {
            name: None if index is None else Moment(name=name, weights=weights, kimg=rows[index].kimg)
            for name, index in found.items()
        }

    def collapsed_at(self, weights: str) -> float | None:
        """The kimg at which diversity first fell below a third of the base's; None if it has not."""
        rows = self.of(weights)
        index = collapse(self.curve(weights)) if rows else None
        return None if index is None else rows[index].kimg

    def write(self, run: Path) -> None:
        """Write `score.json` into a run folder."""
        write_atomic(run / SCORE, json.dumps(self.facts(), indent=1) + "\n")

    def facts(self) -> dict[str, Any]:
        """The content of `score.json`."""
        snapshots = []
        for row in self.rows:
            facts = dataclasses.asdict(row)
            extra = facts.pop("extra")
            snapshots.append(facts | extra)
        return {
            "version": VERSION,
            "settings": dataclasses.asdict(self.settings),
            "away": self.away,
            "snapshots": snapshots,
            "moments": {weights: self._moment_facts(weights) for weights in KINDS},
        }

    def _moment_facts(self, weights: str) -> dict[str, Any]:
        found = {
            name: None if moment is None else {"kimg": moment.kimg, "picture": moment.picture}
            for name, moment in self.moments(weights).items()
        }
        return {**found, "collapsed_at": self.collapsed_at(weights)}


def read_card(run: Path) -> ScoreCard | None:
    """The card in a run folder; None if there is none.

    Raises:
        ScoreError: `score.json` is damaged.
    """
    path = run / SCORE
    try:
        facts = json.loads(path.read_text())
        return ScoreCard(
            settings=Settings(**facts["settings"]),
            away=_finite(facts["away"]),
            rows=tuple(_row(row) for row in facts["snapshots"]),
        )
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise ScoreError(
            f"{path}: cannot be read ({error}); remove it, and it is written anew at the next snapshot"
        ) from None


def _row(facts: Mapping[str, Any]) -> ScoreRow:
    own = {field.name for field in dataclasses.fields(ScoreRow)} - {"extra"}
    known = {name: value for name, value in facts.items() if name in own}
    if known["weights"] not in KINDS:
        raise ValueError(f"unknown weights {known['weights']!r:.60}")
    measured = {name: _finite(value) for name, value in known.items() if name != "weights"}
    extra = {name: value for name, value in facts.items() if name not in own}
    return ScoreRow(weights=known["weights"], **measured, extra=extra)


def _finite(value: object) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r:.60} is not a measure")
    return float(value)


def rounded(value: float) -> float:
    """A value rounded to six digits."""
    return float(f"{value:.6g}")
