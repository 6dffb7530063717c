"""Draws a discriminator: from the picture down through the resolutions to one number.

Rows are resolutions, from the picture's own down to 4x4, where the minibatch deviation is added and dense layers end in
the logit.
"""

import itertools

from bend.info.cards import CARD, SMALL, Card, Pen, shape_text, weights_text
from bend.info.drawing import Drawing, Point
from bend.info.layers import Layer, layers_of, num_weights
from stylegan.discriminator import Discriminator

__all__ = ["draw_discriminator"]

_LEFT, _TOP = 36.0, 96.0
_GUTTER = 58.0
_COLUMNS = tuple(_LEFT + 40 + i * (CARD[0] + _GUTTER) for i in range(6))
_CARD, _SKIP_LANE, _ROW_GAP = 20.0, SMALL[1] + 22, 34.0


def draw_discriminator(D: Discriminator, name: str) -> Drawing:
    """The graph of a discriminator.

    Args:
        D: on any device, the meta device too.
        name: for the heading.
    """
    layers = {layer.tap: layer for layer in layers_of(D)}
    is_resnet, sees_image = D.b4.architecture == "resnet", D.b4.architecture == "skip"
    row_height = _CARD + CARD[1] + (_SKIP_LANE + 14 if is_resnet else 34)
    tops = [_TOP + 30 + i * (row_height + _ROW_GAP) for i in range(len(D.block_resolutions) + 1)]
    end = [layers[tap] for tap in ("b4.mbstd", "b4.conv", "b4.fc", "b4.out") if tap in layers]
    num_columns = max(3, len(end) + sees_image)
    width = _COLUMNS[num_columns - 1] + CARD[0] + (230 if D.c_dim else 150)
    image = (D.img_channels, D.img_resolution, D.img_resolution)
    subtitle = f"{weights_text(num_weights(D))} weights; picture {shape_text(image)} to logit [N, 1]"
    pen = Pen(width, tops[-1] + _CARD + CARD[1] + 34 + (96 if D.c_dim else 36), name, subtitle)
    entry: Point | None = None
    for top, res in zip(tops, D.block_resolutions, strict=False):
        pen.panel(_LEFT, top, _COLUMNS[2] + CARD[0] + 90 - _LEFT, row_height, f"{res} x {res}")
        entry = _draw_block(pen, layers, res, top, entry, top + row_height + _ROW_GAP / 2)
    pen.panel(_LEFT, tops[-1], width - _LEFT - 30, _CARD + CARD[1] + 34 + (64 if D.c_dim else 0), "4 x 4")
    assert entry is not None
    _draw_end(pen, D, layers, end, tops[-1], entry)
    return pen.drawing


def _draw_block(
    pen: Pen, layers: dict[str, Layer], res: int, top: float, entry: Point | None, gap_below: float
) -> Point:
    """Draw one resolution; returns where its signal ends in the gap below."""
    middle, y = top + _CARD + CARD[1] / 2, top + _CARD
    conv0 = pen.card(layers[f"b{res}.conv0"], _COLUMNS[1], y)
    conv1 = pen.card(layers[f"b{res}.conv1"], _COLUMNS[2], y)
    joined = _enter(pen, layers, res, top, entry, conv0)
    pen.wire(conv0.right, conv1.left, kind="conv")
    out = (conv1.right[0] + _GUTTER / 2, middle)
    if (skip := layers.get(f"b{res}.skip")) is not None:
        lane = y + CARD[1] + 14
        card = pen.small_card(skip, (conv0.x + conv1.right[0]) / 2 - SMALL[0] / 2, lane)
        pen.joint(joined, "skip")
        pen.wire(joined, (joined[0], card.left[1]), card.left, kind="skip")
        plus = pen.plus(*out, "skip")
        pen.wire(conv1.right, plus.left, kind="conv")
        pen.wire(card.right, (out[0], card.right[1]), plus.bottom, kind="skip")
        start, turn = plus.right, out[0] + _GUTTER / 2
    else:
        start, turn = conv1.right, out[0]
    pen.wire(start, (turn, middle), (turn, gap_below), kind="conv", has_head=False)
    return (turn, gap_below)


def _enter(
    pen: Pen, layers: dict[str, Layer], res: int, top: float, entry: Point | None, target: Card
) -> Point:
    """Wire a row's input: from the row above, from the picture, or from both; returns a point before the target."""
    x, middle = target.x - _GUTTER / 2, target.left[1]
    fromrgb = layers.get(f"b{res}.fromrgb")
    if fromrgb is not None:
        card = pen.card(fromrgb, _COLUMNS[0], top + _CARD)
        pill = pen.pill(
            f"picture {shape_text(fromrgb.inputs[0])}", card.x + 8, top - 14, CARD[0] - 16, "image"
        )
        pen.wire(pill.bottom, card.top, kind="image")
        if entry is None:
            pen.wire(card.right, target.left, kind="fromrgb")
            return (x, middle)
        plus = pen.plus(x, middle, "fromrgb")
        pen.wire(card.right, plus.left, kind="fromrgb")
        pen.wire(entry, (x, entry[1]), plus.top, kind="conv")
        pen.wire(plus.right, target.left, kind="conv")
        return (x, middle)
    assert entry is not None
    pen.wire(entry, (x, entry[1]), (x, middle), target.left, kind="conv")
    return (x, middle)


def _draw_end(
    pen: Pen, D: Discriminator, layers: dict[str, Layer], end: list[Layer], top: float, entry: Point
) -> None:
    """The row that ends in the logit."""
    first = 1 if "b4.fromrgb" in layers else 0
    cards = [pen.card(layer, _COLUMNS[first + i], top + _CARD) for i, layer in enumerate(end)]
    _enter(pen, layers, 4, top, entry, cards[0])
    for before, after in itertools.pairwise(cards):
        pen.wire(before.right, after.left, kind="conv")
    x, y = cards[-1].right
    if D.c_dim:
        plus = pen.pill("x", x + 30, y - 12, 30, "dot")
        pen.wire(cards[-1].right, plus.left, kind="conv")
        names = "mapping.embed" + f" and {D.mapping.num_layers} layers"
        label = pen.pill(f"c {shape_text((D.c_dim,))}", cards[0].x, top + _CARD + CARD[1] + 24, 110, "dense")
        mapped = pen.pill(names, label.right[0] + 40, label.y, 230, "dense")
        pen.wire(label.right, mapped.left, kind="dense")
        pen.wire(mapped.right, (plus.bottom[0], mapped.right[1]), plus.bottom, kind="dense")
        x = plus.right[0]
    logit = pen.pill("logit [N, 1]", x + 26, y - 12, 84, "dot")
    pen.wire((x, y), logit.left, kind="conv")
