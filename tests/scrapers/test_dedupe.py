"""The near-duplicate index against a plain comparison with everything, and its speed at 100,000."""

import random
import time

import pytest

from scrapers.dedupe import NearDuplicates


@pytest.mark.parametrize("distance", [0, 1, 4, 7, 16])
def test_finds_what_a_full_search_finds(distance: int) -> None:
    rng = random.Random(distance)
    index, known = NearDuplicates(distance), []
    for number in range(400):
        if known and rng.random() < 0.5:
            value = rng.choice(known)
            for bit in rng.sample(range(64), rng.randrange(0, 2 * distance + 2)):
                value ^= 1 << bit
        else:
            value = rng.getrandbits(64)
        nearest = (
            min(((value ^ other).bit_count(), row) for row, other in enumerate(known)) if known else (99, 0)
        )
        assert index.find(value) == (f"{nearest[1]}" if nearest[0] <= distance else None)
        index.add(value, f"{number}")
        known.append(value)
    assert len(index) == 400


def test_distance_is_bounded() -> None:
    with pytest.raises(ValueError, match="0 to 16"):
        NearDuplicates(17)


def test_stays_fast_at_a_hundred_thousand() -> None:
    rng = random.Random(0)
    index = NearDuplicates(4)
    for number in range(100_000):
        index.add(rng.getrandbits(64), str(number))
    began = time.process_time()  # of this process alone, whatever else the machine does
    for _ in range(200):
        index.find(rng.getrandbits(64))
    elapsed_s = time.process_time() - began
    assert elapsed_s / 200 < 0.03  # no more than decoding one picture takes
