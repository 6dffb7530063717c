"""The discriminator: residual, plain or skip blocks from the image down to a logit.

StyleGAN2 (arXiv 1912.04958) with minibatch standard deviation (arXiv 1710.10196), projection of a mapped label
(arXiv 1802.05637), and Freeze-D (arXiv 2002.10964). Keyword arguments and state-dict keys are the official ones.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from stylegan.layers import DEFAULT_FILTER, ConvLayer, DenseLayer, fir
from stylegan.mapping import MappingNetwork
from stylegan.ops import downsample2d
from stylegan.precision import block_dtype, block_format, is_half_block
from stylegan.pyramid import channel_counts, check_architecture

__all__ = [
    "LEAST_RESOLUTION",
    "Discriminator",
    "DiscriminatorBlock",
    "DiscriminatorEpilogue",
    "minibatch_std",
]

LEAST_RESOLUTION = 8
"""Side of the smallest pictures that a discriminator judges."""

_RESIDUAL_GAIN = math.sqrt(0.5)


def minibatch_std(x: Tensor, group_size: int | None, num_channels: int = 1) -> Tensor:
    """Append the standard deviation over groups of samples as extra channels.

    Args:
        x: `[N, C, H, W]`.
        group_size: samples a group, None for the whole batch; lowered to the next divisor of N.
        num_channels: statistics channels; C must be a multiple.

    Returns:
        `[N, C + num_channels, H, W]`.
    """
    n, channels, height, width = x.shape
    group = max(min(group_size or n, n), 1)
    while n % group:
        group -= 1
    y = x.reshape(group, n // group, num_channels, channels // num_channels, height, width)
    y = (y - y.mean(dim=0)).square().mean(dim=0)  # variance over the group
    y = (y + 1e-8).sqrt().mean(dim=[2, 3, 4])  # [N/group, num_channels]
    y = y.reshape(n // group, num_channels, 1, 1).repeat(group, 1, height, width)
    return torch.cat([x, y], dim=1)


class DiscriminatorBlock(nn.Module):
    """The layers of one resolution, halving it.

    Args:
        in_channels: channels of the block before, 0 for the first block.
        tmp_channels: channels at this resolution.
        out_channels: channels at the next.
        resolution: side of the block's input.
        img_channels: channels of the image.
        architecture: `resnet`, `orig` or `skip`.
        freeze: how many of this block's layers (fromrgb, conv0, conv1, skip) are frozen.
        use_fp16: run in half precision where the device has it, see `stylegan.precision`.
    """

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        tmp_channels: int,
        out_channels: int,
        resolution: int,
        img_channels: int,
        *,
        architecture: str = "resnet",
        activation: str = "lrelu",
        resample_filter: Sequence[float] = DEFAULT_FILTER,
        conv_clamp: float | None = None,
        freeze: int = 0,
        use_fp16: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.resolution = resolution
        self.architecture = architecture
        self.use_fp16 = use_fp16
        self.half_dtype: torch.dtype | None = None
        self.num_layers = 0
        self.register_buffer("resample_filter", fir(resample_filter))
        frozen = iter([True] * freeze + [False] * 4)

        def layer(
            in_channels: int, out_channels: int, kernel_size: int, act: str, down: int = 1, bias: bool = True
        ) -> ConvLayer:
            self.num_layers += 1
            return ConvLayer(
                in_channels,
                out_channels,
                kernel_size,
                bias=bias,
                activation=act,
                down=down,
                resample_filter=resample_filter,
                conv_clamp=conv_clamp if bias else None,
                trainable=not next(frozen),
            )

        if in_channels == 0 or architecture == "skip":
            self.fromrgb = layer(img_channels, tmp_channels, 1, activation)
        self.conv0 = layer(tmp_channels, tmp_channels, 3, activation)
        self.conv1 = layer(tmp_channels, out_channels, 3, activation, down=2)
        if architecture == "resnet":
            self.skip = layer(tmp_channels, out_channels, 1, "linear", down=2, bias=False)

    def forward(
        self, x: Tensor | None, img: Tensor | None, force_fp32: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Compute the block.

        Args:
            x: `[N, in_channels, resolution, resolution]`, None for the first block.
            img: `[N, img_channels, resolution, resolution]`, None once it is consumed.
            force_fp32: never use half precision.

        Returns:
            x `[N, out_channels, resolution/2, resolution/2]`, and the halved image for `skip`, else None.
        """
        reference = self.conv0.weight
        dtype = block_dtype(reference, self.use_fp16 and not force_fp32, self.half_dtype)
        if x is not None:
            x = x.to(dtype=dtype, memory_format=block_format(x, dtype))
        if self.in_channels == 0 or self.architecture == "skip":
            assert img is not None
            y = img.to(dtype=dtype)
            y = self.fromrgb(y.contiguous(memory_format=block_format(y)))
            x = y if x is None else x + y
            img = downsample2d(img, self.resample_filter) if self.architecture == "skip" else None
        assert x is not None
        if self.architecture != "resnet":
            return self.conv1(self.conv0(x)), img
        y = self.skip(x, gain=_RESIDUAL_GAIN)
        return y + self.conv1(self.conv0(x), gain=_RESIDUAL_GAIN), img


class DiscriminatorEpilogue(nn.Module):
    """The 4×4 end: minibatch standard deviation, one convolution, two dense layers, projection of the label.

    Args:
        in_channels: channels of the input.
        cmap_dim: width of the mapped label, 0 for an unconditional network.
        resolution: side of the input.
        img_channels: channels of the image.
        architecture: `resnet`, `orig` or `skip`.
        mbstd_group_size: samples a group, None for the whole batch.
        mbstd_num_channels: statistics channels, 0 for none.

    Raises:
        ValueError: statistics channels that do not divide `in_channels`.
    """

    def __init__(
        self,
        in_channels: int,
        cmap_dim: int,
        resolution: int,
        img_channels: int,
        *,
        architecture: str = "resnet",
        mbstd_group_size: int | None = 4,
        mbstd_num_channels: int = 1,
        activation: str = "lrelu",
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        if mbstd_num_channels > 0 and in_channels % mbstd_num_channels:
            raise ValueError(
                f"mbstd_num_channels {mbstd_num_channels} does not divide {in_channels} channels"
            )
        self.cmap_dim = cmap_dim
        self.architecture = architecture
        self.mbstd_group_size = mbstd_group_size
        self.mbstd_num_channels = mbstd_num_channels
        if architecture == "skip":
            self.fromrgb = ConvLayer(img_channels, in_channels, 1, activation=activation)
        self.conv = ConvLayer(
            in_channels + mbstd_num_channels, in_channels, 3, activation=activation, conv_clamp=conv_clamp
        )
        self.fc = DenseLayer(in_channels * resolution**2, in_channels, activation=activation)
        self.out = DenseLayer(in_channels, cmap_dim or 1)

    def forward(self, x: Tensor, img: Tensor | None, cmap: Tensor | None) -> Tensor:
        """Compute the logits.

        Args:
            x: `[N, in_channels, 4, 4]`.
            img: `[N, img_channels, 4, 4]` for `skip`, else unused.
            cmap: mapped label `[N, cmap_dim]`, None for an unconditional network.

        Returns:
            `[N, 1]`.
        """
        x = x.to(self.conv.weight.dtype)
        if self.architecture == "skip":
            assert img is not None
            x = x + self.fromrgb(img.to(x.dtype))
        if self.mbstd_num_channels > 0:
            x = minibatch_std(x, self.mbstd_group_size, self.mbstd_num_channels)
        x = self.out(self.fc(self.conv(x).flatten(1)))
        if self.cmap_dim > 0:
            assert cmap is not None
            x = (x * cmap).sum(dim=1, keepdim=True) / math.sqrt(self.cmap_dim)
        return x


class Discriminator(nn.Module):
    """StyleGAN2 discriminator: `D(img, c)` is a logit an image, high for pictures taken as real.

    Args:
        c_dim: width of the label, 0 for an unconditional network.
        img_resolution: side of the image, a power of two from 8 on.
        img_channels: 3 for colour, 1 for grey.
        architecture: `resnet`, `orig` or `skip`.
        channel_base: channels times resolution.
        channel_max: most channels of a block.
        num_fp16_res: number of highest resolutions in half precision.
        conv_clamp: bound of the layers' outputs, None for none.
        cmap_dim: width of the mapped label, the channels at 4×4 if None.
        block_kwargs: `activation`, `resample_filter`, `freeze_layers`.
        mapping_kwargs: keyword arguments of `MappingNetwork`.
        epilogue_kwargs: `mbstd_group_size`, `mbstd_num_channels`, `activation`.

    Raises:
        ValueError: contradictory arguments.
    """

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
        check_architecture(architecture)
        channels = channel_counts(
            img_resolution, channel_base, channel_max, least_resolution=LEAST_RESOLUTION
        )
        self.c_dim = c_dim
        self.img_resolution = img_resolution
        self.img_channels = img_channels
        self.init_kwargs: dict[str, Any] = {
            "c_dim": c_dim,
            "img_resolution": img_resolution,
            "img_channels": img_channels,
            "architecture": architecture,
            "channel_base": channel_base,
            "channel_max": channel_max,
            "num_fp16_res": num_fp16_res,
            "conv_clamp": conv_clamp,
            "cmap_dim": cmap_dim,
            "block_kwargs": dict(block_kwargs or {}),
            "mapping_kwargs": dict(mapping_kwargs or {}),
            "epilogue_kwargs": dict(epilogue_kwargs or {}),
        }
        common: dict[str, Any] = {"architecture": architecture, "conv_clamp": conv_clamp}
        self.block_resolutions = sorted(channels, reverse=True)[:-1]
        self._add_blocks(channels, num_fp16_res, **common, **(block_kwargs or {}))
        cmap_dim = 0 if c_dim == 0 else (channels[4] if cmap_dim is None else cmap_dim)
        if c_dim > 0:
            if cmap_dim < 1:
                raise ValueError(f"cmap_dim must be at least 1 where c_dim is {c_dim}, not {cmap_dim}")
            self.mapping = MappingNetwork(
                0, c_dim, cmap_dim, None, **{"w_avg_beta": None, **(mapping_kwargs or {})}
            )
        self.b4 = DiscriminatorEpilogue(
            channels[4], cmap_dim, 4, img_channels, **common, **(epilogue_kwargs or {})
        )

    def blocks(self) -> Iterator[DiscriminatorBlock]:
        """The blocks, highest resolution first, without the epilogue."""
        for res in self.block_resolutions:
            yield getattr(self, f"b{res}")

    def forward(self, img: Tensor, c: Tensor | None = None, force_fp32: bool = False) -> Tensor:
        """Judge images.

        Args:
            img: `[N, img_channels, img_resolution, img_resolution]`, nominally in [-1, 1].
            c: label `[N, c_dim]`, None for an unconditional network.
            force_fp32: never use half precision.

        Returns:
            Logits `[N, 1]`.

        Raises:
            ValueError: an image of the wrong shape, or a label that the network does not take.
        """
        expected = (self.img_channels, self.img_resolution, self.img_resolution)
        if img.shape[1:] != expected:
            raise ValueError(f"img must have shape [N, {str(expected)[1:-1]}], not {list(img.shape)}")
        if self.c_dim == 0 and c is not None and c.shape[-1:] != (0,):
            raise ValueError(f"this network is unconditional: c must be None or [N, 0], not {tuple(c.shape)}")
        x: Tensor | None = None
        rest: Tensor | None = img.to(self.b4.conv.weight.dtype)
        for block in self.blocks():
            x, rest = block(x, rest, force_fp32)
        assert x is not None
        cmap = self.mapping(None, c) if self.c_dim > 0 else None
        return self.b4(x, rest, cmap)

    def _add_blocks(
        self,
        channels: Mapping[int, int],
        num_fp16_res: int,
        *,
        freeze_layers: int = 0,
        fp16_channels_last: bool = False,
        **options: Any,
    ) -> None:
        """Make the blocks. `fp16_channels_last` only occurs in official files: here the device chooses the layout."""
        for res in self.block_resolutions:
            block = DiscriminatorBlock(
                channels[res] if res < self.img_resolution else 0,
                channels[res],
                channels[res // 2],
                res,
                self.img_channels,
                freeze=min(freeze_layers, 4),
                use_fp16=is_half_block(res, self.img_resolution, num_fp16_res),
                **options,
            )
            freeze_layers = max(freeze_layers - block.num_layers, 0)
            setattr(self, f"b{res}", block)
