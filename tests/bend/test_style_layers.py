"""Which row of ws feeds which layer, checked by moving a row and seeing which styles move; and names of ranges."""

import pytest
import torch

from bend.errors import SettingsError
from bend.style_layers import parse_layers, rows_of, style_layers
from tests.bend.tiny import tiny_generator


def test_rows_feed_the_layers_they_are_said_to() -> None:
    G = tiny_generator(resolution=32)
    layers = style_layers(G)
    assert [at.resolution for at in layers] == [4, 8, 8, 16, 16, 32, 32]
    heard: dict[int, torch.Tensor] = {}
    for at in layers:
        at.layer.affine.register_forward_hook(
            lambda module, args, output, row=at.row: heard.update({row: args[0]})
        )
    ws = torch.arange(G.num_ws).float()[None, :, None].expand(1, -1, 32)
    G.synthesis(ws, noise_mode="none")
    assert {row: float(w[0, 0]) for row, w in heard.items()} == {row: float(row) for row in range(7)}


@pytest.mark.parametrize(
    ("resolution", "layers", "rows"),
    [
        (64, None, (0, 10)),
        (64, "coarse", (0, 3)),
        (64, "middle", (3, 7)),
        (64, "fine", (7, 10)),
        (16, "middle", (3, 6)),
        (64, "2-4", (2, 5)),
        (64, "9", (9, 10)),
    ],
)
def test_ranges(resolution: int, layers: str | None, rows: tuple[int, int]) -> None:
    found = rows_of(tiny_generator(resolution=resolution), layers)
    assert (found.start, found.stop) == rows


def test_refusals() -> None:
    for text, message in (
        ("x", "write 0-3, coarse, middle, fine"),
        ("4-2", "write 2-4"),
        ("", "not a range"),
    ):
        with pytest.raises(SettingsError, match=message):
            parse_layers(text)
    with pytest.raises(SettingsError, match="name layers from 0 to 5"):
        rows_of(tiny_generator(), "3-6")
    with pytest.raises(SettingsError, match="no fine layers"):
        rows_of(tiny_generator(), "fine")
