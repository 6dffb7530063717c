"""Draws a generator: z through the mapping network to w, and w into every layer of every resolution.

Rows are resolutions, from the learned constant down to the picture. On the left the mapping network, on the right the
image, to which every resolution adds.
"""

from bend.info.cards import CARD, SMALL, Card, Pen, shape_text, weights_text
from bend.info.drawing import Drawing, Point
from bend.info.layers import Layer, layers_of, num_weights
from stylegan.generator import Generator
from stylegan.synthesis import SynthesisBlock

__all__ = ["draw_generator"]

_LEFT, _TOP = 36.0, 96.0
_BUS = _LEFT + SMALL[0] + 36
_PANEL = _BUS + 22
_GUTTER = 58.0
_COLUMNS = tuple(_PANEL + 50 + i * (CARD[0] + _GUTTER) for i in range(4))
_RAIL, _PILL, _CARD = 20.0, 34.0, 76.0  # from the top of a panel
_SKIP_LANE = SMALL[1] + 22
_ROW_GAP = 34.0
_WIDTH = _COLUMNS[3] + CARD[0] + 60


def draw_generator(G: Generator, name: str) -> Drawing:
    """The graph of a generator.

    Args:
        G: on any device, the meta device too.
        name: for the heading.
    """
    layers = {layer.tap: layer for layer in layers_of(G)}
    mapping = [layer for layer in layers.values() if layer.kind == "dense"]
    row_height = (
        _CARD + CARD[1] + 28 + (_SKIP_LANE if G.synthesis.blocks()[0].architecture == "resnet" else 0)
    )
    num_rows = len(G.synthesis.block_resolutions)
    rows_height = num_rows * (row_height + _ROW_GAP) - _ROW_GAP
    height = _TOP + max(rows_height, (len(mapping) + 2) * (SMALL[1] + 24)) + 76
    image = (G.img_channels, G.img_resolution, G.img_resolution)
    subtitle = (
        f"{weights_text(num_weights(G))} weights in a graph of {len(layers)} layers; "
        f"z {shape_text((G.z_dim,))} to picture {shape_text(image)}"
    )
    pen = Pen(_WIDTH, height, name, subtitle)
    tops = [_TOP + i * (row_height + _ROW_GAP) for i in range(num_rows)]
    for top, res in zip(tops, G.synthesis.block_resolutions, strict=True):
        pen.panel(_PANEL, top, _WIDTH - _PANEL - 30, row_height, f"{res} x {res}")
    _draw_mapping(pen, G, layers, mapping, (tops[0] + _RAIL, tops[-1] + _RAIL))
    entry: Point | None = None
    image_above: Card | None = None
    for top, block in zip(tops, G.synthesis.blocks(), strict=True):
        row = _Row(pen, layers, block, top, is_last=block.resolution == G.img_resolution)
        entry = row.draw_layers(entry, top + row_height + _ROW_GAP / 2)
        image_above = row.draw_image(image_above)
    if image_above is not None:
        x, y = image_above.bottom
        pen.wire(image_above.bottom, (x, y + 46), kind="image")
        pen.pill(f"picture {shape_text(image)}", x - 90, y + 46, 180, "image")
    return pen.drawing


def _draw_mapping(
    pen: Pen, G: Generator, layers: dict[str, Layer], mapping: list[Layer], rails: tuple[float, float]
) -> None:
    """The column on the left, and the bus that brings w to all rows."""
    y = _TOP
    above: Card | None = None
    if G.z_dim:
        above = z = pen.pill(f"z {shape_text((G.z_dim,))}", _LEFT + 15, y, SMALL[0] - 30, "dense")
        y += 48
    if G.c_dim:
        above = pen.pill(f"c {shape_text((G.c_dim,))}", _LEFT + 15, y - 16, SMALL[0] - 30, "dense")
        y += 32
    for layer in mapping:
        if layer.tap == "mapping.fc0" and G.c_dim and G.z_dim:  # z joins the embedded label
            detour, middle = _LEFT - 16, y + SMALL[1] / 2
            pen.wire(z.left, (detour, z.left[1]), (detour, middle), (_LEFT, middle), kind="dense")
        card = pen.small_card(layer, _LEFT, y)
        if above is not None:
            pen.wire(above.bottom, card.top, kind="dense")
        above, y = card, y + SMALL[1] + 24
    ws = pen.small_card(layers["ws"], _LEFT, y)
    if above is not None:
        pen.wire(above.bottom, ws.top, kind="dense")
    junction = (_BUS, ws.left[1])
    pen.wire(ws.right, junction, kind="ws", has_head=False)
    reach = (min(rails[0], junction[1]), max(rails[1], junction[1]))
    pen.wire((_BUS, reach[0]), (_BUS, reach[1]), kind="ws", has_head=False, width=2.6)
    pen.joint(junction, "ws")


class _Row:
    """One resolution."""

    def __init__(
        self, pen: Pen, layers: dict[str, Layer], block: SynthesisBlock, top: float, *, is_last: bool
    ) -> None:
        self.pen = pen
        self.layers = layers
        self.block = block
        self.top = top
        self.is_last = is_last
        self.name = f"b{block.resolution}"
        self.out: Point = (0.0, 0.0)

    def draw_layers(self, entry: Point | None, gap_below: float) -> Point:
        """The layers of the row.

        Args:
            entry: where the signal comes from in the gap above; None in the first row.
            gap_below: height of the gap below.

        Returns:
            Where the signal ends in the gap below.
        """
        middle = self.top + _CARD + CARD[1] / 2
        if entry is None:
            first = self.pen.card(self.layers[f"{self.name}.const"], _COLUMNS[0], self.top + _CARD)
        else:
            first = self._styled("conv0", 0)
            lane = _COLUMNS[0] - 22
            self.pen.wire(entry, (lane, entry[1]), (lane, middle), first.left, kind="conv")
        second = self._styled("conv1", 1)
        self.pen.wire(first.right, second.left, kind="conv")
        has_skip = entry is not None and self.block.architecture == "resnet"
        self.out = (second.right[0] + (44 if has_skip else _GUTTER / 2), middle)
        self.pen.wire(second.right, self.out, kind="conv", has_head=False)
        if has_skip:
            self._draw_skip((_COLUMNS[0] - 22, middle))
        if self.is_last:
            return self.out
        waiting = (self.out[0], gap_below)
        self.pen.joint(self.out, "conv")
        self.pen.wire(self.out, waiting, kind="conv", has_head=False)
        return waiting

    def draw_image(self, above: Card | None) -> Card | None:
        """What the row adds to the image, and the image so far."""
        if not self.block.num_torgb:
            return above
        torgb = self._styled("torgb", 2)
        self.pen.wire(self.out, torgb.left, kind="conv")
        image = self.pen.card(self.layers[f"{self.name}.image"], _COLUMNS[3], self.top + _CARD)
        if above is None:
            self.pen.wire(torgb.right, image.left, kind="image")
            return image
        x, y = _COLUMNS[3] - _GUTTER / 2, image.left[1]
        plus = self.pen.plus(x, y, "image")
        self.pen.wire(torgb.right, plus.left, kind="image")
        self.pen.wire(plus.right, image.left, kind="image")
        gap = self.top - _ROW_GAP / 2
        self.pen.wire(above.bottom, (above.bottom[0], gap), (x, gap), plus.top, kind="image")
        self.pen.note("up 2", (x + above.bottom[0]) / 2 - 12, gap - 5, "image")
        return image

    def _styled(self, layer: str, column: int) -> Card:
        """A layer with its style above, fed from the bus."""
        x, tap = _COLUMNS[column], f"{self.name}.{layer}"
        card = self.pen.card(self.layers[tap], x, self.top + _CARD)
        style = self.layers[f"{tap}.affine"]
        pill = self.pen.pill(
            f"affine {shape_text(style.output)}", x + 34, self.top + _PILL, CARD[0] - 68, "affine"
        )
        rail = self.top + _RAIL
        self.pen.wire((_BUS, rail), (pill.top[0], rail), pill.top, kind="ws", width=1.2)
        self.pen.joint((_BUS, rail), "ws")
        self.pen.wire(pill.bottom, card.top, kind="affine")
        return card

    def _draw_skip(self, branch: Point) -> None:
        """The shortcut below the two convolutions, added to what leaves them."""
        y = self.top + _CARD + CARD[1] + 14
        skip = self.pen.small_card(self.layers[f"{self.name}.skip"], _COLUMNS[0] + CARD[0] - 20, y)
        self.pen.joint(branch, "skip")
        self.pen.wire(branch, (branch[0], skip.left[1]), skip.left, kind="skip")
        x = self.out[0] - 24
        plus = self.pen.plus(x, self.out[1], "skip")
        self.pen.wire(skip.right, (x, skip.right[1]), plus.bottom, kind="skip")
