"""The measures against real photographs, the same out of focus, pages of print and empty walls."""

import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from bend.bundled import sample_folder
from scrapers.judge import _LEAST_SHARPNESS, _LEAST_TEXTURE, _MOST_TEXT
from scrapers.quality import measure

PHOTOS = sorted(sample_folder().glob("*.jpg"))


def page(*, is_dark: bool, size: int) -> Image.Image:
    rng = random.Random(0)
    image = Image.new("L", (800, 1000), 20 if is_dark else 245)
    draw = ImageDraw.Draw(image)
    for y in range(20, 980, int(size * 1.5)):
        words = ("".join(rng.choice("abcdefghijklmno") for _ in range(rng.randint(2, 9))) for _ in range(16))
        draw.text((30, y), " ".join(words), fill=235 if is_dark else 15, font=ImageFont.load_default(size))
    return image


@pytest.mark.parametrize("path", PHOTOS[::3], ids=lambda path: path.stem)
def test_photographs_pass_and_blurred_ones_do_not(path: Path) -> None:
    image = Image.open(path).convert("L")
    quality = measure(image)
    assert quality.sharpness > _LEAST_SHARPNESS
    assert quality.texture > _LEAST_TEXTURE
    assert quality.text < _MOST_TEXT
    blurred = image.filter(ImageFilter.GaussianBlur(max(image.size) / 512 * 1.5))
    assert measure(blurred).sharpness < _LEAST_SHARPNESS


@pytest.mark.parametrize("contrast", [0.05, 0.4])
def test_sharpness_does_not_go_by_contrast(contrast: float) -> None:
    photo = Image.open(PHOTOS[0]).convert("L")
    values = np.asarray(photo, dtype=np.float64)
    dull = Image.fromarray((128 + (values - 128) * contrast).round().astype(np.uint8))
    assert measure(dull).sharpness == pytest.approx(measure(photo).sharpness, abs=0.01)


@pytest.mark.parametrize("size", [14, 24, 40])
@pytest.mark.parametrize("is_dark", [True, False])
def test_print_is_seen(is_dark: bool, size: int) -> None:
    assert measure(page(is_dark=is_dark, size=size)).text > _MOST_TEXT


def test_bars_are_no_print() -> None:
    bars = np.where(np.arange(512) % 45 < 18, 20, 240).astype(np.uint8)
    quality = measure(Image.fromarray(np.tile(bars, (384, 1))))
    assert quality.texture > 0.5
    assert quality.text < _MOST_TEXT


def test_flat_pictures_have_no_texture() -> None:
    assert measure(Image.new("L", (600, 400), 128)).texture == 0
    assert measure(Image.linear_gradient("L").resize((600, 400))).texture < _LEAST_TEXTURE


@pytest.mark.parametrize("size", [(1, 1), (2, 700), (15, 15)])
def test_tiny_pictures_are_measured_too(size: tuple[int, int]) -> None:
    assert measure(Image.new("L", size)).texture == 0
