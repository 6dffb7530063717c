"""The layers that own weights: dense, convolution, synthesis, and to-RGB, all with equalised learning rate.

Weights are stored at unit variance and scaled when used, so that Adam's step has the same relative size in every
layer (Karras et al., arXiv 1710.10196). Attribute names are the official state-dict keys. What the layers compute
lives in `stylegan.ops`; how they are stacked, in `mapping`, `generator` and `discriminator`.
"""

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from stylegan import inference
from stylegan.draws import NoiseSource, normal
from stylegan.ops import bias_act, conv2d_resample, modulated_conv2d, setup_filter
from stylegan.ops.bias_act import default_gain

__all__ = [
    "DEFAULT_FILTER",
    "NOISE_MODES",
    "ConvLayer",
    "DenseLayer",
    "NoiseMode",
    "SynthesisLayer",
    "TapPoint",
    "ToRGBLayer",
    "draw_normal",
    "fir",
    "normalize_2nd_moment",
]

NoiseMode: TypeAlias = Literal["random", "const", "none"]
NOISE_MODES: tuple[NoiseMode, ...] = ("random", "const", "none")
DEFAULT_FILTER = (1, 3, 3, 1)


def normalize_2nd_moment(x: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """`x` divided by its root mean square along `dim`."""
    return x * (x.square().mean(dim=dim, keepdim=True) + eps).rsqrt()


def draw_normal(shape: Sequence[int]) -> Tensor:
    """`torch.randn` on the default device; on the meta device an empty tensor.

    Drawing on the meta device makes torch import its symbolic shapes, which takes a second.
    """
    x = torch.empty(shape)
    return x if x.is_meta else x.normal_()


def fir(taps: Sequence[float]) -> Tensor:
    """The filter of `taps` on the default device, where a layer's other tensors are made."""
    return setup_filter(taps, device=torch.get_default_device())


class DenseLayer(nn.Module):
    """Fully connected layer: `act(x @ (W * lr_multiplier / √in).T + b * lr_multiplier)`.

    Args:
        in_features: width of the input.
        out_features: width of the output.
        activation: a name in `stylegan.ops.bias_act.ACTIVATIONS`.
        bias: has a bias.
        lr_multiplier: learning rate relative to the rest of the network.
        bias_init: value the bias starts at.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        activation: str = "linear",
        bias: bool = True,
        lr_multiplier: float = 1,
        bias_init: float = 0,
    ) -> None:
        super().__init__()
        self.activation = activation
        self.act_gain = default_gain(activation)
        weight = draw_normal([out_features, in_features])
        if not weight.is_meta:  # arithmetic on meta tensors takes torch a second to get ready for
            weight /= lr_multiplier
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.full([out_features], float(bias_init))) if bias else None
        self.weight_gain = lr_multiplier / math.sqrt(in_features)
        self.bias_gain = lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        """`[N, in_features]` to `[N, out_features]`, dtype of `x`."""
        if self.activation == "linear" and self.bias is not None:
            return self._linear(x, self.bias)
        b = None if self.bias is None else self.bias.to(x.dtype) * self.bias_gain
        w = self.weight.to(x.dtype) * self.weight_gain
        return bias_act(x @ w.T, b, act=self.activation, gain=self.act_gain)

    def _linear(self, x: Tensor, bias: Tensor) -> Tensor:
        gain = float(self.weight_gain)
        fast = inference.dense_layer(x, self.weight, bias, weight_gain=gain, bias_gain=self.bias_gain)
        if fast is not None:
            return fast
        b = bias.to(x.dtype) if self.bias_gain == 1 else bias.to(x.dtype) * self.bias_gain
        return torch.addmm(b[None], x, self.weight.to(x.dtype).T, alpha=gain)


class ConvLayer(nn.Module):
    """Convolution with optional FIR up- or downsampling, then bias and activation.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: side of the kernel.
        bias: has a bias.
        activation: a name in `stylegan.ops.bias_act.ACTIVATIONS`.
        up: upsampling factor.
        down: downsampling factor.
        resample_filter: taps of the FIR.
        conv_clamp: bound of the output, None for none.
        trainable: False keeps weight and bias as buffers, under the same names.
    """

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        bias: bool = True,
        activation: str = "linear",
        up: int = 1,
        down: int = 1,
        resample_filter: Sequence[float] = DEFAULT_FILTER,
        conv_clamp: float | None = None,
        trainable: bool = True,
    ) -> None:
        super().__init__()
        self.activation = activation
        self.up = up
        self.down = down
        self.conv_clamp = conv_clamp
        self.padding = kernel_size // 2
        self.weight_gain = 1 / math.sqrt(in_channels * kernel_size**2)
        self.act_gain = default_gain(activation)
        self.register_buffer("resample_filter", fir(resample_filter))
        weight = draw_normal([out_channels, in_channels, kernel_size, kernel_size])
        self.weight: Tensor
        self.bias: Tensor | None
        if trainable:
            self.weight = nn.Parameter(weight)
            self.bias = nn.Parameter(torch.zeros([out_channels])) if bias else None
        else:
            self.register_buffer("weight", weight)
            self.register_buffer("bias", torch.zeros([out_channels]) if bias else None)

    def forward(self, x: Tensor, gain: float = 1) -> Tensor:
        """`[N, in_channels, H, W]` to `[N, out_channels, H*up/down, W*up/down]`; `gain` scales output and clamp."""
        w = (self.weight * self.weight_gain).to(x.dtype)
        x = conv2d_resample(
            x, w, self.resample_filter, self.up, self.down, self.padding, flip_weight=self.up == 1
        )
        clamp = None if self.conv_clamp is None else self.conv_clamp * gain
        return bias_act(x, self.bias, act=self.activation, gain=self.act_gain * gain, clamp=clamp)


class SynthesisLayer(nn.Module):
    """Style-modulated 3×3 convolution, noise, bias and activation: one layer of the generator.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        w_dim: width of the intermediate latent.
        resolution: side of the output.
        up: upsampling factor.
        use_noise: has noise inputs.
        activation: a name in `stylegan.ops.bias_act.ACTIVATIONS`.
        resample_filter: taps of the FIR.
        conv_clamp: bound of the output, None for none.
    """

    resample_filter: Tensor
    noise_const: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        *,
        up: int = 1,
        use_noise: bool = True,
        activation: str = "lrelu",
        resample_filter: Sequence[float] = DEFAULT_FILTER,
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.resolution = resolution
        self.up = up
        self.use_noise = use_noise
        self.activation = activation
        self.conv_clamp = conv_clamp
        self.act_gain = default_gain(activation)
        self.register_buffer("resample_filter", fir(resample_filter))
        self.affine = DenseLayer(w_dim, in_channels, bias_init=1)
        self.weight = nn.Parameter(draw_normal([out_channels, in_channels, 3, 3]))
        if use_noise:
            self.register_buffer("noise_const", draw_normal([resolution, resolution]))
            self.noise_strength = nn.Parameter(torch.zeros([]))
        self.bias = nn.Parameter(torch.zeros([out_channels]))

    def forward(
        self,
        x: Tensor,
        w: Tensor,
        noise_mode: NoiseMode = "random",
        gain: float = 1,
        generator: NoiseSource | None = None,
    ) -> Tensor:
        """Compute the layer.

        Args:
            x: `[N, in_channels, H, W]`.
            w: `[N, w_dim]`, float32.
            noise_mode: fresh noise for each sample, the layer's constant noise, or none.
            gain: scales output and clamp.
            generator: source of random noise, on `x`'s device; None for torch's own.

        Returns:
            `[N, out_channels, H*up, W*up]` in `x`'s dtype.
        """
        styles = self.affine(w)
        noise = self.noise([x.shape[0], 1, x.shape[2] * self.up, x.shape[3] * self.up], noise_mode, generator)
        if noise is not None:
            noise = noise * self.noise_strength
        clamp = None if self.conv_clamp is None else self.conv_clamp * gain
        fast = inference.synthesis_layer(
            x,
            self.weight,
            styles,
            noise,
            self.bias,
            up=self.up,
            resample_filter=self.resample_filter,
            activation=self.activation,
            gain=self.act_gain * gain,
            clamp=clamp,
        )
        if fast is not None:
            return fast
        x = modulated_conv2d(
            x,
            self.weight,
            styles,
            noise=noise,
            up=self.up,
            padding=1,
            resample_filter=self.resample_filter,
            flip_weight=self.up == 1,
        )
        return bias_act(x, self.bias, act=self.activation, gain=self.act_gain * gain, clamp=clamp)

    def noise(
        self, shape: Sequence[int], noise_mode: NoiseMode, generator: NoiseSource | None
    ) -> Tensor | None:
        """The noise before its strength: `[resolution, resolution]`, or fresh in `shape` `[N, 1, H, W]`, or None."""
        if not self.use_noise or noise_mode == "none":
            return None
        if noise_mode == "const":
            return self.noise_const
        return normal(shape, generator, device=self.noise_const.device, dtype=self.noise_const.dtype)


class TapPoint(nn.Module):
    """The identity, at a place where the signal is not a layer's output, for forward hooks to be registered on."""

    def forward(self, x: Tensor) -> Tensor:
        """`x` itself."""
        return x


class ToRGBLayer(nn.Module):
    """Style-modulated 1×1 convolution to image channels, without demodulation.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the image.
        w_dim: width of the intermediate latent.
        conv_clamp: bound of the output, None for none.
    """

    def __init__(
        self, in_channels: int, out_channels: int, w_dim: int, *, conv_clamp: float | None = None
    ) -> None:
        super().__init__()
        self.conv_clamp = conv_clamp
        self.affine = DenseLayer(w_dim, in_channels, bias_init=1)
        self.weight = nn.Parameter(draw_normal([out_channels, in_channels, 1, 1]))
        self.bias = nn.Parameter(torch.zeros([out_channels]))
        self.weight_gain = 1 / math.sqrt(in_channels)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """`[N, in_channels, H, W]` and `[N, w_dim]` to `[N, out_channels, H, W]` in `x`'s dtype or float32."""
        styles = self.affine(w) * self.weight_gain
        fast = inference.rgb_layer(x, self.weight, styles, self.bias, clamp=self.conv_clamp)
        if fast is not None:
            return fast
        x = modulated_conv2d(x, self.weight, styles, demodulate=False)
        return bias_act(x, self.bias, clamp=self.conv_clamp)
