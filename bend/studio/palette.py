"""The palette: the table of bends as the page shows it."""

from typing import Any

from bend.bends.row import Bend, MemoryBend, SignalBend, WeightBend
from bend.bends.table import BENDS

__all__ = ["palette"]

_PLANES = ("conv", "torgb", "const", "image")
"""Kinds of taps whose signal has height and width."""
_VECTORS = ("affine", "ws", "mapping")


def palette() -> list[dict[str, Any]]:
    """All bends, as JSON for the page."""
    return [
        {
            "name": name,
            "does": row.does,
            "family": _family(row),
            "kinds": _kinds(row),
            "is_spatial": isinstance(row, SignalBend) and row.is_spatial,
            "takes_edge": isinstance(row, SignalBend) and row.takes_edge,
            "parameters": _parameters(row),
        }
        for name, row in BENDS.items()
    ]


def _family(row: Bend) -> str:
    """The drawer of the palette: the module that computes the bend."""
    if isinstance(row, WeightBend):
        return "weights"
    assert isinstance(row, (SignalBend, MemoryBend))
    return row.apply.__module__.rpartition(".")[2]


def _kinds(row: Bend) -> tuple[str, ...]:
    """The kinds of taps that the bend suits."""
    if isinstance(row, WeightBend):
        return row.kinds
    return _PLANES if isinstance(row, SignalBend) and row.is_spatial else _PLANES + _VECTORS


def _parameters(row: Bend) -> list[dict[str, Any]]:
    zeros = (0.0,) * len(row.parameters)
    settings = zip(row.parameters, row.example or zeros, row.neutral or zeros, strict=True)
    return [
        {
            "name": parameter.name,
            "low": parameter.low,
            "high": parameter.high,
            "default": example if parameter.default is None else parameter.default,
            "neutral": neutral,
            "example": example,
            "is_whole": parameter.is_whole,
        }
        for parameter, example, neutral in settings
    ]
