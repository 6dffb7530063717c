"""The list of a zip's members, held in arrays: some 50 bytes a member where a Python object takes 500.

Names lie end to end in one run of bytes, the rest in a numpy array for each field. A `Member` is made when one is
asked for.
"""

import bisect
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Member", "Members", "NameTable"]

_MOST_SORT_BYTES = 128 * 2**20  # for sorting names padded to one width in numpy
_BLOCK = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file in the zip, as the central directory describes it."""

    name: str
    offset: int
    """Where its local header starts, in bytes."""
    stored_bytes: int
    """Size as it lies in the zip."""
    num_bytes: int
    """Size once unpacked."""
    method: int
    """0 stored, 8 deflated."""
    crc: int
    is_encrypted: bool


class NameTable:
    """Names as UTF-8, end to end.

    Args:
        blob: all of them.
        ends: where each ends in `blob`, int64 [N].
    """

    def __init__(self, blob: bytes, ends: npt.NDArray[np.int64]) -> None:
        self.blob = blob
        self.ends = ends.astype(np.uint32) if len(blob) < 2**32 else ends

    @classmethod
    def of(cls, names: Iterable[bytes]) -> "NameTable":
        """A table of the given names."""
        listed = list(names)
        return cls(b"".join(listed), np.cumsum([len(name) for name in listed], dtype=np.int64))

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, row: int) -> bytes:
        start = int(self.ends[row - 1]) if row else 0
        return self.blob[start : int(self.ends[row])]

    def __iter__(self) -> Iterator[bytes]:
        start = 0
        for first in range(0, len(self.ends), _BLOCK):
            for end in self.ends[first : first + _BLOCK].tolist():
                yield self.blob[start:end]
                start = end

    def text(self, row: int) -> str:
        """Name `row` as text."""
        return self[row].decode()

    def take(self, rows: npt.NDArray[np.intp]) -> "NameTable":
        """A table of these rows."""
        return NameTable.of(self[row] for row in rows.tolist())

    def order(self) -> npt.NDArray[np.int32] | None:
        """The rows sorted by name, equal names by row; None where the names are sorted already and all differ."""
        previous = None
        for name in self:
            if previous is not None and name <= previous:
                break
            previous = name
        else:
            return None
        width = int(np.diff(self.ends, prepend=0).max())
        if len(self) * width > _MOST_SORT_BYTES:
            return np.array(sorted(range(len(self)), key=self.__getitem__), np.int32)
        keys = np.zeros(len(self), f"S{width}")
        names = iter(self)
        for first in range(0, len(self), _BLOCK):
            keys[first : first + _BLOCK] = list(itertools.islice(names, _BLOCK))
        return keys.argsort(kind="stable").astype(np.int32)


class Members(Mapping[str, Member]):
    """The members of a zip by name, in the order of its directory; of several with one name the last counts.

    Args:
        names: their names.
        offset, stored_bytes, num_bytes, method, crc, is_encrypted: as in `Member`, [N] each; sizes stop at 2**32 - 1.
    """

    def __init__(
        self,
        names: NameTable,
        *,
        offset: npt.NDArray[np.int64],
        stored_bytes: npt.NDArray[np.uint32],
        num_bytes: npt.NDArray[np.uint32],
        method: npt.NDArray[np.uint16],
        crc: npt.NDArray[np.uint32],
        is_encrypted: npt.NDArray[np.bool_],
    ) -> None:
        self.names = names
        self.num_bytes = num_bytes
        self.crc = crc
        self._offset, self._stored_bytes, self._method = offset, stored_bytes, method
        self._is_encrypted = is_encrypted
        self._order = names.order()
        self.duplicates: tuple[str, ...] = ()
        """Names that were there more than once."""
        if self._order is not None:
            self._drop_duplicates(self._order)

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return (name.decode() for name in self.names)

    def __getitem__(self, name: str) -> Member:
        if (row := self.find(name.encode(errors="surrogatepass"))) is None:
            raise KeyError(name)
        return self.member(row)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.find(name.encode(errors="surrogatepass")) is not None

    def member(self, row: int) -> Member:
        """Member `row` of the directory."""
        return Member(
            name=self.names.text(row),
            offset=int(self._offset[row]),
            stored_bytes=int(self._stored_bytes[row]),
            num_bytes=int(self.num_bytes[row]),
            method=int(self._method[row]),
            crc=int(self.crc[row]),
            is_encrypted=bool(self._is_encrypted[row]),
        )

    def find(self, name: bytes) -> int | None:
        """The row of a name; None where there is none."""
        place = bisect.bisect_left(range(len(self)), name, key=lambda k: self.names[self._row(k)])
        if place == len(self) or self.names[self._row(place)] != name:
            return None
        return self._row(place)

    def sorted_rows(self) -> npt.NDArray[np.int32]:
        """All rows in the order of their names."""
        return np.arange(len(self), dtype=np.int32) if self._order is None else self._order

    def _row(self, place: int) -> int:
        return place if self._order is None else int(self._order[place])

    def _drop_duplicates(self, order: npt.NDArray[np.int32]) -> None:
        is_kept = np.ones(len(self), bool)
        found: dict[str, None] = {}
        previous = None
        for row in order.tolist():
            name = self.names[row]
            if previous is not None and name == self.names[previous]:
                is_kept[previous] = False
                found[name.decode()] = None
            previous = row
        if not found:
            return
        kept = np.flatnonzero(is_kept)
        self.duplicates = tuple(found)
        self.names = self.names.take(kept)
        for field in ("_offset", "_stored_bytes", "num_bytes", "_method", "crc", "_is_encrypted"):
            setattr(self, field, getattr(self, field)[kept])
        self._order = self.names.order()
