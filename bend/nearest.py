"""Finds the known word that was probably meant by an unknown one, for messages."""

import difflib
from collections.abc import Iterable

__all__ = ["meant", "nearest"]


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The known word most like the one that was typed, ignoring case; None if none is alike.

    Args:
        word: as typed.
        known: the words that it could have been.
        cutoff: how alike they must be, from 0 (not at all) to 1 (equal).
    """
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), list(by_lower), n=1, cutoff=cutoff)
    return by_lower[close[0]] if close else None


def meant(word: str, known: Iterable[str]) -> str:
    """What to type instead of an unknown word: the nearest that is known, or all of them."""
    known = list(known)
    close = nearest(word, known)
    return f"did you mean {close}?" if close else f"choose from {', '.join(known)}"
