"""Numbers in settings: how great one may be, and how it is spelled.

A network computes in float32, which ends at 3e38. Settings are multiplied on their way through it, so their limit is
far lower; beyond it there is nothing to see.
"""

import math

__all__ = ["GREATEST", "fault_of", "spelled"]

GREATEST = 1e12


def fault_of(value: float) -> str | None:
    """What is wrong with a number, as the end of a sentence that begins with it; None if nothing is."""
    if not math.isfinite(value):
        return "is not finite"
    return None if abs(value) <= GREATEST else f"is beyond {GREATEST:g}, which networks cannot compute with"


def spelled(value: float) -> str:
    """The shortest text that reads back as the same number, without a point if it is whole."""
    return repr(float(value)).removesuffix(".0")
