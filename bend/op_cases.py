"""The native operations at sizes that occur in networks: the cases that `bend.op_timing` times for `bend ops bench`.

A case runs the native operation where that is loaded, and the plain one otherwise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from stylegan.inference import kernels, rgb_layer, synthesis_layer
from stylegan.layers import DenseLayer
from stylegan.ops import bias_act, modulated_conv2d, setup_filter, upfirdn2d
from stylegan.ops.convolution import conv2d

__all__ = ["CASES", "Case"]

_SYM6_TAPS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An operation at a size that occurs in networks."""

    name: str
    """Shown in the table."""
    shape: tuple[int, int, int, int]
    """Of the input, `[N, C, H, W]`."""
    run: Callable[[Tensor, Any], Tensor]
    """Runs the operation on the input and on what `constant` made for it."""
    constant: Callable[[Tensor], Any]
    """Makes the other operands for an input: the filter, the bias, or all of them."""
    is_differentiated: bool = False
    """Whether to run forward and backward, as in training."""
    is_planar: bool = False
    """Whether the input is contiguous rather than channels last."""
    keeps_output: bool = False
    """Whether the backward pass reads the output again."""
    is_small: bool = False
    """Whether the input is not enlarged on CUDA, because latency is what counts."""
    macs: int = 0
    """Multiply-adds for each element of the output; 0 where only memory counts."""


def _bias(x: Tensor) -> Tensor:
    return torch.linspace(-1, 1, x.shape[1], device=x.device).to(x.dtype)


def _four_taps(x: Tensor) -> Tensor:
    return setup_filter([1, 3, 3, 1], device=x.device)


def _twelve_taps(x: Tensor) -> Tensor:
    return setup_filter(torch.hann_window(_SYM6_TAPS + 2)[1:-1], device=x.device)


def _lrelu(x: Tensor, b: Tensor) -> Tensor:
    return bias_act(x, b, act="lrelu", clamp=256)


def _blur(x: Tensor, f: Tensor) -> Tensor:
    return upfirdn2d(x, f, padding=1, gain=4)


def _up(x: Tensor, f: Tensor) -> Tensor:
    return upfirdn2d(x, f, up=2, padding=[2, 1, 2, 1], gain=4)


def _down(x: Tensor, f: Tensor) -> Tensor:
    return upfirdn2d(x, f, down=2, padding=1)


def _wavelet_up(x: Tensor, f: Tensor) -> Tensor:
    return upfirdn2d(x, f, up=2, padding=[6, 5, 6, 5], gain=4)


def _wavelet_down(x: Tensor, f: Tensor) -> Tensor:
    return upfirdn2d(x, f, down=2, padding=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ending:
    """The operands of a layer's end besides the convolution's result; on its device, in float32."""

    demodulation: Tensor
    noise: Tensor
    bias: Tensor
    f: Tensor | None
    """The filter; None for no upsampling."""
    taps: Tensor | None
    """The filter as the kernel takes it."""


def _ending(x: Tensor, crop: int = 0) -> _Ending:
    n, channels, height, width = x.shape
    bias = torch.linspace(-1, 1, channels, device=x.device)
    f = setup_filter([1, 3, 3, 1], device=x.device) if crop else None
    return _Ending(
        demodulation=bias.abs().expand(n, -1).contiguous() + 0.5,
        noise=torch.randn([1, 1, height - crop, width - crop], device=x.device),
        bias=bias,
        f=f,
        taps=None if f is None else 2 * torch.stack([f.sum(1), f.sum(0)]),
    )


def _upsampled_ending(x: Tensor) -> _Ending:
    return _ending(x, crop=1)


def _finish(x: Tensor, given: _Ending) -> Tensor:
    if kernels.serves(x):
        return kernels.finish_layer(
            x, given.demodulation, given.noise, given.bias, given.taps, 0.2, 2**0.5, 256.0
        )
    y = x if given.f is None else upfirdn2d(x, given.f, padding=1, gain=4)
    y = y * given.demodulation.to(x.dtype)[:, :, None, None] + given.noise.to(x.dtype)
    return bias_act(y, given.bias, act="lrelu", clamp=256)


def _colours(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    weight = torch.linspace(-1, 1, 3 * x.shape[1], device=x.device).reshape(3, -1, 1, 1)
    return weight, torch.ones(x.shape[:2], device=x.device), torch.zeros([3], device=x.device)


def _to_rgb(x: Tensor, given: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    weight, styles, bias = given
    y = rgb_layer(x, weight, styles, bias, clamp=256)
    return (
        bias_act(modulated_conv2d(x, weight, styles, demodulate=False), bias, clamp=256) if y is None else y
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """The operands of a whole synthesis layer besides its input."""

    weight: Tensor
    styles: Tensor
    noise: Tensor
    bias: Tensor
    f: Tensor
    up: int


def _layer(x: Tensor, up: int = 1) -> _Layer:
    _, channels, height, width = x.shape
    outputs = channels // up
    return _Layer(
        weight=torch.randn([outputs, channels, 3, 3], device=x.device),
        styles=torch.rand(x.shape[:2], device=x.device) + 0.5,
        noise=torch.randn([height * up, width * up], device=x.device),
        bias=torch.linspace(-1, 1, outputs, device=x.device),
        f=setup_filter([1, 3, 3, 1], device=x.device),
        up=up,
    )


def _synthesize(x: Tensor, given: _Layer) -> Tensor:
    y = synthesis_layer(
        x,
        given.weight,
        given.styles,
        given.noise,
        given.bias,
        up=given.up,
        resample_filter=given.f,
        activation="lrelu",
        gain=2**0.5,
        clamp=256,
    )
    if y is not None:
        return y
    y = modulated_conv2d(
        x,
        given.weight,
        given.styles,
        noise=given.noise,
        up=given.up,
        padding=1,
        resample_filter=given.f,
        flip_weight=given.up == 1,
    )
    return bias_act(y, given.bias, act="lrelu", clamp=256)


def _kernel(x: Tensor) -> Tensor:
    return torch.randn([x.shape[1], x.shape[1], 3, 3], device=x.device).to(x.dtype)


def _convolve(x: Tensor, w: Tensor) -> Tensor:
    return conv2d(x, w, padding=1)


def _affine(x: Tensor) -> DenseLayer:
    return DenseLayer(x.shape[1], x.shape[1], bias_init=1).to(x.device).requires_grad_(False)


def _styles(x: Tensor, layer: DenseLayer) -> Tensor:
    styles: Tensor = layer(x.mean([2, 3]))
    return styles


def _layer_case(channels: int, size: int, up: int = 1) -> Case:
    return Case(
        name="layer" if up == 1 else f"layer, up {up}",
        shape=(1, channels, size, size),
        run=_synthesize,
        constant=partial(_layer, up=up),
        macs=9 * channels // up**2,  # upsampling multiplies each sample of the lower resolution once
    )


CASES = (
    Case(name="bias_act", shape=(8, 256, 64, 64), run=_lrelu, constant=_bias),
    Case(name="bias_act", shape=(1, 64, 256, 256), run=_lrelu, constant=_bias),
    Case(
        name="bias_act, trained",
        shape=(8, 256, 64, 64),
        run=_lrelu,
        constant=_bias,
        is_differentiated=True,
        keeps_output=True,
    ),
    Case(name="FIR 4x4", shape=(8, 256, 65, 65), run=_blur, constant=_four_taps),
    Case(name="FIR 4x4", shape=(1, 64, 257, 257), run=_blur, constant=_four_taps),
    Case(
        name="FIR 4x4, trained",
        shape=(8, 256, 65, 65),
        run=_blur,
        constant=_four_taps,
        is_differentiated=True,
    ),
    Case(name="FIR 4x4, up 2", shape=(8, 128, 32, 32), run=_up, constant=_four_taps),
    Case(name="FIR 4x4, down 2", shape=(8, 128, 64, 64), run=_down, constant=_four_taps),
    Case(name="FIR 4x4, up 2, RGB", shape=(1, 3, 512, 512), run=_up, constant=_four_taps),
    Case(name="up 2, planar RGB", shape=(1, 3, 512, 512), run=_up, constant=_four_taps, is_planar=True),
    Case(name="FIR 12, up 2", shape=(8, 3, 128, 128), run=_wavelet_up, constant=_twelve_taps, is_planar=True),
    Case(
        name="FIR 12, down 2",
        shape=(8, 3, 256, 256),
        run=_wavelet_down,
        constant=_twelve_taps,
        is_planar=True,
    ),
    Case(name="layer's end", shape=(8, 256, 64, 64), run=_finish, constant=_ending),
    Case(name="layer's end", shape=(1, 64, 256, 256), run=_finish, constant=_ending),
    Case(name="layer's end, up 2", shape=(8, 256, 65, 65), run=_finish, constant=_upsampled_ending),
    Case(name="layer's end, up 2", shape=(1, 64, 257, 257), run=_finish, constant=_upsampled_ending),
    Case(name="to RGB", shape=(8, 256, 64, 64), run=_to_rgb, constant=_colours),
    Case(name="to RGB", shape=(1, 64, 256, 256), run=_to_rgb, constant=_colours),
    Case(name="styles", shape=(1, 512, 1, 1), run=_styles, constant=_affine, is_small=True),
    _layer_case(512, 32),
    _layer_case(256, 64),
    _layer_case(64, 256),
    _layer_case(256, 64, up=2),
    _layer_case(128, 128, up=2),
    Case(
        name="3x3, trained",
        shape=(4, 256, 64, 64),
        run=_convolve,
        constant=_kernel,
        is_differentiated=True,
        macs=9 * 256,
    ),
)
"""All cases, in the order in which they are printed."""
