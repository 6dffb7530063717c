"""A drawing as a list of shapes, from back to front: rectangles, lines, polygons and texts, placed in pixels.

`cards` and the graphs make drawings; `svg` and `raster` write them.
"""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

__all__ = ["Box", "Drawing", "Line", "Point", "Polygon", "Shape", "Text"]

Point: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle with round corners; `title` is shown where the mouse rests on it."""

    x: float
    y: float
    width: float
    height: float
    radius: float = 6
    fill: str = "none"
    stroke: str = "none"
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Straight pieces from point to point, with an arrow's head at the end unless told otherwise."""

    points: tuple[Point, ...]
    colour: str
    width: float = 1.6
    has_head: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Polygon:
    """A filled outline."""

    points: tuple[Point, ...]
    fill: str
    stroke: str = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One line; `y` is its baseline."""

    x: float
    y: float
    text: str
    size: float = 12
    colour: str = "#222222"
    is_bold: bool = False
    anchor: Literal["start", "middle", "end"] = "start"


Shape: TypeAlias = Box | Line | Polygon | Text


@dataclass(slots=True, kw_only=True)
class Drawing:
    """A page."""

    width: float
    height: float
    title: str
    paper: str = "#ffffff"
    shapes: list[Shape] = field(default_factory=list)

    def add(self, *shapes: Shape) -> None:
        """Draw over what is there."""
        self.shapes += shapes
