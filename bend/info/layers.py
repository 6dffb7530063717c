"""The layers of a network in the order in which data passes through them, each with its input and output shapes.

Shapes follow from the weights and the resolutions alone: no picture is computed, and a network on the meta device is
enough. A generator's layers have the names of its taps (`stylegan.taps`), where bends act; a discriminator's have those
of its modules.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from torch import nn

from stylegan.discriminator import Discriminator, DiscriminatorBlock
from stylegan.generator import Generator
from stylegan.layers import ConvLayer, DenseLayer, SynthesisLayer, ToRGBLayer
from stylegan.mapping import MappingNetwork
from stylegan.synthesis import SynthesisBlock

__all__ = ["Layer", "Shape", "layers_of", "num_weights"]

Shape: TypeAlias = tuple[int, ...]
"""Sizes after N, the number of pictures: `(C,)` or `(C, H, W)`."""
_NOT_WEIGHTS = ("resample_filter", "noise_const", "w_avg")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One step of the graph.

    Attributes:
        tap: its name.
        kind: `dense`, `ws`, `const`, `affine`, `conv`, `torgb`, `image`, `fromrgb`, `skip`, `mbstd` or `dot`.
        inputs: the shapes that go in, empty for a constant.
        output: the shape that comes out.
        parameters: weights of its own.
        precision: `fp16` where it runs in half precision on devices that have it, else `fp32`; empty without weights.
        detail: what it does, in a few words.
    """

    tap: str
    kind: str
    inputs: tuple[Shape, ...]
    output: Shape
    parameters: int
    precision: str
    detail: str


def layers_of(network: Generator | Discriminator) -> list[Layer]:
    """All layers in the order of computation.

    Args:
        network: on any device, the meta device too.
    """
    return list(_discriminator(network) if isinstance(network, Discriminator) else _generator(network))


def num_weights(network: nn.Module) -> int:
    """How many weights a network has, frozen ones included; noise, filters and running means do not count."""
    return sum(value.numel() for key, value in network.state_dict().items() if not key.endswith(_NOT_WEIGHTS))


def _own_weights(module: nn.Module) -> int:
    """How many weights a layer has without those of the layers inside it."""
    return sum(
        value.numel()
        for key, value in module.state_dict().items()
        if "." not in key and key not in _NOT_WEIGHTS
    )


def _generator(G: Generator) -> Iterator[Layer]:
    yield from _mapping(G.mapping)
    ws = (G.num_ws, G.w_dim)
    yield Layer(
        tap="ws",
        kind="ws",
        inputs=((G.w_dim,),),
        output=ws,
        parameters=0,
        precision="",
        detail="one w per layer, truncated",
    )
    for block in G.synthesis.blocks():
        yield from _synthesis_block(block)


def _mapping(mapping: MappingNetwork) -> Iterator[Layer]:
    def dense(name: str, inputs: tuple[Shape, ...], detail: str) -> Layer:
        layer = mapping.get_submodule(name)
        assert isinstance(layer, DenseLayer)
        return _dense(f"mapping.{name}", layer, inputs, detail)

    if mapping.c_dim > 0:
        yield dense("embed", ((mapping.c_dim,),), "embeds the label")
    for i in range(mapping.num_layers):
        inputs: tuple[Shape, ...] = ((mapping.get_parameter(f"fc{i}.weight").shape[1],),)
        if i == 0:
            sizes = [mapping.z_dim, inputs[0][0] - mapping.z_dim]
            inputs = tuple((size,) for size in sizes if size)
        yield dense(f"fc{i}", inputs, mapping.get_submodule(f"fc{i}").activation)  # type: ignore[arg-type]


def _dense(tap: str, layer: DenseLayer, inputs: tuple[Shape, ...], detail: str) -> Layer:
    return Layer(
        tap=tap,
        kind="dense",
        inputs=inputs,
        output=(layer.weight.shape[0],),
        parameters=_own_weights(layer),
        precision="fp32",
        detail=detail,
    )


def _synthesis_block(block: SynthesisBlock) -> Iterator[Layer]:
    name, res = f"b{block.resolution}", block.resolution
    precision = _precision(block.use_fp16)
    if block.in_channels == 0:
        channels = block.const.shape[0]
        yield Layer(
            tap=f"{name}.const",
            kind="const",
            inputs=(),
            output=(channels, res, res),
            parameters=block.const.numel(),
            precision=precision,
            detail="learned constant",
        )
    else:
        channels = block.conv1.weight.shape[0]
        if block.architecture == "resnet":
            yield _conv(f"{name}.skip", "skip", block.skip, res // 2, precision)
        yield from _modulated(f"{name}.conv0", "conv", block.conv0, res // 2, res, precision)
    yield from _modulated(f"{name}.conv1", "conv", block.conv1, res, res, precision)
    if block.num_torgb:
        yield from _modulated(f"{name}.torgb", "torgb", block.torgb, res, res, precision)
        yield _image(block)


def _image(block: SynthesisBlock) -> Layer:
    """The sum of what the resolutions up to this one add to the image."""
    res, channels = block.resolution, block.img_channels
    before = block.architecture == "skip" and block.in_channels > 0
    earlier: tuple[Shape, ...] = ((channels, res // 2, res // 2),) if before else ()
    return Layer(
        tap=f"b{res}.image",
        kind="image",
        inputs=((channels, res, res), *earlier),
        output=(channels, res, res),
        parameters=0,
        precision="fp32",
        detail="up 2, plus torgb" if before else "the image",
    )


def _modulated(
    tap: str, kind: str, layer: SynthesisLayer | ToRGBLayer, res_in: int, res: int, precision: str
) -> Iterator[Layer]:
    """The style of a layer, and the layer."""
    affine, (out_channels, in_channels, kernel, _) = layer.affine, layer.weight.shape
    yield Layer(
        tap=f"{tap}.affine",
        kind="affine",
        inputs=((affine.weight.shape[1],),),
        output=(in_channels,),
        parameters=_own_weights(affine),
        precision="fp32",
        detail="w to style",
    )
    parts = [f"{kernel}x{kernel}"]
    if isinstance(layer, SynthesisLayer):
        parts += ["up 2"] * (layer.up > 1) + ["noise"] * layer.use_noise + [layer.activation]
    yield Layer(
        tap=tap,
        kind=kind,
        inputs=((in_channels, res_in, res_in), (in_channels,)),
        output=(out_channels, res, res),
        parameters=_own_weights(layer),
        precision=precision,
        detail=", ".join(parts),
    )


def _conv(tap: str, kind: str, layer: ConvLayer, res_in: int, precision: str) -> Layer:
    out_channels, in_channels, kernel, _ = layer.weight.shape
    res = res_in * layer.up // layer.down
    parts = [f"{kernel}x{kernel}"] + ["up 2"] * (layer.up > 1) + ["down 2"] * (layer.down > 1)
    parts += [layer.activation] * (layer.activation != "linear")
    parts += ["frozen"] * (not isinstance(layer.weight, nn.Parameter))
    return Layer(
        tap=tap,
        kind=kind,
        inputs=((in_channels, res_in, res_in),),
        output=(out_channels, res, res),
        parameters=_own_weights(layer),
        precision=precision,
        detail=", ".join(parts),
    )


def _discriminator(D: Discriminator) -> Iterator[Layer]:
    for block in D.blocks():
        yield from _discriminator_block(block)
    yield from _epilogue(D)


def _discriminator_block(block: DiscriminatorBlock) -> Iterator[Layer]:
    name, res, precision = f"b{block.resolution}", block.resolution, _precision(block.use_fp16)
    if hasattr(block, "fromrgb"):
        yield _conv(f"{name}.fromrgb", "fromrgb", block.fromrgb, res, precision)
    if block.architecture == "resnet":
        yield _conv(f"{name}.skip", "skip", block.skip, res, precision)
    yield _conv(f"{name}.conv0", "conv", block.conv0, res, precision)
    yield _conv(f"{name}.conv1", "conv", block.conv1, res, precision)


def _epilogue(D: Discriminator) -> Iterator[Layer]:
    end = D.b4
    channels = end.conv.weight.shape[0]
    if end.architecture == "skip":
        yield _conv("b4.fromrgb", "fromrgb", end.fromrgb, 4, "fp32")
    if end.mbstd_num_channels:
        yield Layer(
            tap="b4.mbstd",
            kind="mbstd",
            inputs=((channels, 4, 4),),
            output=(channels + end.mbstd_num_channels, 4, 4),
            parameters=0,
            precision="",
            detail=f"deviation over {end.mbstd_group_size or 'all'} pictures",
        )
    yield _conv("b4.conv", "conv", end.conv, 4, "fp32")
    yield _dense("b4.fc", end.fc, ((channels, 4, 4),), end.fc.activation)
    yield _dense("b4.out", end.out, ((channels,),), "linear")
    if D.c_dim > 0:
        yield from _mapping(D.mapping)
        width = (end.cmap_dim,)
        yield Layer(
            tap="b4.dot",
            kind="dot",
            inputs=(width, width),
            output=(1,),
            parameters=0,
            precision="",
            detail="product with the label's",
        )


def _precision(use_fp16: bool) -> str:
    return "fp16" if use_fp16 else "fp32"
