"""A drawing in pixels, by Pillow: drawn large and scaled down, so that its edges are smooth."""

from PIL import Image, ImageDraw, ImageFont

from bend.info.drawing import Box, Drawing, Line, Polygon, Shape, Text
from bend.info.heads import arrow_head, shaft

__all__ = ["to_image"]

_OVERSAMPLING = 2
_ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}


def to_image(drawing: Drawing, scale: float = 2) -> Image.Image:
    """The drawing as an RGB picture.

    Args:
        drawing: what to draw.
        scale: pixels of the picture a pixel of the drawing.
    """
    pen = _Pen(scale * _OVERSAMPLING, drawing)
    for shape in drawing.shapes:
        pen.draw(shape)
    size = (round(drawing.width * scale), round(drawing.height * scale))
    return pen.page.resize(size, Image.Resampling.BOX)


class _Pen:
    def __init__(self, scale: float, drawing: Drawing) -> None:
        self.scale = scale
        self.page = Image.new(
            "RGB", (round(drawing.width * scale), round(drawing.height * scale)), drawing.paper
        )
        self.ink = ImageDraw.Draw(self.page)
        self.fonts: dict[float, ImageFont.FreeTypeFont | ImageFont.ImageFont] = {}

    def draw(self, shape: Shape) -> None:
        match shape:
            case Box():
                self._box(shape)
            case Line():
                points = self._points(shaft(shape))
                self.ink.line(points, shape.colour, max(round(shape.width * self.scale), 1), joint="curve")
                if shape.has_head:
                    self.ink.polygon(self._points(arrow_head(shape)), shape.colour)
            case Polygon():
                points = self._points(shape.points)
                self.ink.polygon(points, shape.fill)
                if shape.stroke != "none":
                    self.ink.line([*points, points[0]], shape.stroke, round(self.scale), joint="curve")
            case Text():
                self._text(shape)

    def _box(self, box: Box) -> None:
        left, top = box.x * self.scale, box.y * self.scale
        corners = (left, top, left + box.width * self.scale, top + box.height * self.scale)
        fill, stroke = (None if colour == "none" else colour for colour in (box.fill, box.stroke))
        self.ink.rounded_rectangle(
            corners, box.radius * self.scale, fill=fill, outline=stroke, width=round(1.2 * self.scale)
        )

    def _text(self, text: Text) -> None:
        font = self.fonts.get(text.size)
        if font is None:
            font = self.fonts[text.size] = ImageFont.load_default(text.size * self.scale)
        self.ink.text(
            (text.x * self.scale, text.y * self.scale),
            text.text,
            fill=text.colour,
            font=font,
            anchor=_ANCHORS[text.anchor],
            stroke_width=0.018 * text.size * self.scale if text.is_bold else 0,
        )

    def _points(self, points: tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
        return [(x * self.scale, y * self.scale) for x, y in points]
