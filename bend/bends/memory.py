"""Bends that remember: freeze holds the map of an earlier frame or of another seed, feedback adds an echo.

Nothing is remembered from one film to the next: the first frame that is drawn forgets all earlier maps, so that a film
drawn twice is the same. A loop with feedback is drawn from before its beginning (`bend.play.run_up`). Frames must come
in order; a film that is resumed draws its earlier frames again.
"""

import math
from dataclasses import dataclass, field

from torch import Tensor
from torch.nn import functional as F

from bend.play import Moment

__all__ = ["FIRST_FRAME", "Memory", "feedback", "frames_to_settle", "freeze"]

FIRST_FRAME = -1
"""The seed of `freeze` that means the first frame of the film."""
_UNHEARD = 1 / 512
"""An echo that has faded to this no longer shows in eight bits, or hardly."""
_LOUDEST = 1e4  # keeps an echo with a gain above 1 finite; half precision ends at 65504


@dataclass(slots=True, kw_only=True)
class Memory:
    """What one bend at one tap remembers.

    Attributes:
        moment: of the picture that is being drawn.
        fixed: the map of another seed, `[1, C, H, W]`; None for none.
        maps: by place in the frame, then by index of the frame.
    """

    moment: Moment = field(default_factory=Moment)
    fixed: Tensor | None = None
    maps: dict[int, dict[int, Tensor]] = field(default_factory=dict)

    def recall(self, index: int, like: Tensor) -> Tensor | None:
        """The map of frame `index` at this place; None if there was none, or one of another shape."""
        found = self.maps.get(self.moment.place, {}).get(index)
        return found if found is not None and found.shape == like.shape else None

    def keep(self, index: int, x: Tensor, oldest: int) -> None:
        """Remember `x` as frame `index` of this place, and forget what is older than `oldest`."""
        maps = {} if self.moment.index == self.moment.first else self.maps.get(self.moment.place, {})
        kept = {frame: value for frame, value in maps.items() if frame >= oldest}
        self.maps[self.moment.place] = kept | {index: x.detach()}


def freeze(x: Tensor, memory: Memory, seed: int) -> Tensor:
    """The map of the film's first frame, or of another seed, in place of `x [N, C, H, W]`."""
    if seed != FIRST_FRAME:
        assert memory.fixed is not None
        fixed = memory.fixed.to(x.dtype)
        if fixed.shape[2:] != x.shape[2:]:  # a picture of another size than the network's own
            fixed = F.interpolate(fixed, size=x.shape[2:], mode="bilinear", align_corners=False)
        return fixed.expand_as(x)
    first = None if memory.moment.index == 0 else memory.recall(0, x)
    if first is None:
        memory.keep(0, x, oldest=0)
        return x
    return first


def feedback(x: Tensor, memory: Memory, gain: float, frames: int) -> Tensor:
    """`x [N, C, H, W]` plus `gain` times what left this layer `frames` frames ago."""
    now = memory.moment.index
    past = None if now == memory.moment.first else memory.recall(now - frames, x)
    echoed = x if past is None else (x + gain * past).clamp(-_LOUDEST, _LOUDEST)
    memory.keep(now, echoed, oldest=now - frames)
    return echoed


def frames_to_settle(gain: float, frames: int) -> int | None:
    """How many frames feedback takes to forget how it began; None for never, since its echo does not fade."""
    if abs(gain) >= 1:
        return None
    return 0 if gain == 0 else frames * math.ceil(math.log(_UNHEARD) / math.log(abs(gain)))
