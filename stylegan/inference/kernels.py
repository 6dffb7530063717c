"""The native operations of the fast path: schemas, shapes without data, and which tensors they take.

On a CPU the kernels are `csrc/styled_conv.cpp`, `dense.cpp`, `finish_layer.cpp` and `to_rgb.cpp`, on CUDA
`modulation.cu`, `finish_layer.cu` and `to_rgb.cu`. They have no derivatives: the fast path is only for when gradients
are off.
"""

import torch
from torch import Tensor

from stylegan.ops import native

__all__ = [
    "LANE",
    "SLOPES",
    "demodulate",
    "dense",
    "finish_layer",
    "lay_out",
    "modulates",
    "scale_channels",
    "serves",
    "serves_rows",
    "styled_conv",
    "takes_whole_layer",
    "to_rgb",
]

LANE = 16
"""On a CPU, numbers of channels are multiples of this."""
SLOPES = {"linear": 1.0, "relu": 0.0, "lrelu": 0.2}
"""The slope left of zero of each activation that layers have."""
_MOST_ROWS = 32  # with more, a matrix product is faster

_SETTINGS = "float slope, float gain, float clamp"
torch.library.define(
    "bend::styled_conv",
    "(Tensor x, Tensor weight, Tensor styles, Tensor? noise, Tensor bias, Tensor? taps, "
    f"{_SETTINGS}, bool on_matrix_unit) -> Tensor",
    tags=torch.Tag.pt2_compliant_tag,
)
torch.library.define(
    "bend::dense",
    "(Tensor x, Tensor weight, Tensor bias, float gain, float bias_gain) -> Tensor",
    tags=torch.Tag.pt2_compliant_tag,
)
torch.library.define(
    "bend::finish_layer",
    f"(Tensor x, Tensor demodulation, Tensor? noise, Tensor bias, Tensor? taps, {_SETTINGS}) -> Tensor",
    tags=torch.Tag.pt2_compliant_tag,
)
torch.library.define(
    "bend::demodulate",
    "(Tensor weight, Tensor styles, bool is_bounded) -> Tensor",
    tags=torch.Tag.pt2_compliant_tag,
)
torch.library.define(
    "bend::lay_out",
    "(Tensor x, Tensor weight, Tensor gains, Tensor? scales, bool is_transposed) -> Tensor",
    tags=torch.Tag.pt2_compliant_tag,
)
torch.library.define(
    "bend::scale_channels",
    "(Tensor x, Tensor scales) -> Tensor",
    tags=torch.Tag.pt2_compliant_tag,
)
torch.library.define(
    "bend::to_rgb",
    "(Tensor x, Tensor weights, Tensor bias, float clamp) -> Tensor",
    tags=torch.Tag.pt2_compliant_tag,
)


def serves(x: Tensor, *channels: int) -> bool:
    """Whether the kernels take a tensor like `x`.

    On a CPU it must be dense with channels last, and its channels must fill whole vectors. On CUDA it must be dense in
    either layout; channels last, in whole packs, are merely faster.

    Args:
        x: float32 or half precision, `[N, I, H, W]`.
        channels: numbers of channels of what is made from it.
    """
    if x.device.type == "cuda":
        return (_is_last(x) or x.is_contiguous()) and native.available("cuda")
    return (
        x.device.type == "cpu"
        and all(count % LANE == 0 for count in (x.shape[1], *channels))
        and _is_last(x)
        and native.has_wide_vectors()
        and native.available("cpu")
    )


def serves_rows(x: Tensor) -> bool:
    """Whether `dense` takes rows like `x`, `[N, I]`: on a CPU a few, in whole vectors."""
    return (
        x.device.type == "cpu"
        and 0 < x.shape[0] <= _MOST_ROWS
        and x.shape[1] % LANE == 0
        and x.stride(1) == 1
        and native.has_wide_vectors()
        and native.available("cpu")
    )


def takes_whole_layer(x: Tensor) -> bool:
    """Whether `styled_conv` is used for a tensor that the kernels serve; otherwise the convolution is torch's."""
    return x.device.type == "cpu" and x.dtype == torch.float32


def modulates(x: Tensor) -> bool:
    """Whether `demodulate`, `lay_out` and `scale_channels` take a tensor that the kernels serve: on CUDA."""
    return x.device.type == "cuda"


def styled_conv(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    noise: Tensor | None,
    bias: Tensor,
    taps: Tensor | None,
    slope: float,
    gain: float,
    clamp: float,
    on_matrix_unit: bool = True,
) -> Tensor:
    """A whole synthesis layer.

    Args:
        x: float32 `[N, I, H, W]`, channels last.
        weight: `[O, I, 3, 3]`.
        styles: `[N, I]`.
        noise: `[N or 1, 1, H*up, W*up]`, times its strength; None for none.
        bias: `[O]`.
        taps: `[2, 4]`, to correlate with along y and along x after upsampling; None for no upsampling.
        slope: of the activation left of zero, 0 to 1.
        gain: after the activation, positive.
        clamp: symmetric bound, negative for none.
        on_matrix_unit: multiply there where the processor has one for bytes (AMX), see `csrc/digits.h`.

    Returns:
        `[N, O, H*up, W*up]`, channels last.
    """
    result: Tensor = torch.ops.bend.styled_conv.default(
        x, weight, styles, noise, bias, taps, slope, gain, clamp, on_matrix_unit
    )
    return result.permute(0, 3, 1, 2)


def dense(x: Tensor, weight: Tensor, bias: Tensor, gain: float, bias_gain: float) -> Tensor:
    """A linear layer for few rows.

    Args:
        x: float32 `[N, I]`, each row contiguous.
        weight: float32 `[O, I]`, contiguous.
        bias: float32 `[O]`, contiguous.
        gain: factor on the products.
        bias_gain: factor on the bias.

    Returns:
        float32 `[N, O]`.
    """
    result: Tensor = torch.ops.bend.dense.default(x, weight, bias, gain, bias_gain)
    return result


def demodulate(weight: Tensor, styles: Tensor, is_bounded: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Factors for samples and weights before a shared convolution, and for its results after it.

    Args:
        weight: float32 `[O, I, 3, 3]`, contiguous.
        styles: float32 `[N, I]`, contiguous.
        is_bounded: keep products in float16's range, as `modulated_conv2d` does.

    Returns:
        Float32: demodulation `[N, O]`, scales of the samples' channels `[N, I]`, gains of the weights' outputs `[O]`.
    """
    (n, inputs), outputs = styles.shape, weight.shape[0]
    found: Tensor = torch.ops.bend.demodulate.default(weight, styles, is_bounded)
    demodulation, scales, gains = found.split([n * outputs, n * inputs, outputs])
    return demodulation.view(n, outputs), scales.view(n, inputs), gains


def lay_out(x: Tensor, weight: Tensor, gains: Tensor, scales: Tensor | None, is_transposed: bool) -> Tensor:
    """Weights in the dtype and layout that a convolution of `x` takes.

    Args:
        x: its dtype, not float64, and device are used.
        weight: float32 `[O, I, 3, 3]`, contiguous.
        gains: float32 `[O]`.
        scales: float32 `[I]`, None for none.
        is_transposed: for a transposed convolution.

    Returns:
        `[O, I, 3, 3]`, or `[I, O, 3, 3]`, channels last.
    """
    result: Tensor = torch.ops.bend.lay_out.default(x, weight, gains, scales, is_transposed)
    return result.permute(0, 3, 1, 2)


def scale_channels(x: Tensor, scales: Tensor) -> Tensor:
    """`x` times a number for each of its channels.

    Args:
        x: `[N, C, H, W]` in either layout, not float64.
        scales: float32 `[N, C]`, contiguous.

    Returns:
        Like `x`.
    """
    result: Tensor = torch.ops.bend.scale_channels.default(x, scales)
    return result.permute(0, 3, 1, 2) if _is_last(x) else result


def finish_layer(
    x: Tensor,
    demodulation: Tensor,
    noise: Tensor | None,
    bias: Tensor,
    taps: Tensor | None,
    slope: float,
    gain: float,
    clamp: float,
) -> Tensor:
    """What follows a layer's convolution.

    Args:
        x: `[N, O, H, W]`, or `[N, O, H+1, W+1]` where there are taps; float32 or half precision, channels last, on CUDA
            also planar.
        demodulation: float32 `[N, O]`.
        noise: float32, as in `styled_conv`.
        bias: float32 `[O]`.
        taps: as in `styled_conv`.
        slope: as in `styled_conv`.
        gain: as in `styled_conv`.
        clamp: as in `styled_conv`.

    Returns:
        `[N, O, H, W]` of `x`'s dtype and layout.
    """
    result: Tensor = torch.ops.bend.finish_layer.default(
        x, demodulation, noise, bias, taps, slope, gain, clamp
    )
    return result.permute(0, 3, 1, 2) if _is_last(x) else result


def to_rgb(x: Tensor, weights: Tensor, bias: Tensor, clamp: float) -> Tensor:
    """A to-RGB layer, given each sample's own weights.

    Args:
        x: `[N, I, H, W]`, channels last, on CUDA also planar; float32 or half precision.
        weights: float32 `[N, C, I]`.
        bias: float32 `[C]`.
        clamp: symmetric bound, negative for none.

    Returns:
        float32 `[N, C, H, W]`, planar.
    """
    result: Tensor = torch.ops.bend.to_rgb.default(x, weights, bias, clamp)
    return result


# Kernels of the stable ABI cannot make a tensor with channels last; they return its memory as [N, H, W, O].


def _is_last(x: Tensor) -> bool:
    return x.is_contiguous(memory_format=torch.channels_last)


@torch.library.register_fake("bend::styled_conv")
def _(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    noise: Tensor | None,
    bias: Tensor,
    taps: Tensor | None,
    slope: float,
    gain: float,
    clamp: float,
    on_matrix_unit: bool,
) -> Tensor:
    up = 1 if taps is None else 2
    return x.new_empty([x.shape[0], x.shape[2] * up, x.shape[3] * up, weight.shape[0]])


@torch.library.register_fake("bend::dense")
def _(x: Tensor, weight: Tensor, bias: Tensor, gain: float, bias_gain: float) -> Tensor:
    return x.new_empty([x.shape[0], weight.shape[0]])


@torch.library.register_fake("bend::finish_layer")
def _(
    x: Tensor,
    demodulation: Tensor,
    noise: Tensor | None,
    bias: Tensor,
    taps: Tensor | None,
    slope: float,
    gain: float,
    clamp: float,
) -> Tensor:
    crop = 0 if taps is None else 1
    n, channels, height, width = x.shape[0], x.shape[1], x.shape[2] - crop, x.shape[3] - crop
    return x.new_empty([n, height, width, channels] if _is_last(x) else [n, channels, height, width])


@torch.library.register_fake("bend::demodulate")
def _(weight: Tensor, styles: Tensor, is_bounded: bool) -> Tensor:
    return weight.new_empty([styles.shape[0] * (weight.shape[0] + weight.shape[1]) + weight.shape[0]])


@torch.library.register_fake("bend::lay_out")
def _(x: Tensor, weight: Tensor, gains: Tensor, scales: Tensor | None, is_transposed: bool) -> Tensor:
    outputs, inputs = weight.shape[:2]
    return x.new_empty([inputs, 3, 3, outputs] if is_transposed else [outputs, 3, 3, inputs])


@torch.library.register_fake("bend::scale_channels")
def _(x: Tensor, scales: Tensor) -> Tensor:
    n, channels, height, width = x.shape
    return x.new_empty([n, height, width, channels] if _is_last(x) else [n, channels, height, width])


@torch.library.register_fake("bend::to_rgb")
def _(x: Tensor, weights: Tensor, bias: Tensor, clamp: float) -> Tensor:
    return x.new_empty([x.shape[0], bias.shape[0], *x.shape[2:]], dtype=torch.float32)
