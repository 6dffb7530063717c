"""Tiles: seeded, apart from each other, within their range of sizes, and never of empty sky."""

import itertools

import numpy as np
import pytest
from PIL import Image

from bend.prepare.crop import Box
from bend.prepare.tiles import choose_tiles, side_range
from tests.bend.prepare.pictures import photo
from tests.stylegan.archive.zips import noise


def _tiles(image: Image.Image, count: int, resolution: int = 32, seed: int = 0) -> list[Box]:
    return [
        crop.box for crop in choose_tiles(image, image.size, count, resolution, np.random.default_rng(seed))
    ]


def _overlap(a: Box, b: Box) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(0, width) * max(0, height) / min(a[2] - a[0], b[2] - b[0]) ** 2


@pytest.mark.parametrize("count", [1, 2, 5, 12, 40])
def test_tiles_are_squares_within_the_photo_that_overlap_little(count: int) -> None:
    image = photo(0, 800, 600)
    boxes = _tiles(image, count)
    assert len(boxes) == count
    smallest, largest = side_range(image.size, count, 32)
    for left, top, right, bottom in boxes:
        assert right - left == bottom - top
        assert smallest <= right - left <= largest
        assert 0 <= left < right <= 800
        assert 0 <= top < bottom <= 600
    assert max((_overlap(a, b) for a, b in itertools.combinations(boxes, 2)), default=0) <= 0.5
    if count <= 5:
        assert max((_overlap(a, b) for a, b in itertools.combinations(boxes, 2)), default=0) <= 0.15


def test_the_same_seed_gives_the_same_tiles() -> None:
    image = photo(1, 400, 300)
    assert _tiles(image, 8, seed=5) == _tiles(image, 8, seed=5)
    assert _tiles(image, 8, seed=5) != _tiles(image, 8, seed=6)


def test_the_empty_part_of_a_photo_is_avoided() -> None:
    pixels = np.empty((400, 800, 3), np.uint8)
    pixels[:] = np.linspace(150, 190, 400).astype(np.uint8)[:, None, None]  # a sky that darkens slowly
    pixels[200:] = noise(0, 200, 800, 3)
    boxes = _tiles(Image.fromarray(pixels), 10, seed=2)
    assert len(boxes) == 10
    for left, top, right, bottom in boxes:
        assert left < right
        assert (bottom - max(top, 200)) / (bottom - top) >= 0.35


def test_nothing_is_made_of_nothing() -> None:
    assert _tiles(Image.new("RGB", (400, 300), (90, 90, 200)), 5) == []
    grain = 120 + np.random.default_rng(0).integers(0, 2, (300, 400, 1), dtype=np.uint8).repeat(3, axis=2)
    assert _tiles(Image.fromarray(grain), 5) == []  # a camera's noise is no detail


def test_close_ups_are_as_many_as_views() -> None:
    """Half of the tiles are smaller than the geometric mean of the smallest and the largest side."""
    image = photo(0, 800, 600)
    assert side_range(image.size, 1, 32) == (150, 600)
    sides = [box[2] - box[0] for seed in range(100) for box in _tiles(image, 1, seed=seed)]
    assert len(sides) == 100
    assert np.median(sides) == pytest.approx(300, rel=0.1)


def test_a_small_photo_gives_what_it_can() -> None:
    boxes = _tiles(photo(0, 40, 36), 10, resolution=32)
    assert 1 <= len(boxes) < 10
    assert all(right - left >= 32 for left, _, right, _ in boxes)
    assert _tiles(photo(0, 20, 16), 1, resolution=32)[0][3] == 16


@pytest.mark.parametrize("size", [(4000, 3000), (3000, 4000), (500, 500), (64, 4000), (3, 3), (1, 1)])
@pytest.mark.parametrize("count", [1, 16, 1000])
def test_sides_make_sense_at_any_size(size: tuple[int, int], count: int) -> None:
    smallest, largest = side_range(size, count, 64)
    assert 1 <= smallest <= largest <= min(size)
    assert smallest >= min(64, *size)


def test_few_tiles_span_a_quarter_to_all_of_the_short_side() -> None:
    assert side_range((4000, 3000), 4, 64) == (750, 2683)
    assert side_range((4000, 3000), 1, 64) == (750, 3000)


def test_a_picture_decoded_smaller_gets_its_tiles_in_the_file_s_pixels() -> None:
    image = photo(3, 800, 600)
    small = image.resize((200, 150), Image.Resampling.BOX)
    rng = np.random.default_rng(0)
    boxes = [crop.box for crop in choose_tiles(small, (800, 600), 6, 32, rng)]
    assert max(box[2] for box in boxes) > 200


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (3, 900), (7, 5)])
def test_tiny_and_thin_pictures_do_no_harm(size: tuple[int, int]) -> None:
    assert len(_tiles(Image.fromarray(noise(0, size[1], size[0], 3)), 3)) <= 3
