"""Graphs of every architecture: each layer stands on the page, in ink and in text, and nothing overlaps."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from bend.info.discriminator_graph import draw_discriminator
from bend.info.drawing import Box, Drawing, Line, Text
from bend.info.generator_graph import draw_generator
from bend.info.layers import layers_of
from bend.info.raster import to_image
from bend.info.svg import to_svg
from tests.bend.info.test_layers import DISCRIMINATORS, GENERATORS, discriminator, generator

SVG = "{http://www.w3.org/2000/svg}"


def graphs() -> dict[str, tuple[Drawing, set[str]]]:
    found = {}
    for kind in GENERATORS:
        G = generator(kind)
        styled = {layer.tap for layer in layers_of(G) if layer.kind != "affine"}
        found[f"G-{kind}"] = (draw_generator(G, "net: G"), styled)
    for kind in DISCRIMINATORS:
        D = discriminator(kind)
        drawn = {layer.tap for layer in layers_of(D) if not layer.tap.startswith("mapping.")} - {"b4.dot"}
        found[f"D-{kind}"] = (draw_discriminator(D, "net: D"), drawn)
    return found


GRAPHS = graphs()


@pytest.mark.parametrize("name", GRAPHS)
def test_every_layer_has_a_card_with_its_shape(name: str) -> None:
    drawing, taps = GRAPHS[name]
    document = ElementTree.fromstring(to_svg(drawing))
    texts = {element.text for element in document.iter(f"{SVG}text")}
    assert taps <= texts
    titles = [element.text or "" for element in document.iter(f"{SVG}title")]
    for tap in taps:
        title = next(title for title in titles if title.startswith(f"{tap}: "))
        assert re.search(r" to \[N, \d+", title)
    assert any("picture [N, " in (text or "") for text in texts)


@pytest.mark.parametrize("name", GRAPHS)
def test_everything_lies_on_the_page_and_cards_do_not_overlap(name: str) -> None:
    drawing, _ = GRAPHS[name]
    for shape in drawing.shapes:
        points = (
            shape.points
            if not isinstance(shape, Box | Text)
            else [(shape.x, shape.y)]
            + ([(shape.x + shape.width, shape.y + shape.height)] if isinstance(shape, Box) else [])
        )
        for x, y in points:
            assert 0 <= x <= drawing.width, shape
            assert 0 <= y <= drawing.height, shape
    cards = [shape for shape in drawing.shapes if isinstance(shape, Box) and shape.title]
    for i, a in enumerate(cards):
        for b in cards[:i]:
            apart = (
                a.x + a.width <= b.x or b.x + b.width <= a.x or a.y + a.height <= b.y or b.y + b.height <= a.y
            )
            assert apart, (a.title, b.title)


@pytest.mark.parametrize("name", GRAPHS)
def test_wires_do_not_run_through_cards(name: str) -> None:
    """Arrows end at an edge; on their way no piece crosses a card."""
    drawing, _ = GRAPHS[name]
    cards = [shape for shape in drawing.shapes if isinstance(shape, Box) and shape.title]
    lines = [shape for shape in drawing.shapes if isinstance(shape, Line) and shape.has_head]
    assert cards and lines
    for line in lines:
        for start, end in zip(line.points, line.points[1:], strict=False):
            for share in np.linspace(0.02, 0.98, 25):
                x, y = (a + (b - a) * share for a, b in zip(start, end, strict=True))
                for card in cards:
                    inside = (
                        card.x + 1 < x < card.x + card.width - 1 and card.y + 1 < y < card.y + card.height - 1
                    )
                    assert not inside, (card.title, line)


@pytest.mark.parametrize("name", ["G-skip", "D-resnet"])
def test_the_picture_shows_what_the_page_holds(name: str) -> None:
    drawing, _ = GRAPHS[name]
    image = to_image(drawing, scale=1)
    assert image.size == (round(drawing.width), round(drawing.height))
    assert len(image.getcolors(1 << 24)) > 200  # smooth edges
    card = next(s for s in drawing.shapes if isinstance(s, Box) and s.title.startswith("b16.conv1: "))
    edge = image.getpixel((round(card.x + card.width / 2), round(card.y)))
    middle = image.getpixel((round(card.x + card.width / 2), round(card.y + 6)))
    assert sum(edge) < 600  # type: ignore[arg-type]
    assert middle == (255, 255, 255)


def test_names_cannot_break_the_document() -> None:
    drawing = draw_generator(generator("skip"), '<script>&"')
    document = ElementTree.fromstring(to_svg(drawing))
    assert next(document.iter(f"{SVG}title")).text == '<script>&"'
