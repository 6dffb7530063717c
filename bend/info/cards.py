"""The parts of a graph: a card for each layer, with its output shape as a block in perspective, and wires.

A block's face grows with the logarithm of the picture's side, its depth with that of the number of channels: a signal
grows wide and thin on its way through a generator, and the reverse in a discriminator.
"""

import math
from dataclasses import dataclass

from bend.info.drawing import Box, Drawing, Line, Point, Polygon, Text
from bend.info.layers import Layer, Shape

__all__ = ["CARD", "SMALL", "Card", "Ink", "Pen", "shape_text", "weights_text"]

CARD = (196.0, 78.0)
"""Width and height of a layer's card."""
SMALL = (150.0, 50.0)
"""Width and height of the card of a layer that has no picture."""
_TEXT, _FAINT, _PAPER, _PANEL = "#23252b", "#7b7f88", "#fbfaf7", "#f1efe9"


@dataclass(frozen=True, slots=True)
class Ink:
    """Two tones of a colour."""

    strong: str
    light: str


_INKS = {
    "dense": Ink("#2f7f86", "#e2f1f1"),
    "ws": Ink("#3f8f5b", "#e3f3e8"),
    "affine": Ink("#3f8f5b", "#e3f3e8"),
    "const": Ink("#7b55a8", "#eee6f7"),
    "conv": Ink("#2f62b5", "#e4ecf9"),
    "skip": Ink("#6a7590", "#e9ecf2"),
    "torgb": Ink("#c2582b", "#fbeadf"),
    "fromrgb": Ink("#c2582b", "#fbeadf"),
    "image": Ink("#b3881a", "#fbf3d8"),
    "mbstd": Ink("#8a5a7d", "#f5e8f1"),
    "dot": Ink("#8a5a7d", "#f5e8f1"),
}


@dataclass(frozen=True, slots=True)
class Card:
    """Where a card lies."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> Point:
        """Middle of its left edge."""
        return (self.x, self.y + self.height / 2)

    @property
    def right(self) -> Point:
        """Middle of its right edge."""
        return (self.x + self.width, self.y + self.height / 2)

    @property
    def top(self) -> Point:
        """Middle of its upper edge."""
        return (self.x + self.width / 2, self.y)

    @property
    def bottom(self) -> Point:
        """Middle of its lower edge."""
        return (self.x + self.width / 2, self.y + self.height)


class Pen:
    """Draws the parts of a graph on one page.

    Args:
        width: of the page, in pixels.
        height: of the page.
        title: its heading.
        subtitle: a line below.
    """

    def __init__(self, width: float, height: float, title: str, subtitle: str) -> None:
        self.drawing = Drawing(width=width, height=height, title=title, paper=_PAPER)
        self.drawing.add(
            Text(x=36, y=44, text=title, size=20, colour=_TEXT, is_bold=True),
            Text(x=36, y=66, text=subtitle, size=12.5, colour=_FAINT),
        )

    def panel(self, x: float, y: float, width: float, height: float, label: str) -> None:
        """The background of one resolution."""
        self.drawing.add(
            Box(x=x, y=y, width=width, height=height, radius=12, fill=_PANEL),
            Text(x=x + 14, y=y + height - 12, text=label, size=12, colour=_FAINT, is_bold=True),
        )

    def card(self, layer: Layer, x: float, y: float) -> Card:
        """A layer's card: its tap, what it does, the shape that leaves it, its weights."""
        place, ink = Card(x, y, *CARD), _INKS[layer.kind]
        weights = weights_text(layer.parameters) if layer.parameters else ""
        facts = " · ".join(part for part in (weights, layer.precision) if part)
        self.drawing.add(
            _frame(place, ink, layer),
            Text(x=x + 12, y=y + 20, text=layer.tap, size=12.5, colour=ink.strong, is_bold=True),
            Text(x=x + 12, y=y + 36, text=layer.detail, size=10, colour=_TEXT),
            Text(x=x + 12, y=y + 53, text=shape_text(layer.output), size=11, colour=_TEXT, is_bold=True),
            Text(x=x + 12, y=y + 69, text=facts, size=9.5, colour=_FAINT),
        )
        if len(layer.output) == 3:
            self._block(layer.output, x + CARD[0] - 12, y + CARD[1] - 10, ink)
        return place

    def small_card(self, layer: Layer, x: float, y: float) -> Card:
        """A smaller card, without the block."""
        place, ink = Card(x, y, *SMALL), _INKS[layer.kind]
        weights = weights_text(layer.parameters) if layer.parameters else ""
        self.drawing.add(
            _frame(place, ink, layer),
            Text(x=x + 12, y=y + 20, text=layer.tap, size=12, colour=ink.strong, is_bold=True),
            Text(x=x + 12, y=y + 38, text=shape_text(layer.output), size=10.5, colour=_TEXT),
            Text(x=x + SMALL[0] - 10, y=y + 38, text=weights, size=9.5, colour=_FAINT, anchor="end"),
        )
        return place

    def pill(self, text: str, x: float, y: float, width: float, kind: str) -> Card:
        """A few words in a capsule: what goes in, what comes out, a style."""
        place, ink = Card(x, y, width, 24), _INKS[kind]
        middle = x + width / 2
        self.drawing.add(
            Box(x=x, y=y, width=width, height=24, radius=12, fill=ink.light, stroke=ink.strong),
            Text(x=middle, y=y + 16, text=text, size=10.5, colour=ink.strong, is_bold=True, anchor="middle"),
        )
        return place

    def plus(self, x: float, y: float, kind: str) -> Card:
        """A sum, centred at a point."""
        ink = _INKS[kind]
        self.drawing.add(
            Box(x=x - 11, y=y - 11, width=22, height=22, radius=11, fill="#ffffff", stroke=ink.strong)
        )
        for points in (((x - 5, y), (x + 5, y)), ((x, y - 5), (x, y + 5))):
            self.drawing.add(Line(points=points, colour=ink.strong, has_head=False))
        return Card(x - 11, y - 11, 22, 22)

    def wire(self, *points: Point, kind: str, has_head: bool = True, width: float = 1.8) -> None:
        """A line along which data flows."""
        self.drawing.add(Line(points=points, colour=_INKS[kind].strong, has_head=has_head, width=width))

    def joint(self, point: Point, kind: str) -> None:
        """Where a wire branches."""
        x, y = point
        self.drawing.add(
            Box(x=x - 3.2, y=y - 3.2, width=6.4, height=6.4, radius=3.2, fill=_INKS[kind].strong)
        )

    def note(self, text: str, x: float, y: float, kind: str) -> None:
        """A text beside a wire."""
        self.drawing.add(Text(x=x, y=y, text=text, size=10, colour=_INKS[kind].strong))

    def _block(self, shape: Shape, right: float, bottom: float, ink: Ink) -> None:
        """A block whose lower right corner is at a point."""
        channels, side, _ = shape
        face = 5 + 2.7 * math.log2(side)
        depth = 1.5 + 1.1 * math.log2(channels + 1)
        x, y, shift = right - face - depth, bottom - face, depth
        front = ((x, y), (x + face, y), (x + face, y + face), (x, y + face))
        top = (front[0], (x + shift, y - shift), (x + face + shift, y - shift), front[1])
        flank = (front[1], (x + face + shift, y - shift), (x + face + shift, y + face - shift), front[2])
        for points, fill in ((top, "#ffffff"), (flank, ink.strong), (front, ink.light)):
            self.drawing.add(Polygon(points=points, fill=fill, stroke=ink.strong))


def shape_text(shape: Shape) -> str:
    """`[N, 512, 4, 4]`."""
    return f"[N, {', '.join(map(str, shape))}]"


def weights_text(number: int) -> str:
    """`2.36 M`."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return str(number)


def _frame(place: Card, ink: Ink, layer: Layer) -> Box:
    incoming = ", ".join(map(shape_text, layer.inputs)) or "nothing"
    outgoing = shape_text(layer.output)
    return Box(
        x=place.x,
        y=place.y,
        width=place.width,
        height=place.height,
        radius=8,
        fill="#ffffff",
        stroke=ink.strong,
        title=f"{layer.tap}: {incoming} to {outgoing}, {layer.parameters:,} weights; {layer.detail}",
    )
