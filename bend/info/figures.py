"""Figures for a terminal: tables in columns, sizes with units, curves as a row of small blocks."""

from collections.abc import Sequence

__all__ = ["sparkline", "table", "with_unit"]

_BLOCKS = "▁▂▃▄▅▆▇█"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """Lines of a table.

    Args:
        head: names of the columns.
        rows: cells, as many in each row as there are columns.
        right: indices of the columns that are aligned right.
    """
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (head, *rows)
    ]


def with_unit(num_bytes: int) -> str:
    """`11.4 MB`."""
    size = float(num_bytes)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"


def sparkline(values: Sequence[float], width: int = 40) -> str:
    """A curve in one line: the lowest value is the lowest block; longer curves are thinned to `width`."""
    kept = [values[i * len(values) // min(width, len(values))] for i in range(min(width, len(values)))]
    low, high = min(kept), max(kept)
    span = (high - low) or 1.0
    return "".join(_BLOCKS[round((value - low) / span * (len(_BLOCKS) - 1))] for value in kept)
