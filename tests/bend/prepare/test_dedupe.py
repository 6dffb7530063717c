"""Twins by bytes and by looks, among many."""

import io
import time

import numpy as np
from PIL import Image

from bend.prepare.dedupe import Seen, content_digest, difference_hash
from bend.prepare.intake import take_in
from tests.bend.prepare.pictures import photo
from tests.stylegan.archive.zips import encoded


def test_the_first_of_equals_is_named() -> None:
    seen = Seen()
    assert seen.twin("a", "11", None) is None
    assert seen.twin("b", "22", None) is None
    assert seen.twin("c", "11", None) == "a"
    assert seen.twin("d", None, None) is None


def test_of_those_that_look_the_same_the_nearest_is_named() -> None:
    seen = Seen()
    assert seen.twin("far", "11", 0b000111) is None
    assert seen.twin("near", "22", 0b111000) is None
    assert seen.twin("a", "33", 0b011001) == "near"  # 2 bits from it, 4 from the other
    assert seen.twin("b", "44", 0b100110) == "far"
    assert seen.twin("c", "22", None) == "near"


def test_resaved_and_scaled_copies_look_the_same() -> None:
    seen = Seen()
    for i in range(20):
        assert seen.twin(f"{i}", None, difference_hash(photo(i, 160, 120))) is None
    for i in range(20):
        copy = photo(i, 160, 120).resize((97, 73), Image.Resampling.LANCZOS)
        resaved = take_in(io.BytesIO(encoded(copy, "JPEG", quality=60))).image
        assert seen.twin("copy", None, difference_hash(resaved)) == f"{i}"


def test_digests_are_of_the_whole_file() -> None:
    data = bytes(3_000_000)
    file = io.BytesIO(data)
    file.read(10)
    assert content_digest(file) == content_digest(io.BytesIO(data))
    assert content_digest(file) != content_digest(io.BytesIO(data[:-1]))


def test_it_stays_quick_among_many() -> None:
    rng = np.random.default_rng(0)
    seen = Seen()
    for i, looks in enumerate(rng.integers(0, 2**63, 3000)):
        assert seen.twin(str(i), None, int(looks)) is None
    seen._looks._hashes = rng.integers(0, 2**63, 100_000).astype(np.uint64)
    seen._looks._length = 100_000
    seen._names = [str(i) for i in range(100_000)]
    looks = int(seen._looks._hashes[77_777])
    start = time.process_time()  # of this process alone, whatever else the machine does
    for _ in range(10):
        assert seen.twin("x", None, looks ^ 0b1001) == "77777"
    assert time.process_time() - start < 5  # comparing one by one in Python takes a minute
