"""A whole picture in one native call: the fast path of a synthesis network's blocks on a CPU.

Some fifty microseconds of Python lie between two layers, during which a single thread works: a tenth of the time of a
picture of 256 pixels. So a network without hooks (`stylegan.hooks`) is drawn in one call. It is made of the same native
operations as the blocks' own calls and gives the same bits. Weights are read anew, as everywhere on the fast path.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from stylegan.allocator import keep_freed_memory
from stylegan.hooks import untouched_modules
from stylegan.inference import kernels
from stylegan.inference.filters import taps_of
from stylegan.inference.serving import may_serve

__all__ = ["synthesis", "whole_picture"]

torch.library.define(
    "bend::synthesis",
    "(Tensor ws, Tensor x, Tensor[] convs, Tensor[] noises, Tensor[] rgbs, float[] settings) -> Tensor",
    tags=torch.Tag.pt2_compliant_tag,
)

_MOST_PIXELS = 2**20  # in a batch; more take a second, during which nothing can interrupt


def whole_picture(
    network: Any,
    kinds: Mapping[type[nn.Module], Any],
    ws: Tensor,
    force_fp32: bool,
    noise_of: Callable[[Any], Tensor | None],
) -> Tensor | None:
    """Draw pictures, or return None where the network's own blocks must.

    Args:
        network: a `SynthesisNetwork`.
        kinds: the classes of module that make up such a network, and their `forward`; a network with others is left to
            its blocks.
        ws: `[N, num_ws, w_dim]`.
        force_fp32: never use half precision.
        noise_of: a layer's noise before its strength, `[H, W]` or `[N, 1, H, W]`, None for none; called in the layers'
            order once it is certain that the picture will be drawn.

    Returns:
        float32 `[N, img_channels, img_resolution, img_resolution]`; None where this path does not apply.
    """
    if not may_serve(ws) or not kernels.serves_rows(ws[:, 0]) or not _is_light(ws, network):
        return None
    modules = untouched_modules(network)
    if modules is None or not all(_is_of(kinds, type(module)) for module in modules):
        return None
    blocks = network.blocks()
    is_cut = ws.shape[1] != 2 * len(blocks)  # drawn with the lower blocks alone
    if is_cut or any(block.dtype(ws, force_fp32) != torch.float32 for block in blocks):
        return None
    operands = _Operands(ws)
    if not _is_tap(network.tap_ws) or not all(operands.add(block) for block in blocks):
        return None
    if not may_serve(ws, *operands.parameters):
        return None
    keep_freed_memory()
    x = blocks[0].const.expand(len(ws), -1, -1, -1).contiguous(memory_format=torch.channels_last)
    noises = [tensor for layer in operands.layers for tensor in operands.noise(layer, noise_of(layer))]
    settings = [*operands.conv_settings, *operands.rgb_settings]
    return synthesis(ws.contiguous(), x, operands.convs, noises, operands.rgbs, settings)


def synthesis(
    ws: Tensor,
    x: Tensor,
    convs: list[Tensor],
    noises: list[Tensor],
    rgbs: list[Tensor],
    settings: list[float],
) -> Tensor:
    """A whole synthesis network of the `skip` architecture. All tensors are float32 and, except `x`, contiguous.

    Args:
        ws: `[N, num_ws, w_dim]`.
        x: the constant, `[N, C, 4, 4]`, channels last.
        convs: five for each convolution: weight and bias of its style, its weight `[O, I, 3, 3]`, its bias, and taps as
            `styled_conv` takes them, empty where it does not upsample.
        noises: two for each convolution: noise `[H, W]` or `[N, 1, H, W]`, and its strength; empty for none.
        rgbs: five for each to-RGB layer: weight and bias of its style, its weight `[C, I, 1, 1]`, its bias, and the
            filter `[h, w]` that upsamples the image so far.
        settings: five for each convolution: gains of its style's weight and bias, slope, gain and clamp; then four for
            each to-RGB layer: the same two gains, the gain of its styles, and clamp. A negative clamp means none.

    Returns:
        `[N, C, H, W]`.
    """
    result: Tensor = torch.ops.bend.synthesis.default(ws, x, convs, noises, rgbs, settings)
    return result


def _is_of(kinds: Mapping[type[nn.Module], Any], kind: type[nn.Module]) -> bool:
    return kind in kinds and kind.forward is kinds[kind]


def _is_light(ws: Tensor, network: Any) -> bool:
    return int(len(ws) * network.img_resolution**2) <= _MOST_PIXELS


class _Operands:
    """What `synthesis` takes, gathered block by block."""

    def __init__(self, ws: Tensor) -> None:
        self.parameters: list[Tensor] = []
        self.layers: list[Any] = []
        self.convs: list[Tensor] = []
        self.conv_settings: list[float] = []
        self.rgbs: list[Tensor] = []
        self.rgb_settings: list[float] = []
        self._device = ws.device
        self._none = ws.new_empty([0])

    def add(self, block: Any) -> bool:
        """Add a block's operands; False if the kernels do not take them."""
        if block.architecture != "skip" or not _is_tap(block.tap_image):
            return False
        if block.in_channels == 0:
            return self._add_const(block) and self._add_conv(block.conv1, 1) and self._add_rgb(block)
        return self._add_conv(block.conv0, 2) and self._add_conv(block.conv1, 1) and self._add_rgb(block)

    def noise(self, layer: Any, noise: Tensor | None) -> list[Tensor]:
        """A layer's noise and its strength."""
        return [self._none, self._none] if noise is None else [noise.contiguous(), layer.noise_strength]

    def _add_const(self, block: Any) -> bool:
        self.parameters.append(block.const)
        return _is_tap(block.tap_const) and tuple(block.const.shape[1:]) == (block.resolution,) * 2

    def _add_conv(self, layer: Any, up: int) -> bool:
        taps = self._none if up == 1 else taps_of(layer.resample_filter, self._device)
        if layer.up != up or taps is None or not self._add(layer, self.convs, taps):
            return False
        outputs, inputs, *sides = self.convs[-3].shape
        if outputs % kernels.LANE or inputs % kernels.LANE or sides != [3, 3]:
            return False
        if layer.use_noise:
            self.parameters += [layer.noise_const, layer.noise_strength]
            if tuple(layer.noise_const.shape) != (layer.resolution,) * 2 or layer.noise_strength.numel() != 1:
                return False
        slope = kernels.SLOPES.get(layer.activation)
        if slope is None or not layer.act_gain > 0:
            return False
        self.layers.append(layer)
        self.conv_settings += [*_gains(layer.affine), slope, layer.act_gain, _clamp(layer)]
        return True

    def _add_rgb(self, block: Any) -> bool:
        layer, resample_filter = block.torgb, block.resample_filter
        if resample_filter.ndim != 2 or min(resample_filter.shape) < 2:
            return False
        self.parameters.append(resample_filter)
        self.rgb_settings += [*_gains(layer.affine), float(layer.weight_gain), _clamp(layer)]
        return self._add(layer, self.rgbs, resample_filter.contiguous()) and self.rgbs[-3][0, 0].numel() == 1

    def _add(self, layer: Any, operands: list[Tensor], last: Tensor) -> bool:
        """Add the parameters of a layer and of its style, and one more operand."""
        style, own = layer.affine._parameters, layer._parameters
        added = [style.get("weight"), style.get("bias"), own.get("weight"), own.get("bias")]
        if layer.affine.activation != "linear" or any(tensor is None for tensor in added):
            return False
        self.parameters += added
        operands += [tensor.contiguous() for tensor in added]
        operands.append(last)
        return True


def _is_tap(module: nn.Module) -> bool:
    """Whether it is a `TapPoint`: of the kinds of module in a network, the only one without parameters and children."""
    return not module._parameters and not module._modules


def _gains(affine: Any) -> list[float]:
    return [float(affine.weight_gain), affine.bias_gain]


def _clamp(layer: Any) -> float:
    return -1.0 if layer.conv_clamp is None else layer.conv_clamp


@torch.library.register_fake("bend::synthesis")
def _(
    ws: Tensor,
    x: Tensor,
    convs: list[Tensor],
    noises: list[Tensor],
    rgbs: list[Tensor],
    settings: list[float],
) -> Tensor:
    scale = 2 ** (len(rgbs) // 5 - 1)
    return x.new_empty([len(ws), rgbs[3].shape[0], x.shape[2] * scale, x.shape[3] * scale])
