"""The heads of arrows, the same on every page."""

import math

from bend.info.drawing import Line, Point

__all__ = ["arrow_head", "shaft"]

_LENGTH, _WIDTH = 8.0, 7.0


def arrow_head(line: Line) -> tuple[Point, ...]:
    """The triangle at the end of a line."""
    (x0, y0), (x1, y1) = line.points[-2:]
    length = math.hypot(x1 - x0, y1 - y0) or 1.0
    dx, dy = (x1 - x0) / length, (y1 - y0) / length
    back_x, back_y = x1 - _LENGTH * dx, y1 - _LENGTH * dy
    side_x, side_y = -dy * _WIDTH / 2, dx * _WIDTH / 2
    return ((x1, y1), (back_x + side_x, back_y + side_y), (back_x - side_x, back_y - side_y))


def shaft(line: Line) -> tuple[Point, ...]:
    """The points of a line without the part that its head covers, so that a thick line does not show beyond it."""
    if not line.has_head:
        return line.points
    _, (x1, y1), (x2, y2) = arrow_head(line)
    return (*line.points[:-1], ((x1 + x2) / 2, (y1 + y2) / 2))
