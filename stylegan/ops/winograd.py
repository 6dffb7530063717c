"""Winograd's 3×3 convolution for many channels on a CPU: a quarter of the multiplications, in float32.

Winograd's fast algorithms, applied to convolutions by Lavin and Gray (arXiv 1509.09308): 4×4 outputs at a time are 36
products of a transformed input tile with transformed weights, summed over channels by one grouped 1×1 convolution of
oneDNN's. The points 0, ±√½, ±√2 and ∞ keep the rounding error at twice that of the plain sum (Barabasz et al., arXiv
1803.10986). Gradients of weights are the transpose of the same. `csrc/winograd.cpp` transforms the tiles; without it,
and wherever it does not pay off, `stylegan.ops.convolution` takes the plain convolution. On a processor with AVX2 or
AVX-512, with or without a matrix unit, the whole convolution is one native call, the one that drawing uses
(`csrc/styled_conv.cpp`).
"""

import functools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.ops import native

__all__ = ["convolve", "pays", "pays_for_weights", "weight_gradient"]

_TILE = 4
_POINTS = 36
_LANES = 16  # channels come in vectors of this many
_LEAST_CHANNELS, _LEAST_TILES = 64, 128
_LEAST_CHANNELS_ON_VECTORS = 32  # for the single call without a matrix unit, however few the tiles
_LEAST_PRODUCTS = 25_000_000  # tiles × inputs × outputs from which the calls for weight gradients pay off
_CHUNK_BYTES = 64 << 20  # of transformed tiles alive at once

torch.library.define(
    "bend::winograd_split", "(Tensor x, Tensor(a!) points, bool is_gradient, bool by_point) -> ()"
)
torch.library.define("bend::winograd_join", "(Tensor points, Tensor(a!) y) -> ()")
torch.library.define("bend::convolve3x3", "(Tensor x, Tensor weight) -> Tensor")
torch.library.register_fake("bend::winograd_split")(lambda x, points, is_gradient, by_point: None)
torch.library.register_fake("bend::winograd_join")(lambda points, y: None)
torch.library.register_fake("bend::convolve3x3")(
    lambda x, weight: x.new_empty([x.shape[0], *x.shape[2:], weight.shape[0]])
)


def pays(x: Tensor, w: Tensor) -> bool:
    """Whether `convolve` can take a 3×3 convolution of stride 1 and padding 1, and is likely to be faster.

    Args:
        x: `[N, I, H, W]`.
        w: `[O, I, 3, 3]` or `[I, O, 3, 3]`, either way round.
    """
    if w.dtype != torch.float32 or not _is_able(x, *w.shape[:2]):
        return False
    on_vectors = native.has_wide_vectors() and not _has_matrix_unit()
    channels, tiles = (_LEAST_CHANNELS_ON_VECTORS, 1) if on_vectors else (_LEAST_CHANNELS, _LEAST_TILES)
    return min(w.shape[:2]) >= channels and _num_tiles(x) >= tiles


def pays_for_weights(x: Tensor, grad: Tensor) -> bool:
    """Whether `weight_gradient` can take `x` and `grad`, and is likely to be faster; shapes as there."""
    channels = x.shape[1], grad.shape[1]
    if min(channels) < _LEAST_CHANNELS or not (_is_able(x, *channels) and _is_able(grad, *channels)):
        return False
    return _num_tiles(x) * math.prod(channels) >= _LEAST_PRODUCTS


def convolve(x: Tensor, w: Tensor, is_transposed: bool = False) -> Tensor:
    """Correlate with stride 1 and padding 1, or apply the transpose of that.

    Args:
        x: float32 `[N, I, H, W]`, channels last, sides multiples of 4.
        w: float32 `[O, I, 3, 3]`; transposed `[I, O, 3, 3]`.
        is_transposed: flip the kernel and exchange inputs and outputs first.

    Returns:
        `[N, O, H, W]`, channels last.
    """
    if is_transposed:
        w = w.transpose(0, 1)
    if native.has_wide_vectors():
        kernel = w.flip(2, 3) if is_transposed else w
        made: Tensor = torch.ops.bend.convolve3x3.default(x, kernel.contiguous())
        return made.permute(0, 3, 1, 2)  # a kernel of the stable ABI cannot make a tensor with channels last
    num_out, num_in = w.shape[:2]
    n, _, height, width = x.shape
    points = _kernel_points(is_transposed) @ w.reshape(num_out * num_in, 9).T
    points = points.reshape(_POINTS * num_out, num_in, 1, 1)
    y = torch.empty(
        [n, num_out, height, width], dtype=x.dtype, device=x.device, memory_format=torch.channels_last
    )
    for part in _chunks(x, max(num_in, num_out)):
        tiles = _split(x[part], is_gradient=False, by_point=False)
        tiles = tiles.reshape(1, -1, _rows(len(tiles)), _POINTS * num_in).permute(0, 3, 1, 2)
        products = F.conv2d(tiles, points, groups=_POINTS).permute(0, 2, 3, 1)
        torch.ops.bend.winograd_join.default(products, y[part])
    return y


def weight_gradient(x: Tensor, grad: Tensor) -> Tensor:
    """The gradient by `w` of `convolve(x, w)`.

    Args:
        x: float32 `[N, I, H, W]`, channels last, sides multiples of 4.
        grad: float32 `[N, O, H, W]`, channels last.

    Returns:
        `[O, I, 3, 3]`.
    """
    num_in, num_out = x.shape[1], grad.shape[1]
    like = x.new_empty([num_out, num_in, 1, 1])  # only its shape counts
    total = x.new_zeros([_POINTS, num_out * num_in])
    for part in _chunks(x, max(num_in, num_out)):
        inputs = _split(x[part], is_gradient=False, by_point=True)
        outputs = _split(grad[part], is_gradient=True, by_point=True)
        for point in range(_POINTS):
            total[point] += _product(inputs[point], outputs[point], like).flatten()
    return (_kernel_points(False).T @ total).reshape(3, 3, num_out, num_in).permute(2, 3, 0, 1)


def _is_able(x: Tensor, *channels: int) -> bool:
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and not any(count % _LANES for count in channels)
        and x.shape[2] % _TILE == x.shape[3] % _TILE == 0
        and x.is_contiguous(memory_format=torch.channels_last)
        and not native.is_traced()
        and native.available("cpu")
    )


@functools.cache
def _has_matrix_unit() -> bool:
    """Whether the single call multiplies in digits (`csrc/digits.h`), from which small layers gain nothing."""
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_int8"))


def _num_tiles(x: Tensor) -> int:
    return x.shape[0] * (x.shape[2] // _TILE) * (x.shape[3] // _TILE)


def _chunks(x: Tensor, channels: int) -> list[slice]:
    """Parts of a batch whose transformed tiles take about `_CHUNK_BYTES` at most."""
    per_picture = _num_tiles(x[:1]) * _POINTS * channels * x.element_size()
    size = max(_CHUNK_BYTES // per_picture, 1)
    return [slice(start, start + size) for start in range(0, len(x), size)]


def _split(x: Tensor, *, is_gradient: bool, by_point: bool) -> Tensor:
    """Tiles of `x` at the 36 points: `[tiles, 36, C]`, or `[36, tiles, C]` by point."""
    tiles = _num_tiles(x)
    points = x.new_empty([_POINTS, tiles, x.shape[1]] if by_point else [tiles, _POINTS, x.shape[1]])
    torch.ops.bend.winograd_split.default(x, points, is_gradient, by_point)
    return points


def _product(inputs: Tensor, outputs: Tensor, like: Tensor) -> Tensor:
    """`outputs.T @ inputs`, `[O, I, 1, 1]` of `[T, O]` and `[T, I]`, by oneDNN, which is the fastest on any CPU."""
    rows = _rows(len(inputs))
    pictures = [t.reshape(1, -1, rows, t.shape[1]).permute(0, 3, 1, 2) for t in (outputs, inputs)]
    no_steps: list[int] = [0, 0]
    _, result, _ = torch.ops.aten.convolution_backward(
        *pictures, like, None, [1, 1], no_steps, [1, 1], False, no_steps, 1, [False, True, False]
    )
    product: Tensor = result
    return product


def _rows(count: int) -> int:
    """How wide a picture of `count` pixels to make: oneDNN's kernels dislike single columns."""
    return math.gcd(count, 8)


@functools.cache
def _kernel_points(is_flipped: bool) -> Tensor:
    """The matrix `[36, 9]` from a kernel's 3×3 weights to its values at the 36 points."""
    near, far = math.sqrt(0.5), math.sqrt(2)
    finite = [0.0, near, -near, far, -far]
    rows = []
    for point in finite:
        scale = math.prod(point - other for other in finite if other != point)
        rows.append([1 / scale, point / scale, point**2 / scale])
    axis = torch.tensor([*rows, [0, 0, 1]], dtype=torch.float64)
    if is_flipped:
        axis = axis.flip(1)
    return torch.kron(axis, axis).float()
