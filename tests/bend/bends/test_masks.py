"""Masks, looked at pixel by pixel."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from bend.bends.masks import parse_mask
from bend.errors import SettingsError


def hard(text: str, height: int = 20, width: int = 30) -> Tensor:
    return parse_mask(text).at(0.0, height, width, 0.0)


def test_ellipse_and_rectangle() -> None:
    ellipse, rect = hard("ellipse:.5,.4,.2,.3"), hard("rect:.1,.2,.5,.25")
    for j in range(20):
        for i in range(30):
            u, v = (i + 0.5) / 30, (j + 0.5) / 20
            assert ellipse[j, i] == float(((u - 0.5) / 0.2) ** 2 + ((v - 0.4) / 0.3) ** 2 <= 1)
            assert rect[j, i] == float(0.1 <= u <= 0.6 and 0.2 <= v <= 0.45)


def test_outside_is_the_rest() -> None:
    assert torch.equal(hard("~rect:.1,.2,.5,.25"), 1 - hard("rect:.1,.2,.5,.25"))


def test_halves() -> None:
    assert torch.equal(hard("left"), hard("rect:0,0,.5,1"))
    assert torch.equal(hard("~left"), hard("right"))
    assert torch.equal(hard("top"), hard("rect:0,0,1,.5"))
    assert torch.equal(hard("bottom"), 1 - hard("top"))


def test_the_edge_is_soft_and_centred() -> None:
    mask = parse_mask("rect:.25,0,.5,1").at(0.0, 4, 200, 0.2)
    row = mask[2]
    assert row[100] == 1
    assert row[0] == 0
    assert row[50].item() == pytest.approx(0.5, abs=0.05)
    assert (row[30:70].diff() >= 0).all()
    assert 0.1 < row[43] < 0.4


def test_the_edge_of_an_ellipse_is_as_wide_as_said_across_its_shorter_axis() -> None:
    mask = parse_mask("ellipse:.5,.5,.4,.1").at(0.0, 1000, 3, 0.1)
    column = mask[:, 1]  # in the middle; the ellipse ends at rows 400 and 600
    assert (column[450:550] == 1).all()
    assert column[600].item() == pytest.approx(0.5, abs=0.01)
    assert (column[[*range(345), *range(655, 1000)]] == 0).all()
    assert 0 < column[640] < column[560] < 1


def test_numbers_move() -> None:
    mask = parse_mask("ellipse:(0s:0,1s:1),.5,.2,.2")
    assert mask.varies
    early, late = mask.at(0.0, 8, 8, 0.0), mask.at(1.0, 8, 8, 0.0)
    assert torch.equal(early, late.flip(1))
    assert early[:, :4].any()


def test_nothing_is_under_an_ellipse_of_no_size() -> None:
    assert not hard("ellipse:.5,.5,0,.3").any()


def test_a_picture_that_claims_to_be_enormous_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (64, 64)).save(tmp_path / "big.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # as Pillow's own bound is to a bomb
    with pytest.raises(SettingsError, match="not a picture that can be read"):
        parse_mask(f"image:{tmp_path / 'big.png'}")


def test_a_picture_broken_in_the_middle_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "broken.png")
    chunks = bytearray((tmp_path / "broken.png").read_bytes())
    place = chunks.rindex(b"IDAT")
    chunks[place : place + 4] = b"\1\2\3\4"
    (tmp_path / "broken.png").write_bytes(chunks)
    with pytest.raises(SettingsError, match="not a picture that can be read"):
        parse_mask(f"image:{tmp_path / 'broken.png'}")


def test_a_picture(tmp_path: Path) -> None:
    pixels = np.zeros((40, 60), dtype=np.uint8)
    pixels[:, 30:] = 255
    Image.fromarray(pixels).save(tmp_path / "half.png")
    mask = hard(f"image:{tmp_path / 'half.png'}")
    assert not mask[:, :15].any()
    assert (mask[:, 15:] == 1).all()
    soft = parse_mask(f"image:{tmp_path / 'half.png'}").at(0.0, 20, 30, 0.3)
    assert 0 < soft[10, 14] < soft[10, 15] < 1


def test_the_edge_of_a_picture_is_as_soft_as_said(tmp_path: Path) -> None:
    pixels = np.zeros((200, 200), dtype=np.uint8)
    pixels[:, 100:] = 255
    Image.fromarray(pixels).save(tmp_path / "half.png")
    row = parse_mask(f"image:{tmp_path / 'half.png'}").at(0.0, 200, 200, 0.2)[100]
    # A blur by half the width: two thirds of its rise lie within the 40 pixels of the edge.
    assert (row[120] - row[80]).item() == pytest.approx(0.68, abs=0.03)


@pytest.mark.parametrize("kind", ["sixteen bits", "transparent"])
def test_a_picture_means_the_same_in_any_colours(tmp_path: Path, kind: str) -> None:
    shades = np.arange(256, dtype=np.uint8).reshape(16, 16)
    if kind == "sixteen bits":
        picture = Image.fromarray(shades.astype(np.uint16) * 257)
    else:
        picture = Image.new("RGBA", (16, 16), "white")
        picture.putalpha(Image.fromarray(shades))
    picture.save(tmp_path / "mask.png")
    mask = hard(f"image:{tmp_path / 'mask.png'}", 16, 16)
    assert torch.equal(mask, torch.from_numpy(shades / np.float32(255)))
