"""Which part is kept, and that it is scaled as Lanczos with antialiasing does."""

import numpy as np
import pytest
from PIL import Image

from bend.prepare.crop import CROPS, Crop, cut, grey_copy
from tests.bend.prepare.pictures import BLUE, GREEN, GREY, RED, photo, quadrants
from tests.stylegan.archive.zips import noise

BLACK = (0, 0, 0)


def _crop(name: str, image: Image.Image) -> Crop:
    return CROPS[name](image, image.size)


@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((100, 60), (20, 0, 80, 60)),
        ((60, 101), (0, 20, 60, 80)),
        ((64, 64), (0, 0, 64, 64)),
        ((1, 9), (0, 4, 1, 5)),
    ],
)
def test_center_is_the_largest_centred_square(size: tuple[int, int], box: tuple[int, ...]) -> None:
    assert _crop("center", Image.new("RGB", size)) == Crop(box=box)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("size", "box", "height"),
    [
        ((400, 300), (0, 0, 400, 300), 0.75),
        ((800, 300), (200, 0, 600, 300), 0.75),
        ((300, 400), (0, 87, 300, 312), 0.75),
        ((1, 1), (0, 0, 1, 1), 1.0),
    ],
)
def test_center_wide_is_four_to_three_with_bars(
    size: tuple[int, int], box: tuple[int, ...], height: float
) -> None:
    crop = _crop("center-wide", Image.new("RGB", size))
    assert crop.box == box
    assert crop.drawn == (1.0, pytest.approx(height, abs=0.01))


@pytest.mark.parametrize("is_upright", [False, True])
def test_fit_keeps_all_of_it_and_fills_the_rest(is_upright: bool) -> None:
    image = Image.fromarray(quadrants(24, 48) if is_upright else quadrants(48, 24))
    crop = _crop("fit", image)
    assert crop == Crop(box=(0, 0, *image.size), drawn=(0.5, 1.0) if is_upright else (1.0, 0.5))
    square = cut(image, image.size, crop, 16, (9, 8, 7))
    assert square.size == (16, 16)
    bars = np.asarray(square.transpose(Image.Transpose.TRANSPOSE) if is_upright else square)
    assert (bars[[0, 1, 2, 3, 12, 13, 14, 15]] == (9, 8, 7)).all()
    x, y = ((5, 10), (2, 13)) if is_upright else ((2, 13), (5, 10))
    corners = np.array([square.getpixel((x[i % 2], y[i // 2])) for i in range(4)])
    assert np.abs(corners - [RED, GREEN, BLUE, GREY]).max() <= 5  # Lanczos rings a little at edges


def test_a_sliver_still_has_a_pixel() -> None:
    image = Image.new("RGB", (1, 5000), RED)
    square = np.asarray(cut(image, image.size, _crop("fit", image), 8, BLACK))
    assert square.any(axis=(0, 2)).sum() == 1


@pytest.mark.parametrize("detail_at", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("upright", [False, True])
def test_entropy_finds_where_the_detail_is(detail_at: float, upright: bool) -> None:
    pixels = np.full((100, 400, 3), 120, np.uint8)
    start = int(300 * detail_at)
    pixels[:, start : start + 100] = noise(0, 100, 100, 3)
    image = Image.fromarray(pixels.swapaxes(0, 1) if upright else pixels)
    left, top, right, bottom = _crop("entropy", image).box
    assert (right - left, bottom - top) == (100, 100)
    assert abs((top if upright else left) - start) <= 13
    assert (left if upright else top) == 0


def test_entropy_stays_in_the_middle_where_all_is_alike() -> None:
    assert _crop("entropy", Image.new("RGB", (300, 100), RED)).box == (100, 0, 200, 100)
    assert _crop("entropy", Image.new("RGB", (203, 100), RED)).box == (51, 0, 151, 100)
    assert _crop("entropy", Image.new("RGB", (64, 64), RED)).box == (0, 0, 64, 64)


def test_cutting_is_lanczos_with_antialiasing() -> None:
    image = photo(0, 300, 200)
    got = np.asarray(cut(image, image.size, Crop(box=(50, 0, 250, 200)), 32, BLACK)).astype(int)
    wanted = np.asarray(image.crop((50, 0, 250, 200)).resize((32, 32), Image.Resampling.LANCZOS)).astype(int)
    assert np.abs(got - wanted).mean() < 0.6
    assert np.abs(got - wanted).max() <= 6


def test_a_fine_grid_becomes_even_grey() -> None:
    image = Image.fromarray(np.where(np.indices((512, 512)).sum(0) % 2, 255, 0).astype(np.uint8)).convert(
        "RGB"
    )
    assert np.asarray(cut(image, image.size, Crop(box=(0, 0, 512, 512)), 16, BLACK)).std() < 2


def test_a_picture_decoded_smaller_is_cut_at_the_same_place() -> None:
    image = photo(2, 400, 300)
    small = image.resize((100, 75), Image.Resampling.BOX)
    crop = Crop(box=(123, 77, 323, 277))
    a, b = (np.asarray(cut(each, (400, 300), crop, 16, BLACK)).astype(int) for each in (image, small))
    assert np.abs(a - b).mean() < 2


def test_the_same_size_is_left_alone() -> None:
    pixels = noise(0, 16, 16, 3)
    image = Image.fromarray(pixels)
    assert np.array_equal(np.asarray(cut(image, image.size, Crop(box=(0, 0, 16, 16)), 16, BLACK)), pixels)


def test_grey_copies_are_small() -> None:
    assert grey_copy(Image.new("RGB", (4000, 1000)), 512).shape == (128, 512)
    assert grey_copy(Image.new("RGB", (40, 10)), 512).shape == (10, 40)
    assert grey_copy(Image.new("RGB", (5000, 1)), 512).shape == (1, 512)
