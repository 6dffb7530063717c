# SPDX-License-Identifier: MIT
"""StyleGAN2-ADA's networks in one file that needs nothing but torch: the source text inside exported `.pkl` files.

Tools that unpickle such a file run this text and fill the classes' attributes from the file. It therefore imports
nothing of bend, and whatever `forward` reads is an attribute. Written from the papers (StyleGAN2, arXiv 1912.04958;
ADA, arXiv 2006.06676) with the official attribute names, keyword arguments and state-dict keys. As it is plain torch,
it is also what is exported to ONNX. It has no losses and no augmentation, and is not made for speed.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["AugmentPipe", "Discriminator", "Generator", "MappingNetwork", "SynthesisNetwork"]

_GAINS = {"relu": math.sqrt(2), "lrelu": math.sqrt(2), "swish": math.sqrt(2)}
_TAPS = (1, 3, 3, 1)
_HALF = math.sqrt(0.5)


class DenseLayer(nn.Module):
    """Fully connected, equalised learning rate: `act(x @ (W * lr / √in).T + b * lr)`."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        activation: str = "linear",
        lr: float = 1,
        bias_init: float = 0,
    ) -> None:
        super().__init__()
        self.activation = activation
        self.weight_gain = lr / math.sqrt(in_features)
        self.bias_gain = lr
        self.weight = nn.Parameter(drawn([out_features, in_features], 1 / lr))
        self.bias = nn.Parameter(torch.full([out_features], float(bias_init)))

    def forward(self, x: Tensor) -> Tensor:
        """`[N, in]` to `[N, out]`."""
        weight = self.weight.to(x.dtype) * self.weight_gain
        return activate(x @ weight.T, self.bias.to(x.dtype) * self.bias_gain, self.activation)


class ConvLayer(nn.Module):
    """Convolution with optional FIR resampling, bias, activation."""

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        bias: bool = True,
        activation: str = "linear",
        up: int = 1,
        down: int = 1,
        resample_filter: Any = _TAPS,
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.activation = activation
        self.up = up
        self.down = down
        self.conv_clamp = conv_clamp
        self.weight_gain = 1 / math.sqrt(in_channels * kernel_size**2)
        self.register_buffer("resample_filter", make_filter(resample_filter))
        self.weight = nn.Parameter(drawn([out_channels, in_channels, kernel_size, kernel_size]))
        self.bias = nn.Parameter(torch.zeros([out_channels])) if bias else None

    def forward(self, x: Tensor, gain: float = 1) -> Tensor:
        """`[N, in, H, W]` to `[N, out, H*up/down, W*up/down]`."""
        w = (self.weight * self.weight_gain).to(x.dtype)
        x = resampled_conv(x, w, self.resample_filter, self.up, self.down)
        clamp = None if self.conv_clamp is None else self.conv_clamp * gain
        return activate(x, self.bias, self.activation, gain, clamp)


class SynthesisLayer(nn.Module):
    """Style-modulated 3×3 convolution, noise, bias, activation."""

    resample_filter: Tensor
    noise_const: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        up: int = 1,
        use_noise: bool = True,
        activation: str = "lrelu",
        resample_filter: Any = _TAPS,
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.resolution = resolution
        self.up = up
        self.use_noise = use_noise
        self.activation = activation
        self.conv_clamp = conv_clamp
        self.register_buffer("resample_filter", make_filter(resample_filter))
        self.affine = DenseLayer(w_dim, in_channels, bias_init=1)
        self.weight = nn.Parameter(drawn([out_channels, in_channels, 3, 3]))
        if use_noise:
            self.register_buffer("noise_const", drawn([resolution, resolution]))
            self.noise_strength = nn.Parameter(torch.zeros([]))
        self.bias = nn.Parameter(torch.zeros([out_channels]))

    def forward(self, x: Tensor, w: Tensor, noise_mode: str = "random", gain: float = 1) -> Tensor:
        """`[N, in, H, W]` and `[N, w_dim]` to `[N, out, H*up, W*up]`."""
        if noise_mode not in ("random", "const", "none"):
            raise ValueError(f"noise_mode must be random, const or none, not {noise_mode!r}")
        x = modulated_conv(x, self.weight, self.affine(w), self.resample_filter, self.up)
        if self.use_noise and noise_mode != "none":
            noise = self.noise_const
            if noise_mode == "random":
                noise = torch.randn([x.shape[0], 1, self.resolution, self.resolution], device=x.device)
            x = x + (noise * self.noise_strength).to(x.dtype)
        clamp = None if self.conv_clamp is None else self.conv_clamp * gain
        return activate(x, self.bias, self.activation, gain, clamp)


class ToRGBLayer(nn.Module):
    """Style-modulated 1×1 convolution to image channels, not demodulated."""

    def __init__(
        self, in_channels: int, out_channels: int, w_dim: int, conv_clamp: float | None = None
    ) -> None:
        super().__init__()
        self.conv_clamp = conv_clamp
        self.weight_gain = 1 / math.sqrt(in_channels)
        self.affine = DenseLayer(w_dim, in_channels, bias_init=1)
        self.weight = nn.Parameter(drawn([out_channels, in_channels, 1, 1]))
        self.bias = nn.Parameter(torch.zeros([out_channels]))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """`[N, in, H, W]` and `[N, w_dim]` to `[N, out, H, W]`."""
        styles = self.affine(w) * self.weight_gain
        x = F.conv2d(x * styles.to(x.dtype)[:, :, None, None], self.weight.to(x.dtype))
        return activate(x, self.bias, "linear", clamp=self.conv_clamp)


class SynthesisBlock(nn.Module):
    """The layers of one resolution."""

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        img_channels: int,
        is_last: bool,
        architecture: str = "skip",
        use_fp16: bool = False,
        conv_clamp: float | None = None,
        resample_filter: Any = _TAPS,
        fp16_channels_last: bool = False,
        **layer_kwargs: Any,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.architecture = architecture
        self.use_fp16 = use_fp16
        self.num_conv = 1 if in_channels == 0 else 2
        self.num_torgb = int(is_last or architecture == "skip")
        common = {"resample_filter": resample_filter, "conv_clamp": conv_clamp, **layer_kwargs}
        self.register_buffer("resample_filter", make_filter(resample_filter))
        if in_channels == 0:
            self.const = nn.Parameter(drawn([out_channels, resolution, resolution]))
        else:
            self.conv0 = SynthesisLayer(in_channels, out_channels, w_dim, resolution, up=2, **common)
        self.conv1 = SynthesisLayer(out_channels, out_channels, w_dim, resolution, **common)
        if self.num_torgb:
            self.torgb = ToRGBLayer(out_channels, img_channels, w_dim, conv_clamp)
        if in_channels != 0 and architecture == "resnet":
            self.skip = ConvLayer(in_channels, out_channels, 1, False, up=2, resample_filter=resample_filter)

    def forward(
        self,
        x: Tensor | None,
        img: Tensor | None,
        ws: Tensor,
        force_fp32: bool = False,
        noise_mode: str = "random",
    ) -> tuple[Tensor, Tensor | None]:
        """Features, image so far and `[N, num_conv + num_torgb, w_dim]` to features and image."""
        w = iter(ws.unbind(dim=1))
        half = self.use_fp16 and not force_fp32 and ws.device.type == "cuda"
        dtype = torch.float16 if half else torch.float32
        if self.in_channels == 0:
            x = self.const.to(dtype)[None].expand(ws.shape[0], -1, -1, -1)
            x = self.conv1(x, next(w), noise_mode)
        elif self.architecture == "resnet":
            assert x is not None
            x = x.to(dtype)
            y = self.skip(x, gain=_HALF)
            x = self.conv0(x, next(w), noise_mode)
            x = y + self.conv1(x, next(w), noise_mode, gain=_HALF)
        else:
            assert x is not None
            x = self.conv1(self.conv0(x.to(dtype), next(w), noise_mode), next(w), noise_mode)
        if img is not None:
            img = fir_up(img, self.resample_filter)
        if self.num_torgb:
            y = self.torgb(x, next(w)).to(torch.float32)
            img = y if img is None else img + y
        return x, img


class SynthesisNetwork(nn.Module):
    """From ws to the image, through blocks `b4`, `b8`, …"""

    def __init__(
        self,
        w_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 32768,
        channel_max: int = 512,
        num_fp16_res: int = 0,
        **block_kwargs: Any,
    ) -> None:
        super().__init__()
        self.w_dim = w_dim
        self.img_resolution = img_resolution
        self.img_channels = img_channels
        self.img_resolution_log2 = int(math.log2(img_resolution))
        self.block_resolutions = [2**i for i in range(2, self.img_resolution_log2 + 1)]
        self.num_ws = 0
        first_half_res = max(2 ** (self.img_resolution_log2 + 1 - num_fp16_res), 8)
        in_channels = 0
        for res in self.block_resolutions:
            channels = min(channel_base // res, channel_max)
            last = res == img_resolution
            half = res >= first_half_res
            args = (in_channels, channels, w_dim, res, img_channels, last)
            block = SynthesisBlock(*args, use_fp16=half, **block_kwargs)
            self.num_ws += block.num_conv + (block.num_torgb if last else 0)
            setattr(self, f"b{res}", block)
            in_channels = channels

    def forward(
        self, ws: Tensor, noise_mode: str = "random", force_fp32: bool = False, **ignored: Any
    ) -> Tensor:
        """`[N, num_ws, w_dim]` to float32 `[N, img_channels, R, R]`, nominally in [-1, 1]."""
        ws = ws.to(torch.float32)
        x = img = None
        start = 0
        for res in self.block_resolutions:
            block = getattr(self, f"b{res}")
            x, img = block(
                x, img, ws.narrow(1, start, block.num_conv + block.num_torgb), force_fp32, noise_mode
            )
            start += block.num_conv
        assert img is not None
        return img


class MappingNetwork(nn.Module):
    """From z and label to w, `num_ws` times."""

    w_avg: Tensor

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        num_ws: int | None,
        num_layers: int = 8,
        embed_features: int | None = None,
        layer_features: int | None = None,
        activation: str = "lrelu",
        lr_multiplier: float = 0.01,
        w_avg_beta: float | None = 0.995,
    ) -> None:
        super().__init__()
        self.z_dim = z_dim
        self.c_dim = c_dim
        self.w_dim = w_dim
        self.num_ws = num_ws
        self.num_layers = num_layers
        self.w_avg_beta = w_avg_beta
        embed = 0 if c_dim == 0 else (w_dim if embed_features is None else embed_features)
        inner = w_dim if layer_features is None else layer_features
        widths = [z_dim + embed, *[inner] * (num_layers - 1), w_dim]
        if c_dim > 0:
            self.embed = DenseLayer(c_dim, embed)
        for i in range(num_layers):
            setattr(self, f"fc{i}", DenseLayer(widths[i], widths[i + 1], activation, lr_multiplier))
        if num_ws is not None and w_avg_beta is not None:
            self.register_buffer("w_avg", torch.zeros([w_dim]))

    def forward(
        self,
        z: Tensor | None,
        c: Tensor | None = None,
        truncation_psi: Any = 1,
        truncation_cutoff: int | None = None,
        skip_w_avg_update: bool = False,
        **ignored: Any,
    ) -> Tensor:
        """`[N, z_dim]` and `[N, c_dim]` to `[N, num_ws, w_dim]`; psi 1 leaves w alone, 0 gives the average."""
        parts = [] if z is None or self.z_dim == 0 else [normalized(z.to(torch.float32))]
        if self.c_dim > 0:
            assert c is not None
            parts.append(normalized(self.embed(c.to(torch.float32))))
        x = torch.cat(parts, dim=1)
        for i in range(self.num_layers):
            x = getattr(self, f"fc{i}")(x)
        if self.num_ws is None:
            return x
        if self.w_avg_beta is not None and self.training and not skip_w_avg_update:
            self.w_avg.copy_(x.detach().mean(dim=0).lerp(self.w_avg, self.w_avg_beta))
        ws = x.unsqueeze(1).repeat([1, self.num_ws, 1])
        if not isinstance(truncation_psi, Tensor) and truncation_psi == 1:
            return ws
        near = self.w_avg + (ws - self.w_avg) * truncation_psi
        return (
            near
            if truncation_cutoff is None
            else torch.cat([near[:, :truncation_cutoff], ws[:, truncation_cutoff:]], dim=1)
        )


class Generator(nn.Module):
    """`G(z, c)` is `G.synthesis(G.mapping(z, c))`."""

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        img_resolution: int,
        img_channels: int,
        mapping_kwargs: dict[str, Any] | None = None,
        synthesis_kwargs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.z_dim = z_dim
        self.c_dim = c_dim
        self.w_dim = w_dim
        self.img_resolution = img_resolution
        self.img_channels = img_channels
        self.synthesis = SynthesisNetwork(w_dim, img_resolution, img_channels, **(synthesis_kwargs or {}))
        self.num_ws = self.synthesis.num_ws
        self.mapping = MappingNetwork(z_dim, c_dim, w_dim, self.num_ws, **(mapping_kwargs or {}))

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
        **synthesis_kwargs: Any,
    ) -> Tensor:
        """Latents `[N, z_dim]` and labels to images `[N, img_channels, R, R]`."""
        ws = self.mapping(z, c, truncation_psi=truncation_psi, truncation_cutoff=truncation_cutoff)
        return self.synthesis(ws, **synthesis_kwargs)


class DiscriminatorBlock(nn.Module):
    """The layers of one resolution, halving it."""

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        tmp_channels: int,
        out_channels: int,
        img_channels: int,
        architecture: str = "resnet",
        activation: str = "lrelu",
        resample_filter: Any = _TAPS,
        conv_clamp: float | None = None,
        use_fp16: bool = False,
        fp16_channels_last: bool = False,
        freeze_layers: int = 0,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.architecture = architecture
        self.use_fp16 = use_fp16
        common = {"resample_filter": resample_filter}
        act = {"activation": activation, "conv_clamp": conv_clamp, **common}
        self.register_buffer("resample_filter", make_filter(resample_filter))
        if in_channels == 0 or architecture == "skip":
            self.fromrgb = ConvLayer(img_channels, tmp_channels, 1, **act)
        self.conv0 = ConvLayer(tmp_channels, tmp_channels, 3, **act)
        self.conv1 = ConvLayer(tmp_channels, out_channels, 3, down=2, **act)
        if architecture == "resnet":
            self.skip = ConvLayer(tmp_channels, out_channels, 1, bias=False, down=2, **common)

    def forward(
        self, x: Tensor | None, img: Tensor | None, force_fp32: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Features and image to features of half the size, and for `skip` the image of half the size."""
        device = self.conv0.weight.device
        dtype = torch.float16 if self.use_fp16 and not force_fp32 and device.type == "cuda" else torch.float32
        x = None if x is None else x.to(dtype)
        if self.in_channels == 0 or self.architecture == "skip":
            assert img is not None
            y = self.fromrgb(img.to(dtype))
            x = y if x is None else x + y
            img = fir_down(img, self.resample_filter) if self.architecture == "skip" else None
        assert x is not None
        if self.architecture == "resnet":
            y = self.skip(x, gain=_HALF)
            return y + self.conv1(self.conv0(x), gain=_HALF), img
        return self.conv1(self.conv0(x)), img


class DiscriminatorEpilogue(nn.Module):
    """The 4×4 end: spread of the batch, convolution, two dense layers, projection of the label."""

    def __init__(
        self,
        in_channels: int,
        cmap_dim: int,
        img_channels: int,
        architecture: str = "resnet",
        mbstd_group_size: int | None = 4,
        mbstd_num_channels: int = 1,
        activation: str = "lrelu",
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.cmap_dim = cmap_dim
        self.architecture = architecture
        self.mbstd_group_size = mbstd_group_size
        self.mbstd_num_channels = mbstd_num_channels
        if architecture == "skip":
            self.fromrgb = ConvLayer(img_channels, in_channels, 1, activation=activation)
        width = in_channels + mbstd_num_channels
        self.conv = ConvLayer(width, in_channels, 3, activation=activation, conv_clamp=conv_clamp)
        self.fc = DenseLayer(in_channels * 16, in_channels, activation)
        self.out = DenseLayer(in_channels, cmap_dim or 1)

    def forward(self, x: Tensor, img: Tensor | None, cmap: Tensor | None) -> Tensor:
        """`[N, in, 4, 4]` to `[N, 1]`."""
        x = x.to(torch.float32)
        if self.architecture == "skip":
            assert img is not None
            x = x + self.fromrgb(img.to(torch.float32))
        if self.mbstd_num_channels > 0:
            x = with_spread(x, self.mbstd_group_size, self.mbstd_num_channels)
        x = self.out(self.fc(self.conv(x).flatten(1)))
        return x if cmap is None else (x * cmap).sum(dim=1, keepdim=True) / math.sqrt(self.cmap_dim)


class Discriminator(nn.Module):
    """`D(img, c)` is a logit an image."""

    def __init__(
        self,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        architecture: str = "resnet",
        channel_base: int = 32768,
        channel_max: int = 512,
        num_fp16_res: int = 0,
        conv_clamp: float | None = None,
        cmap_dim: int | None = None,
        block_kwargs: dict[str, Any] | None = None,
        mapping_kwargs: dict[str, Any] | None = None,
        epilogue_kwargs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.c_dim = c_dim
        self.img_resolution = img_resolution
        self.img_channels = img_channels
        log2 = int(math.log2(img_resolution))
        self.img_resolution_log2 = log2
        self.block_resolutions = [2**i for i in range(log2, 2, -1)]
        channels = {res: min(channel_base // res, channel_max) for res in [*self.block_resolutions, 4]}
        first_half_res = max(2 ** (log2 + 1 - num_fp16_res), 8)
        cmap_dim = 0 if c_dim == 0 else (channels[4] if cmap_dim is None else cmap_dim)
        common: dict[str, Any] = {"architecture": architecture, "conv_clamp": conv_clamp}
        for res in self.block_resolutions:
            block = DiscriminatorBlock(
                channels[res] if res < img_resolution else 0,
                channels[res],
                channels[res // 2],
                img_channels,
                use_fp16=res >= first_half_res,
                **common,
                **(block_kwargs or {}),
            )
            setattr(self, f"b{res}", block)
        if c_dim > 0:
            self.mapping = MappingNetwork(
                0, c_dim, cmap_dim, None, **{"w_avg_beta": None, **(mapping_kwargs or {})}
            )
        self.b4 = DiscriminatorEpilogue(
            channels[4], cmap_dim, img_channels, **common, **(epilogue_kwargs or {})
        )

    def forward(
        self, img: Tensor, c: Tensor | None = None, force_fp32: bool = False, **ignored: Any
    ) -> Tensor:
        """Images `[N, img_channels, R, R]` and labels to logits `[N, 1]`."""
        x: Tensor | None = None
        rest: Tensor | None = img
        for res in self.block_resolutions:
            x, rest = getattr(self, f"b{res}")(x, rest, force_fp32)
        return self.b4(x, rest, self.mapping(None, c) if self.c_dim > 0 else None)


class AugmentPipe(nn.Module):
    """The probability that a training's augmentation had come to; the augmentation itself is not in the file."""

    p: Tensor

    def __init__(self, **multipliers: float) -> None:
        super().__init__()
        self.multipliers = multipliers
        self.register_buffer("p", torch.ones([]))

    def forward(self, images: Tensor, debug_percentile: float | None = None) -> Tensor:
        """Refuses: a training makes a pipe of its own."""
        raise NotImplementedError("this file keeps the augmentation's probability only")


def drawn(shape: list[int], scale: float = 1) -> Tensor:
    """Normal numbers; none on the meta device, where drawing takes torch a second to get ready for."""
    x = torch.empty(shape)
    return x if x.is_meta else x.normal_(std=scale)


def activate(
    x: Tensor, bias: Tensor | None, name: str, gain: float = 1, clamp: float | None = None
) -> Tensor:
    """`clamp(gain * act(x + bias))`, with the activation's own gain on top."""
    if bias is not None:
        x = x + bias.to(x.dtype).reshape([1, -1] + [1] * (x.ndim - 2))
    if name == "lrelu":
        x = F.leaky_relu(x, 0.2)
    elif name == "swish":
        x = torch.sigmoid(x) * x
    elif name != "linear":
        x = getattr(F if name in ("elu", "selu", "softplus") else torch, name)(x)
    x = x * (gain * _GAINS.get(name, 1))
    return x if clamp is None or clamp < 0 else x.clamp(-clamp, clamp)


def normalized(x: Tensor) -> Tensor:
    """Rows divided by their root mean square."""
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


def make_filter(taps: Any) -> Tensor:
    """FIR taps as official files keep them: a matrix, or a vector from eight taps on; sum 1."""
    f = torch.as_tensor([1.0] if taps is None else taps, dtype=torch.float32, device="cpu")
    if f.ndim == 1 and f.numel() < 8:
        f = torch.outer(f, f)
    return f / f.sum()


def fir(x: Tensor, f: Tensor, pads: list[int], stride: int = 1, gain: float = 1) -> Tensor:
    """Pad (left, right, top, bottom; negative crops), convolve each channel with f, keep every `stride`-th."""
    f = (torch.outer(f, f) if f.ndim == 1 else f) * gain
    f = f.to(x.dtype).flip([0, 1])[None, None].expand(x.shape[1], 1, -1, -1)
    return F.conv2d(F.pad(x, pads), f, stride=stride, groups=x.shape[1])


def fir_up(x: Tensor, f: Tensor) -> Tensor:
    """Twice the size: zeros between the samples, then the filter, as one transposed convolution."""
    f = torch.outer(f, f) if f.ndim == 1 else f
    fh, fw = f.shape
    f = (f * 4).to(x.dtype)[None, None].expand(x.shape[1], 1, -1, -1)
    x = F.conv_transpose2d(x, f, stride=2, groups=x.shape[1])
    crop = [(n + 1) // 2 - n + 1 for n in (fw, fh)]
    rest = [(n - 2) // 2 - n + 2 for n in (fw, fh)]
    return F.pad(x, [crop[0], rest[0], crop[1], rest[1]])


def fir_down(x: Tensor, f: Tensor) -> Tensor:
    """Half the size."""
    fh, fw = f.shape[0], f.shape[-1]
    return fir(x, f, [(fw - 1) // 2, (fw - 2) // 2, (fh - 1) // 2, (fh - 2) // 2], stride=2)


def resampled_conv(x: Tensor, w: Tensor, f: Tensor, up: int = 1, down: int = 1) -> Tensor:
    """Convolve with w; twice or half the size by way of the filter f, in the cheapest order."""
    k = w.shape[2]
    fh, fw = f.shape[0], f.shape[-1]
    if up == down == 1:
        return F.conv2d(x, w, padding=k // 2)
    if down > 1:
        pads = [(n - 1) // 2 + k // 2 for n in (fw, fh)], [(n - 2) // 2 + k // 2 for n in (fw, fh)]
        x = fir(x, f, [pads[0][0], pads[1][0], pads[0][1], pads[1][1]], stride=2 if k == 1 else 1)
        return F.conv2d(x, w, stride=1 if k == 1 else 2)
    if k == 1:
        return fir_up(F.conv2d(x, w), f)
    x = F.conv_transpose2d(x, w.transpose(0, 1), stride=2)  # scatters: the true convolution that is wanted
    before = [(n + 1) // 2 + k // 2 - k + 1 for n in (fw, fh)]
    after = [(n - 2) // 2 + k // 2 - k + 2 for n in (fw, fh)]
    return fir(x, f, [before[0], after[0], before[1], after[1]], gain=4)


def modulated_conv(x: Tensor, weight: Tensor, styles: Tensor, f: Tensor, up: int) -> Tensor:
    """Convolution of weights scaled by a style and demodulated, as activations scaled before it and after."""
    if x.dtype == torch.float16:  # keep products and their squares in range
        largest = weight.abs().amax(dim=[1, 2, 3], keepdim=True).clamp(min=1e-20)
        weight = weight / (largest * math.sqrt(weight[0].numel()))
        styles = styles / styles.abs().amax(dim=1, keepdim=True).clamp(min=1e-20)
    x = resampled_conv(x * styles.to(x.dtype)[:, :, None, None], weight.to(x.dtype), f, up)
    squares = styles.square() @ weight.square().sum(dim=[2, 3]).T
    return x * (squares + 1e-8).rsqrt().to(x.dtype)[:, :, None, None]


def with_spread(x: Tensor, group_size: int | None, num_channels: int) -> Tensor:
    """Append the standard deviation over groups of samples as channels."""
    n, c, h, w = x.shape
    group = max(min(group_size or n, n), 1)
    while n % group:
        group -= 1
    y = x.reshape(group, n // group, num_channels, c // num_channels, h, w)
    y = ((y - y.mean(dim=0)).square().mean(dim=0) + 1e-8).sqrt().mean(dim=[2, 3, 4])
    return torch.cat([x, y.reshape(n // group, num_channels, 1, 1).repeat(group, 1, h, w)], dim=1)
