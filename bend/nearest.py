"""Which of the words that are known somebody meant who typed another: for messages that name it."""

import difflib
from collections.abc import Iterable

__all__ = ["meant", "nearest"]


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The known word most like the one that was typed, in whichever case.

    Args:
        word: as typed.
        known: what it could have been.
        cutoff: how alike they have to be, 0 for anything to 1 for the same.
    """
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), list(by_lower), n=1, cutoff=cutoff)
    return by_lower[close[0]] if close else None


def meant(word: str, known: Iterable[str]) -> str:
    """What to type instead of an unknown word: the nearest that is known, or all of them."""
    known = list(known)
    close = nearest(word, known)
    return f"did you mean {close}?" if close else f"known are {', '.join(known)}"
