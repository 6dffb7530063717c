"""The latents along a whole walk at once, for tests that look at those and not at pictures."""

from collections.abc import Sequence

from torch import Tensor

from bend.config import RenderConfig, WalkConfig
from bend.strand import strand_of
from bend.walks import WALKS, times
from stylegan.generator import Generator

__all__ = ["walk_ws"]


def walk_ws(
    G: Generator, config: RenderConfig, walk: WalkConfig, seeds: Sequence[int], num_frames: int
) -> Tensor:
    """The ws `[num_frames, num_ws, w_dim]` of a single walk."""
    clock = times(num_frames, WALKS[walk.path].closes(walk.loop))
    return strand_of(G, config, walk, seeds).ws(G, config, clock)
