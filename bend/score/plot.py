"""The plot of a run's score: d0, d1 and diversity over kimg with error bars, raw above average, moments marked.

Every curve is relative to its range, as in `moments`: d0 to the distance between the base's and the data's pictures, d1
to its value for the base, diversity to the base's. It is drawn at twice the size and shrunk, which smooths the lines.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bend.picture import Pixels
from bend.score.card import KINDS, ScoreCard, ScoreRow
from bend.score.moments import log_places

__all__ = ["draw_plot"]

_SIZE = (960, 640)
_OVER = 2  # drawn larger by this factor
_PAPER, _GRID, _INK, _FAINT = (16, 16, 16), (44, 44, 44), (224, 224, 224), (140, 140, 140)
_COLOURS = {"d0": (255, 138, 92), "d1": (96, 176, 255), "diversity": (142, 214, 132)}
_WORDS = {"d0": "d0 away from home", "d1": "d1 to the pictures", "diversity": "diversity"}
_TITLES = {"raw": "raw generator", "ema": "averaged generator"}
_MARGIN = (52, 34, 20, 30)  # left, top, right, bottom of a panel


@dataclass(frozen=True, slots=True)
class _Line:
    """Values relative to the curve's range, and their errors."""

    values: Sequence[float]
    errors: Sequence[float]


@dataclass(frozen=True, slots=True)
class _Panel:
    """A rectangle in the drawing, and the coordinates of its sides."""

    left: float
    top: float
    right: float
    bottom: float
    low: float
    high: float
    ceiling: float

    def x(self, log_kimg: float) -> float:
        share = (log_kimg - self.low) / max(self.high - self.low, 1e-9)
        return self.left + share * (self.right - self.left)

    def y(self, share: float) -> float:
        inside = min(max(share, 0.0), self.ceiling) / self.ceiling
        return self.bottom - inside * (self.bottom - self.top)


def draw_plot(card: ScoreCard) -> Pixels:
    """Draw the card, uint8 `[640, 960, 3]`."""
    width, height = (side * _OVER for side in _SIZE)
    surface = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(surface)
    half = height / len(KINDS)
    for place, kind in enumerate(KINDS):
        rows = card.of(kind)
        if rows:
            _draw_kind(pen, card, kind, rows, place * half, half, width)
    return np.asarray(surface.reduce(_OVER))


def _draw_kind(
    pen: ImageDraw.ImageDraw,
    card: ScoreCard,
    kind: str,
    rows: Sequence[ScoreRow],
    top: float,
    height: float,
    width: float,
) -> None:
    lines = _lines(card, rows)
    logs = log_places([row.kimg for row in rows], least_step=0.5)
    highest = max(max(line.values) for line in lines.values())
    left, above, right, below = (side * _OVER for side in _MARGIN)
    panel = _Panel(
        left, top + above, width - right, top + height - below, logs[0], logs[-1], max(1.05, highest * 1.05)
    )
    _draw_axes(pen, panel, kind, rows, logs)
    _draw_moments(pen, panel, card, kind, dict(zip((row.kimg for row in rows), logs, strict=True)))
    for name, line in lines.items():
        _draw_line(pen, panel, logs, line, _COLOURS[name])


def _lines(card: ScoreCard, rows: Sequence[ScoreRow]) -> dict[str, _Line]:
    whole = {
        "d0": card.away or 1.0,
        "d1": rows[0].d1 if rows[0].d1 > 0 else 1.0,
        "diversity": rows[0].diversity or 1.0,
    }
    return {
        name: _Line(
            [getattr(row, name) / way for row in rows], [getattr(row, f"{name}_se") / way for row in rows]
        )
        for name, way in whole.items()
    }


def _draw_axes(
    pen: ImageDraw.ImageDraw, panel: _Panel, kind: str, rows: Sequence[ScoreRow], logs: Sequence[float]
) -> None:
    font = _font(11)
    for share in (0.0, 0.5, 1.0):
        y = panel.y(share)
        pen.line([(panel.left, y), (panel.right, y)], fill=_GRID, width=_OVER)
        pen.text((panel.left - 8 * _OVER, y), f"{share:g}", fill=_FAINT, font=font, anchor="rm")
    shown_until = -math.inf
    for row, log_kimg in zip(rows, logs, strict=True):
        x, word = panel.x(log_kimg), f"{row.kimg:g}"
        pen.line([(x, panel.bottom), (x, panel.bottom + 4 * _OVER)], fill=_FAINT, width=_OVER)
        half = font.getlength(word) / 2
        if x - half > shown_until:
            pen.text((x, panel.bottom + 7 * _OVER), word, fill=_FAINT, font=font, anchor="mt")
            shown_until = x + half + 6 * _OVER
    _draw_legend(pen, panel, kind)


def _draw_legend(pen: ImageDraw.ImageDraw, panel: _Panel, kind: str) -> None:
    y = panel.top - 20 * _OVER
    pen.text((panel.left, y), _TITLES[kind], fill=_INK, font=_font(13), anchor="lm")
    x = panel.left + 170 * _OVER
    font = _font(11)
    for name, word in _WORDS.items():
        pen.line([(x, y), (x + 18 * _OVER, y)], fill=_COLOURS[name], width=3 * _OVER)
        pen.text((x + 24 * _OVER, y), word, fill=_INK, font=font, anchor="lm")
        x += 40 * _OVER + font.getlength(word)
    pen.text((panel.right, y), "kimg, log", fill=_FAINT, font=font, anchor="rm")


def _draw_moments(
    pen: ImageDraw.ImageDraw, panel: _Panel, card: ScoreCard, kind: str, logs: dict[float, float]
) -> None:
    """A dashed line at each moment; moments of one snapshot share it."""
    words: dict[float, list[str]] = {}
    for name, moment in card.moments(kind).items():
        if moment is not None:
            words.setdefault(moment.kimg, []).append(name)
    font = _font(11)
    for place, (kimg, names) in enumerate(sorted(words.items())):
        x = panel.x(logs[kimg])
        for y in range(int(panel.top), int(panel.bottom), 8 * _OVER):
            pen.line([(x, y), (x, y + 4 * _OVER)], fill=_FAINT, width=_OVER)
        word = ", ".join(names)
        at_edge = x + font.getlength(word) + 4 * _OVER > panel.right
        where = (x - 4 * _OVER, "ra") if at_edge else (x + 4 * _OVER, "la")
        # Labels of neighbours are at different heights, so that they do not overlap.
        pen.text((where[0], panel.top + place * 14 * _OVER), word, fill=_INK, font=font, anchor=where[1])


def _draw_line(
    pen: ImageDraw.ImageDraw, panel: _Panel, logs: Sequence[float], line: _Line, colour: tuple[int, int, int]
) -> None:
    points = [(panel.x(at), panel.y(value)) for at, value in zip(logs, line.values, strict=True)]
    for (x, _), value, error in zip(points, line.values, line.errors, strict=True):
        low, high = panel.y(value - error), panel.y(value + error)
        pen.line([(x, low), (x, high)], fill=colour, width=_OVER)
        for y in (low, high):
            pen.line([(x - 3 * _OVER, y), (x + 3 * _OVER, y)], fill=colour, width=_OVER)
    pen.line(points, fill=colour, width=2 * _OVER, joint="curve")
    radius = 3 * _OVER
    for x, y in points:
        pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size=size * _OVER)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font
