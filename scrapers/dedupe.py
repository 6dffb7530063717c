"""Near-duplicates: which of very many perceptual hashes lies within a few bits of a new one.

Comparing with all of 100,000 hashes for each new one is too slow. If two 64-bit hashes differ in at most d bits and
each is cut into d + 1 bands, then at least one band is equal in both (the pigeonhole of multi-index hashing: Norouzi,
Punjani, Fleet, "Fast Search in Hamming Space with Multi-Index Hashing", CVPR 2012). So one table per band finds every
candidate, exactly, and only those are compared.
"""

import itertools

__all__ = ["NearDuplicates"]

_BITS = 64


class NearDuplicates:
    """An index of 64-bit hashes, each with a label.

    Args:
        max_distance: how many differing bits still count as the same picture; 0 is only the very same hash.
    """

    def __init__(self, max_distance: int) -> None:
        if not 0 <= max_distance <= 16:
            raise ValueError(f"max_distance {max_distance}: 0 to 16 of 64 bits")
        self.max_distance = max_distance
        num_bands = max_distance + 1
        edges = [_BITS * i // num_bands for i in range(num_bands + 1)]
        self._bands = [(low, (1 << (high - low)) - 1) for low, high in itertools.pairwise(edges)]
        self._tables: list[dict[int, list[int]]] = [{} for _ in self._bands]
        self._hashes: list[int] = []
        self._labels: list[str] = []

    def __len__(self) -> int:
        return len(self._hashes)

    def add(self, value: int, label: str) -> None:
        """Put a hash into the index."""
        row = len(self._hashes)
        self._hashes.append(value)
        self._labels.append(label)
        for table, (shift, mask) in zip(self._tables, self._bands, strict=True):
            table.setdefault(value >> shift & mask, []).append(row)

    def find(self, value: int) -> str | None:
        """The label of the nearest hash within the distance (of equals, the first added), None if there is none."""
        hashes = self._hashes
        best = (self.max_distance + 1, 0)
        for table, (shift, mask) in zip(self._tables, self._bands, strict=True):
            for row in table.get(value >> shift & mask, ()):
                distance = (hashes[row] ^ value).bit_count()
                if distance <= best[0]:
                    best = min(best, (distance, row))
        return self._labels[best[1]] if best[0] <= self.max_distance else None
