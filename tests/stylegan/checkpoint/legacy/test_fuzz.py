"""Flipped bytes: whatever a damaged file says, it is loaded or refused in one line, and takes no memory."""

import random
import time
from pathlib import Path

import pytest

from stylegan.checkpoint import load_network
from stylegan.errors import CheckpointError
from tests.stylegan.checkpoint.legacy.jail import MAX_BYTES, MAX_SECONDS, peak_bytes
from tests.stylegan.checkpoint.legacy.sound import sound_files


def fuzz(folder: Path, num_flips: int, seed: int) -> tuple[int, int]:
    """Flip bytes one file at a time, most of them where the pickle is; counts of loaded and refused files."""
    draws = random.Random(seed)
    loaded = refused = 0
    sound = [(path, path.read_bytes()) for path in sound_files(folder)]
    for number in range(num_flips):
        path, data = sound[number % len(sound)]
        flipped = bytearray(data)
        for _ in range(draws.choice((1, 1, 2, 8))):
            end = len(data) if draws.random() < 0.3 else min(len(data), 4000)
            position = draws.randrange(end) if draws.random() < 0.8 else len(data) - 1 - draws.randrange(1000)
            flipped[position] = draws.choice(
                (flipped[position] ^ 1 << draws.randrange(8), draws.randrange(256))
            )
        path.write_bytes(flipped)
        started = time.process_time()
        try:
            load_network(path)
            loaded += 1
        except CheckpointError as error:
            assert str(error).isprintable()
            refused += 1
        assert time.process_time() - started < MAX_SECONDS
    return loaded, refused


def test_flipped_bytes_load_or_are_refused(tmp_path: Path) -> None:
    loaded, refused = fuzz(tmp_path, 150, seed=0)
    assert loaded > 5
    assert refused > 25


@pytest.mark.slow
def test_ten_thousand_flipped_bytes_load_or_are_refused(tmp_path: Path) -> None:
    before = peak_bytes()
    assert sum(fuzz(tmp_path, 10_000, seed=1)) == 10_000
    assert peak_bytes() - before < MAX_BYTES
