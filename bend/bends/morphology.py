"""Erosion and dilation: dark or bright parts of the signal grow by the shape of an elliptical element.

As in Broad, Leymarie & Grierson, arXiv 2005.12420, the element is OpenCV's ellipse of (2r+1)² pixels. Rows of the
element that are equally wide share one pass along the signal's rows, so that 4r + 1 comparisons of whole signals cover
the (2r+1)² pixels, and nothing loops over pixels or channels. A radius between two whole numbers blends the results of
both.
"""

import functools
import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

__all__ = ["dilate", "ellipse_widths", "erode"]

_Extreme: TypeAlias = Callable[..., Tensor]


def dilate(x: Tensor, radius: float) -> Tensor:
    """The greatest value of `x [N, C, H, W]` within an ellipse of `radius` pixels; beyond the edge is nothing."""
    return _between(x, radius, torch.maximum)


def erode(x: Tensor, radius: float) -> Tensor:
    """The least value of `x [N, C, H, W]` within an ellipse of `radius` pixels; beyond the edge is nothing."""
    return _between(x, radius, torch.minimum)


@functools.lru_cache(maxsize=64)
def ellipse_widths(radius: int) -> tuple[int, ...]:
    """Half-widths of the elliptical element by row, from the centre (`radius`) outwards (0)."""
    return tuple(round(math.sqrt(radius**2 - dy**2)) for dy in range(radius + 1))


def _between(x: Tensor, radius: float, extreme: _Extreme) -> Tensor:
    whole = math.floor(radius)
    share = radius - whole
    below = _under_ellipse(x, whole, extreme)
    return below if share == 0 else _under_ellipse(x, whole + 1, extreme).lerp_(below, 1 - share)


def _under_ellipse(x: Tensor, radius: int, extreme: _Extreme) -> Tensor:
    if radius == 0:
        return x
    widths = ellipse_widths(radius)
    along, reach = x.clone(), 0  # the extremes of each pixel's neighbours within `reach` in its row
    result = x.clone()
    for dy in range(radius, -1, -1):  # from the narrowest rows to the widest
        while reach < widths[dy]:
            reach += 1
            along = _include(along, x, 3, reach, extreme)
            along = _include(along, x, 3, -reach, extreme)
        for step in {dy, -dy}:
            result = _include(result, along, 2, step, extreme)
    return result


def _include(total: Tensor, x: Tensor, dim: int, steps: int, extreme: _Extreme) -> Tensor:
    """The extremes of `total`, which is overwritten, and of `x` shifted by `steps` along `dim`."""
    length = x.shape[dim] - abs(steps)
    if length <= 0:
        return total
    other = x.narrow(dim, max(steps, 0), length)
    if not (torch.is_grad_enabled() and x.requires_grad):
        part = total.narrow(dim, max(-steps, 0), length)
        extreme(part, other, out=part)
        return total
    total = total.clone()
    part = total.narrow(dim, max(-steps, 0), length)
    part.copy_(extreme(part.clone(), other))
    return total
