"""Truncation that varies over time: psi as an automation, `--trunc 'lfo(sine,0..1,4s)'`.

A constant psi is applied where ws are computed (`bend.latents`). One that varies is a `Play` on the `ws` tap, before
directions and bends, with the same formula (Karras et al., arXiv 1812.04948, appendix B).
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from bend.automation import Automation, parse
from bend.config import RenderConfig
from bend.latents import truncate
from bend.play import Moment
from stylegan.generator import Generator
from stylegan.taps import hang, taps

__all__ = ["Truncating", "open_truncation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncating:
    """The play that truncates.

    Attributes:
        psi: over time.
        cutoff: number of leading layers that are truncated; None for all.
    """

    psi: Automation
    cutoff: int | None = None

    @property
    def varies(self) -> bool:
        return self.psi.varies

    @contextlib.contextmanager
    def during(self, G: Generator, moment: Moment) -> Iterator[None]:
        """Truncate every ws that `G` draws."""
        psi = self.psi.at(moment.seconds)

        def pull(ws: Tensor) -> Tensor:
            return truncate(G, ws, psi, self.cutoff)

        with hang(G, taps(G)["ws"], pull):
            yield


def open_truncation(config: RenderConfig) -> tuple[Truncating, ...]:
    """The play of `config.trunc`: one if it varies over time, none if it is a number."""
    if not isinstance(config.trunc, str):
        return ()
    return (Truncating(psi=parse(config.trunc), cutoff=config.trunc_cutoff),)
