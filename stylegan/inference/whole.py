"""A whole picture in one native call: the fast twin of a synthesis network's blocks, one after the other, on a CPU.

Between two layers lie some fifty microseconds of Python, in which one thread works: a tenth of a picture of 256 pixels.
So what nobody listens to on its way (`stylegan.hooks`) is one call. It is made of the same native operations as the
blocks' own calls and gives the same bits. Weights are read anew, as everywhere on the fast path.
"""

from collections.abc import Callable, Container
from typing import Any

import torch
from torch import Tensor, nn

from stylegan.allocator import keep_freed_memory
from stylegan.hooks import untouched_modules
from stylegan.inference import kernels
from stylegan.inference.filters import taps_of
from stylegan.inference.serving import may_serve

__all__ = ["whole_picture"]

_MOST_PIXELS = 2**20  # of a batch; more take a second, in which nobody can interrupt


def whole_picture(
    network: Any,
    kinds: Container[type[nn.Module]],
    ws: Tensor,
    noise_of: Callable[[Any], Tensor | None],
) -> Tensor | None:
    """Draw pictures, or say that the network's blocks must.

    Args:
        network: a `SynthesisNetwork` whose blocks compute in float32.
        kinds: the classes of module that make up such a network; one with another is left to its blocks.
        ws: `[N, num_ws, w_dim]`.
        noise_of: a layer's noise before its strength, `[H, W]` or `[N, 1, H, W]`, None for none; asked for in the
            layers' order once it is certain that the picture will be drawn.

    Returns:
        float32 `[N, img_channels, img_resolution, img_resolution]`; None where this path does not serve.
    """
    if not may_serve(ws) or not kernels.serves_rows(ws[:, 0]) or not _is_light(ws, network):
        return None
    modules = untouched_modules(network)
    if modules is None or any(type(module) not in kinds for module in modules):
        return None
    blocks = network.blocks()
    operands = _Operands(ws)
    if not all(operands.add(block) for block in blocks) or not may_serve(ws, *operands.parameters):
        return None
    keep_freed_memory()
    x = blocks[0].const.expand(len(ws), -1, -1, -1).contiguous(memory_format=torch.channels_last)
    noises = [tensor for layer in operands.layers for tensor in operands.noise(layer, noise_of(layer))]
    settings = [*operands.conv_settings, *operands.rgb_settings]
    return kernels.synthesis(ws.contiguous(), x, operands.convs, noises, operands.rgbs, settings)


def _is_light(ws: Tensor, network: Any) -> bool:
    return int(len(ws) * network.img_resolution**2) <= _MOST_PIXELS


class _Operands:
    """What `kernels.synthesis` takes, gathered block by block."""

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
        """Add a block's; False where the kernels do not take them."""
        if block.architecture != "skip":
            return False
        if block.in_channels == 0:
            if tuple(block.const.shape[1:]) != (block.resolution, block.resolution):
                return False
            self.parameters.append(block.const)
            return self._add_conv(block.conv1) and self._add_rgb(block.torgb, block.resample_filter)
        convs = self._add_conv(block.conv0) and self._add_conv(block.conv1)
        return convs and self._add_rgb(block.torgb, block.resample_filter)

    def noise(self, layer: Any, noise: Tensor | None) -> list[Tensor]:
        """A layer's noise and the strength of it."""
        return [self._none, self._none] if noise is None else [noise.contiguous(), layer.noise_strength]

    def _add_conv(self, layer: Any) -> bool:
        taps = self._none if layer.up == 1 else taps_of(layer.resample_filter, self._device)
        if taps is None or not self._add(layer, self.convs, taps):
            return False
        (outputs, inputs, height, width) = layer._parameters["weight"].shape
        if outputs % kernels.LANE or inputs % kernels.LANE or (height, width) != (3, 3):
            return False
        if layer.activation not in kernels.SLOPES or not layer.act_gain > 0:
            return False
        if layer.use_noise:
            self.parameters += [layer.noise_const, layer.noise_strength]
        self.layers.append(layer)
        self.conv_settings += [
            *_gains(layer.affine),
            kernels.SLOPES[layer.activation],
            layer.act_gain,
            _clamp(layer),
        ]
        return True

    def _add_rgb(self, layer: Any, resample_filter: Tensor) -> bool:
        if resample_filter.ndim != 2 or not self._add(layer, self.rgbs, resample_filter.contiguous()):
            return False
        self.rgb_settings += [*_gains(layer.affine), float(layer.weight_gain), _clamp(layer)]
        return layer._parameters["weight"].shape[2:].numel() == 1

    def _add(self, layer: Any, operands: list[Tensor], last: Tensor) -> bool:
        """Add the parameters of a layer and of its style, and one operand more."""
        style, own = layer.affine._parameters, layer._parameters
        added = [style["weight"], style["bias"], own["weight"], own["bias"]]
        if layer.affine.activation != "linear" or any(tensor is None for tensor in added):
            return False
        self.parameters += added
        operands += [tensor.contiguous() for tensor in added]
        operands.append(last)
        return True


def _gains(affine: Any) -> list[float]:
    return [float(affine.weight_gain), affine.bias_gain]


def _clamp(layer: Any) -> float:
    return -1.0 if layer.conv_clamp is None else layer.conv_clamp
