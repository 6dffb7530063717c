"""Which row of ws feeds which layer, and named ranges of rows: `4-8`, `coarse`, `middle`, `fine`.

Coarse styles are those of the resolutions 4 and 8, middle 16 and 32, fine from 64 on (Karras et al., arXiv 1812.04948,
section 3.1). A block's torgb shares its row with the first convolution of the next block, and is not counted among the
convolutions here.
"""

import re
from dataclasses import dataclass

from bend.errors import SettingsError
from stylegan.generator import Generator
from stylegan.layers import SynthesisLayer

__all__ = ["GROUPS", "StyleLayer", "parse_layers", "rows_of", "style_layers"]

GROUPS = {"coarse": (4, 8), "middle": (16, 32), "fine": (64, 1 << 30)}
"""Least and greatest resolution of each named group."""
_RANGE = re.compile(r"(\d{1,3})(?:\s*-\s*(\d{1,3}))?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleLayer:
    """A convolution and the row of ws that styles it."""

    row: int
    resolution: int
    layer: SynthesisLayer


def style_layers(G: Generator) -> list[StyleLayer]:
    """The convolutions of a generator, in the order of their rows of ws."""
    found: list[StyleLayer] = []
    for block in G.synthesis.blocks():
        names = ("conv1",) if block.in_channels == 0 else ("conv0", "conv1")
        for name in names:
            layer = getattr(block, name)
            found.append(StyleLayer(row=len(found), resolution=block.resolution, layer=layer))
    return found


def parse_layers(text: str) -> str:
    """Check a range of layers, `4-8`, `5` or `coarse`, and return it without surrounding spaces.

    Raises:
        SettingsError: it is not a range.
    """
    text = text.strip()
    match = _RANGE.fullmatch(text)
    if match is None and text not in GROUPS:
        raise SettingsError(f"{text!r} is not a range of layers; write 0-3, {', '.join(GROUPS)}")
    if match and match[2] and int(match[2]) < int(match[1]):
        raise SettingsError(f"layers {text} run backwards; write {match[2]}-{match[1]}")
    return text


def rows_of(G: Generator, layers: str | None) -> slice:
    """The rows of ws of a range of layers in this network; None for all.

    Raises:
        SettingsError: the network has no such layers.
    """
    if layers is None:
        return slice(0, G.num_ws)
    if layers in GROUPS:
        least, most = GROUPS[layers]
        rows = [at.row for at in style_layers(G) if least <= at.resolution <= most]
        if not rows:
            raise SettingsError(
                f"this network has no {layers} layers, it ends at {G.img_resolution} pixels; "
                f"name layers by number, 0 to {G.num_ws - 1}"
            )
        # The last torgb has a row of its own, which belongs to the last group of the network.
        return slice(rows[0], G.num_ws if rows[-1] == style_layers(G)[-1].row else rows[-1] + 1)
    match = _RANGE.fullmatch(layers)
    assert match is not None, layers
    first, last = int(match[1]), int(match[2] or match[1])
    if last >= G.num_ws:
        raise SettingsError(
            f"layers {layers}: this network has {G.num_ws}; name layers from 0 to {G.num_ws - 1}"
        )
    return slice(first, last + 1)
