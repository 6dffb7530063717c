"""The grammar of `--direction`: `SOURCE[:INDEX][*AMOUNT][@LAYERS]`.

sefa:3*2.5                      the fourth direction of SeFa, 2.5 standard deviations of w along it
pca:0*-2@4-8                    the first principal component, backwards, in layers 4 to 8 only
sefa:3*lfo(sine,-2..2,4s)@fine  back and forth, in the fine layers
smile.npz:1*1.5                 the second row of a file, times 1.5
"""

import re
from dataclasses import dataclass, field

from bend.automation import Automation, Constant, parse
from bend.errors import SettingsError
from bend.style_layers import parse_layers

__all__ = ["Direction", "parse_direction"]

_SUFFIX = ".npz"
_EXAMPLE = "write SOURCE:INDEX*AMOUNT@LAYERS, such as sefa:3*2.5 or pca:0*-2@4-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Direction:
    """A shift of w.

    Attributes:
        source: `sefa`, `pca`, or the path of an `.npz`.
        index: which of the source's directions, from 0, the strongest first.
        amount: how far, in standard deviations of w along it; of a file, in multiples of its vector.
        layers: a range for `style_layers.rows_of`; None for all.
    """

    source: str
    index: int = 0
    amount: Automation = field(default_factory=lambda: Constant(1.0))
    layers: str | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """The file that it comes from, if any."""
        return (self.source,) if self.source.lower().endswith(_SUFFIX) else ()

    def __str__(self) -> str:
        layers = "" if self.layers is None else f"@{self.layers}"
        return f"{self.source}:{self.index}*{self.amount}{layers}"


def parse_direction(text: str) -> Direction:
    """Read a direction.

    Raises:
        SettingsError: it is malformed; says which part is wrong.
    """
    head, star, tail = text.strip().partition("*")
    if star:
        amount, at, layers = tail.rpartition("@") if "@" in tail else (tail, "", "")
    else:
        head, at, layers = head.rpartition("@") if _ends_in_layers(head) else (head, "", "")
        amount = "1"
    match = re.fullmatch(r"(.+?)(?::(-?\d{1,9}))?", head.strip())
    if match is None:
        raise SettingsError(f"{text!r} is not a direction; {_EXAMPLE}")
    if int(match[2] or 0) < 0:
        raise SettingsError(
            f"{match[2]} is not an index; directions count from 0, {match[1]}:0 is the strongest"
        )
    return Direction(
        source=match[1],
        index=int(match[2] or 0),
        amount=parse(amount),
        layers=parse_layers(layers) if at else None,
    )


def _ends_in_layers(head: str) -> bool:
    # A path may contain an @, but not after its suffix.
    return "@" in head and not head.lower().rpartition("@")[2].endswith(_SUFFIX)
