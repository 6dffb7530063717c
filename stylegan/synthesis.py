"""The synthesis network: from a learned constant to the image, block by block (StyleGAN2, arXiv 1912.04958).

Every layer is a module of its own (`synthesis.b32.conv0`), which is where bends tap in. `stylegan.inference` draws a
whole picture at once where it can.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from stylegan import inference
from stylegan.draws import NoiseSource
from stylegan.layers import (
    DEFAULT_FILTER,
    NOISE_MODES,
    ConvLayer,
    DenseLayer,
    NoiseMode,
    SynthesisLayer,
    TapPoint,
    ToRGBLayer,
    draw_normal,
    fir,
)
from stylegan.ops import upsample2d
from stylegan.precision import block_dtype, block_format, is_half_block
from stylegan.pyramid import channel_counts, check_architecture

__all__ = ["SynthesisBlock", "SynthesisNetwork"]

_RESIDUAL_GAIN = math.sqrt(0.5)
_MOST_REPLAYED = 2**23  # pixels of a batch; larger ones keep a GPU busy, and a recording keeps their memory


class SynthesisBlock(nn.Module):
    """The layers of one resolution.

    Args:
        in_channels: channels of the block before, 0 for the first block.
        out_channels: channels of this block.
        w_dim: width of w.
        resolution: side of the block's output.
        img_channels: channels of the image.
        is_last: the last block always has a torgb.
        architecture: `skip`, `orig` or `resnet`.
        use_fp16: run in half precision where the device has it, see `stylegan.precision`.
    """

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        img_channels: int,
        is_last: bool,
        *,
        architecture: str = "skip",
        resample_filter: Sequence[float] = DEFAULT_FILTER,
        conv_clamp: float | None = None,
        activation: str = "lrelu",
        use_noise: bool = True,
        use_fp16: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.w_dim = w_dim
        self.resolution = resolution
        self.img_channels = img_channels
        self.architecture = architecture
        self.use_fp16 = use_fp16
        self.half_dtype: torch.dtype | None = None
        self.register_buffer("resample_filter", fir(resample_filter))
        self.num_conv = 1 if in_channels == 0 else 2
        self.num_torgb = int(is_last or architecture == "skip")

        def layer(in_channels: int, up: int) -> SynthesisLayer:
            return SynthesisLayer(
                in_channels,
                out_channels,
                w_dim,
                resolution,
                up=up,
                use_noise=use_noise,
                activation=activation,
                resample_filter=resample_filter,
                conv_clamp=conv_clamp,
            )

        if in_channels == 0:
            self.const = nn.Parameter(draw_normal([out_channels, resolution, resolution]))
            self.tap_const = TapPoint()
        else:
            self.conv0 = layer(in_channels, up=2)
        self.conv1 = layer(out_channels, up=1)
        if self.num_torgb:
            self.torgb = ToRGBLayer(out_channels, img_channels, w_dim, conv_clamp=conv_clamp)
            self.tap_image = TapPoint()
        if in_channels != 0 and architecture == "resnet":
            self.skip = ConvLayer(
                in_channels, out_channels, 1, bias=False, up=2, resample_filter=resample_filter
            )

    def forward(
        self,
        x: Tensor | None,
        img: Tensor | None,
        ws: Tensor,
        noise_mode: NoiseMode = "random",
        force_fp32: bool = False,
        generator: NoiseSource | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Compute the block.

        Args:
            x: `[N, in_channels, resolution/2, resolution/2]`, None for the first block.
            img: the image so far, `[N, img_channels, resolution/2, resolution/2]`, None before the first torgb.
            ws: `[N, num_conv + num_torgb, w_dim]`, float32.
            noise_mode: see `SynthesisLayer`.
            force_fp32: never use half precision.
            generator: source of random noise.

        Returns:
            x `[N, out_channels, resolution, resolution]`, and the image at this resolution or None.
        """
        w = iter(ws.unbind(dim=1))
        dtype = self.dtype(ws, force_fp32)
        if self.in_channels == 0:
            x = self.const.to(dtype)[None].expand(ws.shape[0], -1, -1, -1)
            x = self.tap_const(x.contiguous(memory_format=block_format(x)))
            x = self.conv1(x, next(w), noise_mode, generator=generator)
        else:
            assert x is not None
            x = x.to(dtype=dtype, memory_format=block_format(x, dtype))
            x = self._convolve(x, next(w), next(w), noise_mode, generator)
        if img is not None:
            img = upsample2d(img, self.resample_filter)
        if self.num_torgb:
            y = self.torgb(x, next(w)).to(ws.dtype)
            img = self.tap_image(y if img is None else img + y)
        return x, img

    def dtype(self, ws: Tensor, force_fp32: bool = False) -> torch.dtype:
        """What it computes in, given full-precision `ws`."""
        return block_dtype(ws, self.use_fp16 and not force_fp32, self.half_dtype)

    def _convolve(
        self,
        x: Tensor,
        w0: Tensor,
        w1: Tensor,
        noise_mode: NoiseMode,
        generator: NoiseSource | None,
    ) -> Tensor:
        y = self.skip(x, gain=_RESIDUAL_GAIN) if self.architecture == "resnet" else None
        gain = 1 if y is None else _RESIDUAL_GAIN
        x = self.conv0(x, w0, noise_mode, generator=generator)
        x = self.conv1(x, w1, noise_mode, gain=gain, generator=generator)
        return x if y is None else y + x


class SynthesisNetwork(nn.Module):
    """Blocks `b4`, `b8`, … from a learned constant to the image.

    Args:
        w_dim: width of w.
        img_resolution: side of the image, a power of two from 4 on.
        img_channels: channels of the image.
        channel_base: channels times resolution.
        channel_max: most channels of a block.
        num_fp16_res: number of highest resolutions in half precision (never 4×4).
        architecture: `skip`, `orig` or `resnet`.
        resample_filter: taps of the FIR.
        conv_clamp: bound of the layers' outputs, None for none.
        activation: a name in `stylegan.ops.bias_act.ACTIVATIONS`.
        use_noise: layers have noise inputs.
        fp16_channels_last: accepted for official files; the memory layout is chosen by the device.

    Raises:
        ValueError: a resolution that is not a power of two, too few channels, or an unknown architecture.
    """

    b4: SynthesisBlock

    def __init__(
        self,
        w_dim: int,
        img_resolution: int,
        img_channels: int,
        *,
        channel_base: int = 32768,
        channel_max: int = 512,
        num_fp16_res: int = 0,
        architecture: str = "skip",
        resample_filter: Sequence[float] = DEFAULT_FILTER,
        conv_clamp: float | None = None,
        activation: str = "lrelu",
        use_noise: bool = True,
        fp16_channels_last: bool = False,
    ) -> None:
        super().__init__()
        check_architecture(architecture)
        channels = channel_counts(img_resolution, channel_base, channel_max)
        self.w_dim = w_dim
        self.img_resolution = img_resolution
        self.img_channels = img_channels
        self.block_resolutions = list(channels)
        self.num_ws = 0
        self.tap_ws = TapPoint()
        for res in self.block_resolutions:
            block = SynthesisBlock(
                channels[res // 2] if res > 4 else 0,
                channels[res],
                w_dim,
                res,
                img_channels,
                is_last=res == img_resolution,
                architecture=architecture,
                resample_filter=resample_filter,
                conv_clamp=conv_clamp,
                activation=activation,
                use_noise=use_noise,
                use_fp16=is_half_block(res, img_resolution, num_fp16_res),
            )
            self.num_ws += block.num_conv + (block.num_torgb if res == img_resolution else 0)
            setattr(self, f"b{res}", block)

    def blocks(self) -> list[SynthesisBlock]:
        """The blocks, lowest resolution first."""
        return [getattr(self, f"b{res}") for res in self.block_resolutions]

    def noise_shapes(self, count: int) -> list[list[int]]:
        """Shapes of the random noise of a batch, `[N, 1, H, W]`, in the order in which the layers draw it."""
        layers = [
            getattr(block, name)
            for block in self.blocks()
            for name in ("conv0", "conv1")
            if hasattr(block, name)
        ]
        return [[count, 1, layer.resolution, layer.resolution] for layer in layers if layer.use_noise]

    def forward(
        self,
        ws: Tensor,
        noise_mode: NoiseMode = "random",
        force_fp32: bool = False,
        generator: NoiseSource | None = None,
    ) -> Tensor:
        """Render ws.

        Args:
            ws: `[N, num_ws, w_dim]`.
            noise_mode: `random` draws fresh noise, `const` uses each layer's own, `none` adds none.
            force_fp32: never use half precision.
            generator: source of random noise, on the device of `ws`; None for torch's own.

        Returns:
            float32 `[N, img_channels, img_resolution, img_resolution]`, nominally in [-1, 1].

        Raises:
            ValueError: ws of the wrong shape, or an unknown noise mode.
        """
        if ws.ndim != 3 or tuple(ws.shape[1:]) != (self.num_ws, self.w_dim):
            raise ValueError(f"ws must have shape [N, {self.num_ws}, {self.w_dim}], not {tuple(ws.shape)}")
        if noise_mode not in NOISE_MODES:
            raise ValueError(f"unknown noise mode {noise_mode!r}; known: {', '.join(NOISE_MODES)}")
        inference.prepare_if_heavy(self.blocks(), ws)
        ws = ws.to(self.b4.const.dtype)
        if generator is None and len(ws) * self.img_resolution**2 <= _MOST_REPLAYED:
            settings = (noise_mode, force_fp32)
            image = inference.replayed(self, ws, settings, lambda ws: self._draw(ws, *settings, None))
            if image is not None:
                return image
        return self._draw(ws, noise_mode, force_fp32, generator)

    def _draw(
        self, ws: Tensor, noise_mode: NoiseMode, force_fp32: bool, generator: NoiseSource | None
    ) -> Tensor:
        def noise_of(layer: SynthesisLayer) -> Tensor | None:
            return layer.noise([len(ws), 1, layer.resolution, layer.resolution], noise_mode, generator)

        image = inference.whole_picture(self, _KINDS, ws, force_fp32, noise_of)
        if image is not None:
            return image
        ws = self.tap_ws(ws)
        x: Tensor | None = None
        img: Tensor | None = None
        start = 0
        for block in self.blocks():
            # torgb shares its w with the first convolution of the next block.
            block_ws = ws.narrow(1, start, block.num_conv + block.num_torgb)
            x, img = block(x, img, block_ws, noise_mode, force_fp32, generator)
            start += block.num_conv
        assert img is not None
        return img


_KINDS: dict[type[nn.Module], Any] = {
    kind: kind.forward
    for kind in (SynthesisNetwork, SynthesisBlock, SynthesisLayer, ToRGBLayer, DenseLayer, TapPoint)
}
"""What a synthesis network is made of, as it is here."""
