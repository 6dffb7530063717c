"""Numbers that are played with: how great one may be, and how it is spelled.

A network computes in float32, which ends at 3e38; what is asked for is multiplied on its way there, so much less must
be the end of it, and nothing that can be seen lies beyond.
"""

import math

__all__ = ["GREATEST", "fault_of", "spelled"]

GREATEST = 1e12


def fault_of(value: float) -> str | None:
    """What is wrong with a number, as the end of a sentence that begins with it; None where it is sound."""
    if not math.isfinite(value):
        return "is not finite"
    return None if abs(value) <= GREATEST else f"is beyond {GREATEST:g}, where networks compute nothing"


def spelled(value: float) -> str:
    """The shortest text that is read back as the same number; a whole one has no point."""
    return repr(float(value)).removesuffix(".0")
