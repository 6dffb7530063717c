"""Bends that move the signal in the plane: flip, translate, scale, rotate.

Broad, Leymarie & Grierson, arXiv 2005.12420. All pictures and channels move alike, so the origin of each pixel is
computed once for the plane, in float64, and the signal is gathered from up to four neighbours; all channels at once if
they are last in memory, as on a CPU.
"""

import functools
import math
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "EDGES",
    "flip_h",
    "flip_v",
    "mirror_h",
    "mirror_v",
    "rotate",
    "scale",
    "swirl",
    "translate",
    "wave",
]

EDGES = ("zero", "reflect", "wrap", "smear")
"""What lies beyond the edge: nothing, the mirror image, the other side, the outermost pixel."""

_Source: TypeAlias = tuple[Tensor, Tensor]  # x and y in pixels, float64 [H, W]


@dataclass(frozen=True, slots=True)
class _Gather:
    """Where pixels come from: the neighbours of each in the flattened plane, and their weights, `[H * W, K]` both."""

    places: Tensor
    shares: Tensor


def flip_h(x: Tensor) -> Tensor:
    """Columns of `x [N, C, H, W]` in reverse."""
    return x.flip(3)


def flip_v(x: Tensor) -> Tensor:
    """Rows of `x [N, C, H, W]` in reverse."""
    return x.flip(2)


def mirror_h(x: Tensor) -> Tensor:
    """The left half of `x [N, C, H, W]`, and its mirror image as the right one."""
    columns = torch.arange(x.shape[3], device=x.device)
    return x[..., columns.minimum(columns.flip(0))]


def mirror_v(x: Tensor) -> Tensor:
    """The upper half of `x [N, C, H, W]`, and its mirror image as the lower one."""
    rows = torch.arange(x.shape[2], device=x.device)
    return x[:, :, rows.minimum(rows.flip(0))]


def translate(x: Tensor, dx: float, dy: float, *, edge: str = "zero") -> Tensor:
    """Move `x [N, C, H, W]` right by `dx` and down by `dy` as shares of its sides: `x(p - (dx W, dy H))`."""
    return _resample(x, "affine", (1.0, 0.0, 0.0, 1.0, dx, dy), edge)


def scale(x: Tensor, factor: float, *, edge: str = "zero") -> Tensor:
    """Magnify `x [N, C, H, W]` about its centre: `x((p - centre) / factor + centre)`, bilinear."""
    return _resample(x, "affine", (1 / factor, 0.0, 0.0, 1 / factor, 0.0, 0.0), edge)


def rotate(x: Tensor, degrees: float, *, edge: str = "zero") -> Tensor:
    """Turn `x [N, C, H, W]` about its centre, counter-clockwise as one looks at it, bilinear."""
    angle = math.radians(degrees % 360)
    cosine, sine = math.cos(angle), math.sin(angle)
    return _resample(x, "affine", (cosine, -sine, sine, cosine, 0.0, 0.0), edge)


def swirl(x: Tensor, degrees: float, *, edge: str = "zero") -> Tensor:
    """Turn the centre of `x [N, C, H, W]` by `degrees` and the rim of the inscribed ellipse not at all."""
    return _resample(x, "swirl", (math.radians(degrees),), edge)


def wave(x: Tensor, amount: float, waves: float, phase: float, *, edge: str = "zero") -> Tensor:
    """Shift each row of `x [N, C, H, W]` by `amount W sin(2π (waves v + phase))`, v from 0 at the top to 1."""
    return _resample(x, "wave", (amount, waves, phase), edge)


def _affine(across: Tensor, down: Tensor, size: Tensor, numbers: tuple[float, ...]) -> _Source:
    """Offsets from the centre, shifted by shares of the sides and multiplied by a matrix."""
    a, b, c, d, dx, dy = numbers
    across, down = across - dx * size[0], down - dy * size[1]
    return a * across + b * down, c * across + d * down


def _swirl(across: Tensor, down: Tensor, size: Tensor, numbers: tuple[float, ...]) -> _Source:
    radius = torch.hypot(across / size[0], down / size[1]) * 2
    angle = numbers[0] * (1 - radius).clamp(min=0) ** 2
    return angle.cos() * across - angle.sin() * down, angle.sin() * across + angle.cos() * down


def _wave(across: Tensor, down: Tensor, size: Tensor, numbers: tuple[float, ...]) -> _Source:
    amount, waves, phase = numbers
    v = down / size[1] + 0.5
    return across - amount * size[0] * torch.sin(2 * math.pi * (waves * v + phase)), down


_WARPS = {"affine": _affine, "swirl": _swirl, "wave": _wave}


def _resample(x: Tensor, warp: str, numbers: tuple[float, ...], edge: str) -> Tensor:
    height, width = x.shape[2:]
    gather = _gather(warp, numbers, height, width, edge, x.device)
    work = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    if not x.is_contiguous(memory_format=torch.channels_last):
        moved = _summed(work.flatten(2), 2, gather)
        return moved.unflatten(2, (height, width)).to(x.dtype)
    rows = work.permute(0, 2, 3, 1).flatten(1, 2)  # [N, H * W, C]
    is_plain = x.device.type == "cpu" and not (torch.is_grad_enabled() and x.requires_grad)
    moved = _summed_bags(rows, gather) if is_plain else _summed(rows, 1, gather)
    return moved.unflatten(1, (height, width)).permute(0, 3, 1, 2).to(x.dtype)


def _summed(x: Tensor, dim: int, gather: _Gather) -> Tensor:
    """The weighted sum of each pixel's neighbours, pixels being along `dim`."""
    shares = gather.shares.to(x.dtype)
    parts = (
        x.index_select(dim, places) * (share[:, None] if dim == 1 else share)
        for places, share in zip(gather.places.unbind(1), shares.unbind(1), strict=True)
    )
    return functools.reduce(torch.add, parts) if gather.places.shape[1] else torch.zeros_like(x)


def _summed_bags(rows: Tensor, gather: _Gather) -> Tensor:
    """The same for `[N, H * W, C]` as a sum of embeddings: one pass and far faster, but without second gradients."""
    if gather.places.shape[1] == 0:
        return torch.zeros_like(rows)
    num, size, _ = rows.shape
    first = torch.arange(num)[:, None, None] * size
    places = (gather.places + first).flatten(0, 1)
    shares = gather.shares.to(rows.dtype).expand(num, -1, -1).flatten(0, 1)
    summed = F.embedding_bag(places, rows.flatten(0, 1), mode="sum", per_sample_weights=shares)
    return summed.unflatten(0, (num, size))


@functools.lru_cache(maxsize=16)
def _gather(
    warp: str, numbers: tuple[float, ...], height: int, width: int, edge: str, device: torch.device
) -> _Gather:
    """The neighbours and shares of each pixel; neighbours without any share are left out."""
    with torch.inference_mode(False):  # a training may use the cached tensors later
        size = torch.tensor([width, height], dtype=torch.float64)
        y, x = torch.meshgrid(
            torch.arange(height, dtype=torch.float64) - (height - 1) / 2,
            torch.arange(width, dtype=torch.float64) - (width - 1) / 2,
            indexing="ij",
        )
        x, y = _WARPS[warp](x, y, size, numbers)
        x, y = _snap(x + (width - 1) / 2), _snap(y + (height - 1) / 2)
        places, shares = [], []
        for right in (0, 1):
            for below in (0, 1):
                column, row = x.floor() + right, y.floor() + below
                share = (1 - (x - column).abs()) * (1 - (y - row).abs())
                column, inside_x = _beyond(column, width, edge)
                row, inside_y = _beyond(row, height, edge)
                share = share * inside_x * inside_y
                if (share > 0).any():
                    places.append((row * width + column).long().flatten())
                    shares.append(share.float().flatten())
        none = torch.zeros(height * width, 0)
        return _Gather(
            (torch.stack(places, dim=1) if places else none.long()).to(device),
            (torch.stack(shares, dim=1) if shares else none).to(device),
        )


def _snap(position: Tensor) -> Tensor:
    """Move positions that miss a pixel by a rounding error onto it, so that quarter turns keep values unchanged."""
    nearest = position.round()
    return torch.where((position - nearest).abs() < 1e-9, nearest, position)


def _beyond(index: Tensor, size: int, edge: str) -> tuple[Tensor, Tensor]:
    """Indices brought into the picture as `edge` says, and 1 where they count, 0 where they do not."""
    everywhere = torch.ones_like(index)
    if edge == "wrap":
        return index % size, everywhere
    if edge == "smear":
        return index.clamp(0, size - 1), everywhere
    if edge == "reflect":
        period = max(2 * (size - 1), 1)
        index = index % period
        return index.minimum(period - index).clamp(0, size - 1), everywhere
    return index.clamp(0, size - 1), ((index >= 0) & (index < size)).double()
