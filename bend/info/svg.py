"""A drawing as SVG: text that stays text, and a title on every box that has one."""

from xml.sax.saxutils import escape, quoteattr

from bend.info.drawing import Box, Drawing, Line, Polygon, Shape, Text
from bend.info.heads import arrow_head, shaft

__all__ = ["to_svg"]

_FONT = "Inter, 'Helvetica Neue', Helvetica, Arial, sans-serif"


def to_svg(drawing: Drawing) -> str:
    """The drawing as an SVG document, sizes in pixels."""
    width, height = _number(drawing.width), _number(drawing.height)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="{_FONT}" role="img">',
        f"<title>{escape(drawing.title)}</title>",
        f'<rect width="{width}" height="{height}" fill={quoteattr(drawing.paper)}/>',
        *(_element(shape) for shape in drawing.shapes),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _element(shape: Shape) -> str:
    match shape:
        case Box():
            return _box(shape)
        case Line():
            return _line(shape)
        case Polygon():
            points = _points(shape.points)
            return f'<polygon points="{points}" fill="{shape.fill}" stroke="{shape.stroke}" stroke-linejoin="round"/>'
        case Text():
            weight = ' font-weight="600"' if shape.is_bold else ""
            return (
                f'<text x="{_number(shape.x)}" y="{_number(shape.y)}" font-size="{_number(shape.size)}" '
                f'fill="{shape.colour}" text-anchor="{shape.anchor}"{weight}>{escape(shape.text)}</text>'
            )


def _box(box: Box) -> str:
    place = " ".join(
        f'{name}="{_number(value)}"'
        for name, value in (
            ("x", box.x),
            ("y", box.y),
            ("width", box.width),
            ("height", box.height),
            ("rx", box.radius),
        )
    )
    title = f"<title>{escape(box.title)}</title>" if box.title else ""
    return f'<rect {place} fill="{box.fill}" stroke="{box.stroke}" stroke-width="1.2">{title}</rect>'


def _line(line: Line) -> str:
    look = f'fill="none" stroke="{line.colour}" stroke-width="{_number(line.width)}" stroke-linejoin="round"'
    drawn = f'<polyline points="{_points(shaft(line))}" {look}/>'
    if line.has_head:
        drawn += f'<polygon points="{_points(arrow_head(line))}" fill="{line.colour}"/>'
    return drawn


def _points(points: tuple[tuple[float, float], ...]) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)


def _number(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")
