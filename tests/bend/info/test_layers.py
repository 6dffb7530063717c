"""Shapes worked out from the weights are those that flow through the network when it runs."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bend.info.layers import Layer, layers_of, num_weights
from stylegan.discriminator import Discriminator
from stylegan.generator import Generator
from stylegan.taps import taps

GENERATORS: dict[str, dict[str, Any]] = {
    "skip": {},
    "resnet": {"synthesis_kwargs": {"architecture": "resnet"}},
    "orig-quiet": {"synthesis_kwargs": {"architecture": "orig", "use_noise": False}},
    "conditional": {"c_dim": 3, "mapping_kwargs": {"embed_features": 6, "layer_features": 10}},
    "grey-half": {"img_channels": 1, "synthesis_kwargs": {"num_fp16_res": 2, "conv_clamp": 256}},
}
DISCRIMINATORS: dict[str, dict[str, Any]] = {
    "resnet": {},
    "skip-conditional": {"architecture": "skip", "c_dim": 3},
    "orig-plain": {"architecture": "orig", "epilogue_kwargs": {"mbstd_num_channels": 0}},
    "frozen": {"block_kwargs": {"freeze_layers": 3}},
}
WIDTH = {"channel_base": 256, "channel_max": 24}


def generator(kind: str) -> Generator:
    settings = GENERATORS[kind]
    arguments = {"z_dim": 8, "c_dim": 0, "w_dim": 12, "img_resolution": 16, "img_channels": 3, **settings}
    arguments["mapping_kwargs"] = {"num_layers": 3, **settings.get("mapping_kwargs", {})}
    arguments["synthesis_kwargs"] = {**WIDTH, **settings.get("synthesis_kwargs", {})}
    return Generator(**arguments).eval().requires_grad_(False)


def discriminator(kind: str) -> Discriminator:
    arguments = {"c_dim": 0, "img_resolution": 16, "img_channels": 3, **WIDTH, **DISCRIMINATORS[kind]}
    return Discriminator(**arguments).eval()


def flowing(network: nn.Module, *inputs: Tensor | None, **options: Any) -> dict[str, tuple[list[Any], Any]]:
    """Shapes that go into and come out of every module when the network runs."""
    seen: dict[str, tuple[list[Any], Any]] = {}

    def hook(name: str) -> Any:
        def note(module: nn.Module, args: Any, output: Any) -> None:
            shapes = [tuple(a.shape[1:]) for a in args if isinstance(a, Tensor)]
            seen[name] = (shapes, tuple(output.shape[1:]) if isinstance(output, Tensor) else None)

        return note

    for name, module in network.named_modules():
        module.register_forward_hook(hook(name))
    network(*inputs, **options)
    return seen


def check(layers: list[Layer], seen: dict[str, tuple[list[Any], Any]], prefix: str) -> None:
    for layer in layers:
        name = layer.tap if layer.tap.startswith("mapping.") else f"{prefix}{layer.tap}"
        if name not in seen:
            assert layer.kind in ("ws", "const", "image", "mbstd", "dot"), layer
            continue
        inputs, output = seen[name]
        assert output == layer.output, layer
        if layer.kind in ("conv", "fromrgb", "skip"):
            assert inputs[0] == layer.inputs[0], layer
        elif layer.kind == "dense":
            assert (
                sum(shape[0] if len(shape) == 1 else shape[0] * 16 for shape in layer.inputs) == inputs[0][0]
            )


@pytest.mark.parametrize("kind", GENERATORS)
def test_a_generators_shapes_are_those_that_flow(kind: str) -> None:
    G = generator(kind)
    layers = layers_of(G)
    c = torch.eye(3)[:2] if G.c_dim else None
    check(layers, flowing(G, torch.randn(2, 8), c, noise_mode="const"), "synthesis.")
    named = {layer.tap: layer for layer in layers}
    last = named[f"b{G.img_resolution}.image"]
    assert last.output == (G.img_channels, 16, 16)
    assert layers[-1] is last
    assert named["ws"].output == (G.num_ws, 12)


@pytest.mark.parametrize("kind", DISCRIMINATORS)
def test_a_discriminators_shapes_are_those_that_flow(kind: str) -> None:
    D = discriminator(kind)
    c = torch.eye(3)[:2] if D.c_dim else None
    check(layers_of(D), flowing(D, torch.randn(2, 3, 16, 16), c), "")


@pytest.mark.parametrize("kind", GENERATORS)
def test_taps_are_called_what_bends_call_them(kind: str) -> None:
    G = generator(kind)
    signals = {tap.name for tap in taps(G).values() if not tap.is_parameter}
    assert {layer.tap for layer in layers_of(G) if layer.kind != "skip"} == signals


@pytest.mark.parametrize("network", [*map(generator, GENERATORS), *map(discriminator, DISCRIMINATORS)])
def test_every_weight_is_counted_once(network: Generator | Discriminator) -> None:
    layers = layers_of(network)
    total = sum(layer.parameters for layer in layers)
    assert total == num_weights(network)
    if not any("frozen" in layer.detail for layer in layers):
        assert total == sum(parameter.numel() for parameter in network.parameters())


def test_half_precision_and_frozen_layers_are_told() -> None:
    precisions = {layer.tap: layer.precision for layer in layers_of(generator("grey-half"))}
    assert (precisions["b4.conv1"], precisions["b8.conv0"], precisions["b16.torgb"]) == (
        "fp32",
        "fp16",
        "fp16",
    )
    assert precisions["b16.conv1.affine"] == "fp32"
    details = {layer.tap: layer.detail for layer in layers_of(discriminator("frozen"))}
    assert "frozen" in details["b16.conv0"]
    assert "frozen" not in details["b8.conv0"]


def test_no_weights_are_needed() -> None:
    with torch.device("meta"):
        G = Generator(512, 0, 512, 1024, 3, synthesis_kwargs={"num_fp16_res": 4})
    layers = {layer.tap: layer for layer in layers_of(G)}
    assert layers["b1024.conv1"].inputs == ((32, 1024, 1024), (32,))
    assert layers["b1024.conv1"].precision == "fp16"
