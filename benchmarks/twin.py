"""A plain twin of the networks: what the papers say, in the most direct torch, to compare speeds with.

Written from StyleGAN2 (arXiv 1912.04958) and StyleGAN2-ADA (arXiv 2006.06676) alone: per-sample weights in one
grouped convolution, a transposed convolution with stride 2 and then the FIR, planar tensors, every elementwise
operation by itself. Attribute names are the state-dict keys of `stylegan`, so that its weights load as they are
(`twin_of`). On CUDA FIR and activations can be the native operations (`use_native`), as the published implementation
has plugins for them. `twin_training` is its training; nothing in `stylegan` uses any of it.
"""

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan import Discriminator, Generator, ops
from stylegan.draws import NormalSource, normal

__all__ = ["TwinDiscriminator", "TwinGenerator", "twin_of", "upfirdn2d", "use_native"]


def twin_of(
    network: Generator | Discriminator, half_dtype: torch.dtype | None = None
) -> "TwinGenerator | TwinDiscriminator":
    """The plain twin of a network, with a copy of its weights.

    Args:
        network: with the default architectures, `skip` for a generator, `resnet` for a discriminator.
        half_dtype: what the highest `num_fp16_res` resolutions run in; None for float32 throughout.

    Raises:
        ValueError: another architecture.
    """
    kind = TwinGenerator if isinstance(network, Generator) else TwinDiscriminator
    twin = kind(network.init_kwargs, half_dtype)
    twin.load_state_dict(network.state_dict(), strict=True)
    return twin.train(network.training)


def use_native(is_used: bool, *, is_shared: bool = False) -> None:
    """Change how twins compute from now on: as the published implementation does on CUDA, or plainly again.

    Args:
        is_used: FIR, and bias with activation, are native operations, one call each.
        is_shared: samples share a convolution, whose input and output are scaled, as published networks train.
    """
    global _is_native, _is_shared
    _is_native, _is_shared = is_used, is_shared


_is_native = _is_shared = False


def upfirdn2d(
    x: Tensor,
    f: Tensor,
    up: int = 1,
    down: int = 1,
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    gain: float = 1,
    flip_filter: bool = False,
) -> Tensor:
    """Insert zeros, pad or crop, filter (a 2-D f at once, a 1-D one along rows, then columns), decimate."""
    if _is_native:
        return ops.upfirdn2d(x, f, up=up, down=down, padding=padding, gain=gain, flip_filter=flip_filter)
    n, c, h, w = x.shape
    if up > 1:
        x = F.pad(x.reshape(n, c, h, 1, w, 1), [0, up - 1, 0, 0, 0, up - 1]).reshape(n, c, h * up, w * up)
    x = F.pad(x, padding)
    f = (f * gain ** (f.ndim / 2)).to(x.dtype)
    if not flip_filter:
        f = f.flip(list(range(f.ndim)))
    if f.ndim == 2:
        return F.conv2d(x, f.expand(c, 1, -1, -1), stride=down, groups=c)
    x = F.conv2d(x, f.expand(c, 1, 1, -1), stride=(1, down), groups=c)
    return F.conv2d(x, f[:, None].expand(c, 1, -1, -1), stride=(down, 1), groups=c)


class TwinGenerator(nn.Module):
    """The generator of `stylegan.Generator.init_kwargs`, architecture `skip`."""

    def __init__(self, kwargs: dict[str, Any], half_dtype: torch.dtype | None = None) -> None:
        super().__init__()
        self.z_dim, self.c_dim, self.w_dim = kwargs["z_dim"], kwargs["c_dim"], kwargs["w_dim"]
        self.img_resolution, self.img_channels = kwargs["img_resolution"], kwargs["img_channels"]
        self.synthesis = _Synthesis(kwargs, half_dtype)
        self.num_ws = self.synthesis.num_ws
        self.mapping = _Mapping(self.z_dim, self.c_dim, self.w_dim, self.num_ws, **kwargs["mapping_kwargs"])

    def forward(self, z: Tensor, c: Tensor | None = None, noise_mode: str = "random") -> Tensor:
        """`[N, z_dim]` to images `[N, C, H, W]`."""
        image: Tensor = self.synthesis(self.mapping(z, c), noise_mode=noise_mode)
        return image


class TwinDiscriminator(nn.Module):
    """The discriminator of `stylegan.Discriminator.init_kwargs`, architecture `resnet`."""

    def __init__(self, kwargs: dict[str, Any], half_dtype: torch.dtype | None = None) -> None:
        super().__init__()
        if kwargs["architecture"] != "resnet":
            raise ValueError(f"the twin knows no discriminator of architecture {kwargs['architecture']}")
        resolution, c_dim = kwargs["img_resolution"], kwargs["c_dim"]
        self.c_dim = c_dim
        self.resolutions = [2**i for i in range(int(math.log2(resolution)), 2, -1)]
        for res in self.resolutions:
            here, below = _channels(kwargs, res), _channels(kwargs, res // 2)
            half = half_dtype if res >= _first_half_res(resolution, kwargs["num_fp16_res"]) else None
            image_channels = kwargs["img_channels"] if res == resolution else 0
            setattr(self, f"b{res}", _Halving(image_channels, here, below, kwargs["conv_clamp"], half))
        cmap_dim = kwargs["cmap_dim"] or _channels(kwargs, 4)
        if c_dim:
            self.mapping = _Mapping(
                0, c_dim, cmap_dim, None, **{**kwargs["mapping_kwargs"], "w_avg_beta": None}
            )
        self.cmap_dim = cmap_dim if c_dim else 0
        self.b4 = _Epilogue(
            _channels(kwargs, 4), self.cmap_dim, kwargs["conv_clamp"], **kwargs["epilogue_kwargs"]
        )

    def forward(self, img: Tensor, c: Tensor | None = None) -> Tensor:
        """Images `[N, C, H, W]` to logits `[N, 1]`."""
        x = img
        for res in self.resolutions:
            x = getattr(self, f"b{res}")(x)
        logits: Tensor = self.b4(x.float())
        if self.cmap_dim:
            logits = (logits * self.mapping(None, c)).sum(1, keepdim=True) / math.sqrt(self.cmap_dim)
        return logits


class _Dense(nn.Module):
    def __init__(self, fan_in: int, fan_out: int, *, lrelu: bool = False, lr_multiplier: float = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros([fan_out, fan_in]))
        self.bias = nn.Parameter(torch.zeros([fan_out]))
        self.lrelu, self.weight_gain, self.bias_gain = lrelu, lr_multiplier / math.sqrt(fan_in), lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.weight * self.weight_gain, self.bias * self.bias_gain
        if not self.lrelu:
            return torch.addmm(bias[None], x, weight.T)
        return _bias_lrelu(x @ weight.T, bias, math.sqrt(2), None)


class _Mapping(nn.Module):
    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        num_ws: int | None,
        *,
        num_layers: int = 8,
        embed_features: int | None = None,
        layer_features: int | None = None,
        lr_multiplier: float = 0.01,
        w_avg_beta: float | None = 0.995,
    ) -> None:
        super().__init__()
        self.num_ws, self.num_layers, self.w_avg_beta = num_ws, num_layers, w_avg_beta
        embed = (embed_features or w_dim) if c_dim else 0
        widths = [z_dim + embed, *[layer_features or w_dim] * (num_layers - 1), w_dim]
        if c_dim:
            self.embed = _Dense(c_dim, embed)
        for i in range(num_layers):
            setattr(self, f"fc{i}", _Dense(widths[i], widths[i + 1], lrelu=True, lr_multiplier=lr_multiplier))
        if num_ws is not None and w_avg_beta is not None:
            self.register_buffer("w_avg", torch.zeros([w_dim]))

    def forward(self, z: Tensor | None, c: Tensor | None = None, skip_w_avg_update: bool = False) -> Tensor:
        parts = [] if z is None else [_normalise(z)]
        if hasattr(self, "embed"):
            assert c is not None
            parts.append(_normalise(self.embed(c)))
        x = torch.cat(parts, 1)
        for i in range(self.num_layers):
            x = getattr(self, f"fc{i}")(x)
        if self.num_ws is None:
            return x
        if self.training and not skip_w_avg_update and self.w_avg_beta is not None:
            self.w_avg.copy_(x.detach().mean(0).lerp(self.w_avg, self.w_avg_beta))
        return x[:, None].repeat([1, self.num_ws, 1])


class _Synthesis(nn.Module):
    def __init__(self, kwargs: dict[str, Any], half_dtype: torch.dtype | None) -> None:
        super().__init__()
        options = {"channel_base": 32768, "channel_max": 512, "num_fp16_res": 0, "conv_clamp": None}
        options |= kwargs["synthesis_kwargs"]
        if options.get("architecture", "skip") != "skip":
            raise ValueError(f"the twin knows no generator of architecture {options['architecture']}")
        resolution = kwargs["img_resolution"]
        self.resolutions = [2**i for i in range(2, int(math.log2(resolution)) + 1)]
        self.num_ws = 2 * len(self.resolutions)
        for res in self.resolutions:
            half = half_dtype if res >= _first_half_res(resolution, options["num_fp16_res"]) else None
            below = _channels(options, res // 2) if res > 4 else 0
            block = _Doubling(
                below,
                _channels(options, res),
                kwargs["w_dim"],
                res,
                kwargs["img_channels"],
                options["conv_clamp"],
                half,
            )
            setattr(self, f"b{res}", block)

    def forward(
        self, ws: Tensor, noise_mode: str = "random", generator: NormalSource | None = None
    ) -> Tensor:
        x = img = None
        first = 0
        for res in self.resolutions:
            x, img = getattr(self, f"b{res}")(x, img, ws[:, first:], noise_mode, generator)
            first += 1 if res == 4 else 2
        assert img is not None
        return img


class _Doubling(nn.Module):
    def __init__(
        self,
        below: int,
        channels: int,
        w_dim: int,
        resolution: int,
        img_channels: int,
        clamp: float | None,
        half: torch.dtype | None,
    ) -> None:
        super().__init__()
        self.dtype = half or torch.float32
        if below:
            self.conv0 = _StyledConv(below, channels, w_dim, resolution, up=2, clamp=clamp)
        else:
            self.const = nn.Parameter(torch.zeros([channels, 4, 4]))
        self.conv1 = _StyledConv(channels, channels, w_dim, resolution, up=1, clamp=clamp)
        self.torgb = _ToRGB(channels, img_channels, w_dim, clamp)
        self.register_buffer("resample_filter", _taps())

    def forward(
        self,
        x: Tensor | None,
        img: Tensor | None,
        ws: Tensor,
        noise_mode: str,
        generator: NormalSource | None,
    ) -> tuple[Tensor, Tensor]:
        w = iter(ws.unbind(1))
        if x is None:
            x = self.const.to(self.dtype)[None].repeat([len(ws), 1, 1, 1])
        else:
            x = self.conv0(x.to(self.dtype), next(w), noise_mode, generator)
        x = self.conv1(x, next(w), noise_mode, generator)
        y = self.torgb(x, next(w)).float()
        if img is not None:
            y = y + upfirdn2d(img, self.resample_filter, up=2, padding=(2, 1, 2, 1), gain=4)
        return x, y


class _StyledConv(nn.Module):
    def __init__(
        self, fan_in: int, fan_out: int, w_dim: int, resolution: int, *, up: int, clamp: float | None
    ) -> None:
        super().__init__()
        self.up, self.clamp, self.resolution = up, clamp, resolution
        self.affine = _Dense(w_dim, fan_in)
        self.weight = nn.Parameter(torch.zeros([fan_out, fan_in, 3, 3]))
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.bias = nn.Parameter(torch.zeros([fan_out]))
        self.register_buffer("noise_const", torch.zeros([resolution, resolution]))
        self.register_buffer("resample_filter", _taps())

    def forward(self, x: Tensor, w: Tensor, noise_mode: str, generator: NormalSource | None) -> Tensor:
        x = _modulated_conv(x, self.weight, self.affine(w), self.up, self.resample_filter)
        if noise_mode == "random":
            shape = [len(x), 1, self.resolution, self.resolution]
            noise = normal(shape, generator, device=x.device, dtype=torch.float32)
            x = x + (noise * self.noise_strength).to(x.dtype)
        elif noise_mode == "const":
            x = x + (self.noise_const * self.noise_strength).to(x.dtype)
        return _bias_lrelu(x, self.bias, math.sqrt(2), self.clamp)


class _ToRGB(nn.Module):
    def __init__(self, fan_in: int, img_channels: int, w_dim: int, clamp: float | None) -> None:
        super().__init__()
        self.affine = _Dense(w_dim, fan_in)
        self.weight = nn.Parameter(torch.zeros([img_channels, fan_in, 1, 1]))
        self.bias = nn.Parameter(torch.zeros([img_channels]))
        self.clamp = clamp

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        styles = self.affine(w) / math.sqrt(self.weight.shape[1])
        x = _modulated_conv(x, self.weight, styles, 1, None, demodulate=False)
        x = x + self.bias.to(x.dtype)[:, None, None]
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)


class _Conv(nn.Module):
    def __init__(self, fan_in: int, fan_out: int, size: int, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros([fan_out, fan_in, size, size]))
        self.bias = nn.Parameter(torch.zeros([fan_out])) if bias else None
        self.register_buffer("resample_filter", _taps())
        self.gain = 1 / math.sqrt(fan_in * size**2)

    def forward(self, x: Tensor, down: int = 1, gain: float = 1, clamp: float | None = None) -> Tensor:
        weight = (self.weight * self.gain).to(x.dtype)
        if down == 1:
            x = F.conv2d(x, weight, padding=weight.shape[2] // 2)
        elif weight.shape[2] == 1:
            x = F.conv2d(upfirdn2d(x, self.resample_filter, down=2, padding=(1, 1, 1, 1)), weight)
        else:
            x = F.conv2d(upfirdn2d(x, self.resample_filter, padding=(2, 2, 2, 2)), weight, stride=2)
        if self.bias is None:
            return x * gain
        return _bias_lrelu(x, self.bias, math.sqrt(2) * gain, None if clamp is None else clamp * gain)


class _Halving(nn.Module):
    def __init__(
        self, img_channels: int, here: int, below: int, clamp: float | None, half: torch.dtype | None
    ) -> None:
        super().__init__()
        self.clamp, self.dtype = clamp, half or torch.float32
        if img_channels:
            self.fromrgb = _Conv(img_channels, here, 1)
        self.conv0 = _Conv(here, here, 3)
        self.conv1 = _Conv(here, below, 3)
        self.skip = _Conv(here, below, 1, bias=False)
        self.register_buffer("resample_filter", _taps())

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(self.dtype)
        if hasattr(self, "fromrgb"):
            x = self.fromrgb(x, clamp=self.clamp)
        y: Tensor = self.skip(x, down=2, gain=math.sqrt(0.5))
        x = self.conv1(self.conv0(x, clamp=self.clamp), down=2, gain=math.sqrt(0.5), clamp=self.clamp)
        return y + x


class _Epilogue(nn.Module):
    def __init__(
        self,
        channels: int,
        cmap_dim: int,
        clamp: float | None,
        *,
        mbstd_group_size: int | None = 4,
        mbstd_num_channels: int = 1,
    ) -> None:
        super().__init__()
        self.group, self.num_stats, self.clamp = mbstd_group_size, mbstd_num_channels, clamp
        self.conv = _Conv(channels + mbstd_num_channels, channels, 3)
        self.fc = _Dense(channels * 16, channels, lrelu=True)
        self.out = _Dense(channels, cmap_dim or 1)

    def forward(self, x: Tensor) -> Tensor:
        if self.num_stats:
            n, c, h, w = x.shape
            group = min(self.group or n, n)
            y = x.reshape(group, -1, self.num_stats, c // self.num_stats, h, w)
            y = y - y.mean(0)
            y = (y.square().mean(0) + 1e-8).sqrt().mean([2, 3, 4]).reshape(-1, self.num_stats, 1, 1)
            x = torch.cat([x, y.repeat(group, 1, h, w)], 1)
        logits: Tensor = self.out(self.fc(self.conv(x, clamp=self.clamp).flatten(1)))
        return logits


def _modulated_conv(
    x: Tensor, weight: Tensor, styles: Tensor, up: int, taps: Tensor | None, demodulate: bool = True
) -> Tensor:
    """Each sample by its own weights (arXiv 1912.04958, equations 1 and 3), all in one grouped convolution."""
    n, in_channels = styles.shape
    out_channels, _, size, _ = weight.shape
    if x.dtype == torch.float16 and demodulate:
        scale = math.sqrt(1 / (in_channels * size**2)) / weight.abs().amax([1, 2, 3], keepdim=True)
        weight, styles = weight * scale, styles / styles.abs().amax(1, keepdim=True)
    w = weight[None] * styles[:, None, :, None, None]  # [N, O, I, k, k]
    demodulation = (w.square().sum([2, 3, 4], keepdim=True) + 1e-8).rsqrt() if demodulate else None
    if _is_shared:  # the same by scaling activations, before one convolution and after it
        x = _convolved(x * styles.to(x.dtype)[:, :, None, None], weight[None].to(x.dtype), up, taps)
        return x if demodulation is None else x * demodulation.to(x.dtype)[:, :, 0]
    w = (w if demodulation is None else w * demodulation).to(x.dtype)
    x = _convolved(x.reshape(1, n * in_channels, *x.shape[2:]), w, up, taps)
    return x.reshape(n, out_channels, *x.shape[2:])


def _convolved(x: Tensor, w: Tensor, up: int, taps: Tensor | None) -> Tensor:
    """Groups of channels, each by its own weights `[groups, O, I, k, k]`."""
    groups, out_channels, in_channels, size, _ = w.shape
    if up == 1:
        return F.conv2d(x, w.reshape(-1, in_channels, size, size), padding=size // 2, groups=groups)
    assert taps is not None
    w = w.transpose(1, 2).reshape(groups * in_channels, out_channels, size, size)
    # One more on each side than twice the size, less one.
    x = F.conv_transpose2d(x, w, stride=2, groups=groups)
    return upfirdn2d(x, taps, padding=(1, 1, 1, 1), gain=4)


def _bias_lrelu(x: Tensor, bias: Tensor, gain: float, clamp: float | None) -> Tensor:
    if _is_native:
        return ops.bias_act(x, bias.to(x.dtype), act="lrelu", gain=gain, clamp=clamp)
    bias = bias.to(x.dtype)
    x = F.leaky_relu(x + (bias[:, None, None] if x.ndim == 4 else bias), 0.2) * gain
    return x if clamp is None else x.clamp(-clamp, clamp)


def _normalise(x: Tensor) -> Tensor:
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def _taps() -> Tensor:
    taps = torch.from_numpy(np.outer([1, 3, 3, 1], [1, 3, 3, 1])).float()
    return taps / taps.sum()


def _channels(kwargs: dict[str, Any], resolution: int) -> int:
    return int(min(kwargs["channel_base"] // resolution, kwargs["channel_max"]))


def _first_half_res(resolution: int, num_half: int) -> int:
    return max(int(2 ** (math.log2(resolution) + 1 - num_half)), 8)
