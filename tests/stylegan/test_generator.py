"""The generator in all its shapes: names, noise, precision, labels, and what it refuses."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stylegan import Discriminator, Generator
from stylegan.layers import TapPoint

ARCHITECTURES = ("skip", "orig", "resnet")


def generator(
    resolution: int = 16, *, c_dim: int = 0, img_channels: int = 3, seed: int = 0, **synthesis: Any
) -> Generator:
    """A small generator with audible noise, in evaluation mode."""
    torch.manual_seed(seed)
    G = Generator(
        z_dim=8,
        c_dim=c_dim,
        w_dim=12,
        img_resolution=resolution,
        img_channels=img_channels,
        mapping_kwargs={"num_layers": 2},
        synthesis_kwargs={"channel_base": 128, "channel_max": 8, **synthesis},
    )
    with torch.no_grad():
        for name, parameter in G.named_parameters():
            if name.endswith("noise_strength"):
                parameter.fill_(0.3)
        G.mapping.w_avg.copy_(torch.randn(12))
    return G.eval().requires_grad_(False)


def latents(num: int = 2) -> Tensor:
    return torch.from_numpy(np.random.RandomState(0).randn(num, 8)).float()


@pytest.mark.parametrize("img_channels", [1, 3])
@pytest.mark.parametrize("resolution", [4, 8, 16, 32, 64])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_shapes_and_num_ws(architecture: str, resolution: int, img_channels: int) -> None:
    G = generator(resolution, architecture=architecture, img_channels=img_channels)
    assert G.num_ws == 2 * int(np.log2(resolution)) - 2
    ws = G.mapping(latents(), None)
    assert ws.shape == (2, G.num_ws, 12)
    image = G.synthesis(ws, noise_mode="const")
    assert image.shape == (2, img_channels, resolution, resolution)
    assert image.dtype == torch.float32
    assert torch.isfinite(image).all()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_only_these_layers_are_there(architecture: str) -> None:
    G = generator(16, architecture=architecture)
    children = {
        block.resolution: {name for name, layer in block.named_children() if not isinstance(layer, TapPoint)}
        for block in G.synthesis.blocks()
    }
    torgb = {"torgb"} if architecture == "skip" else set()
    skip = {"skip"} if architecture == "resnet" else set()
    assert children[4] == {"conv1"} | torgb
    assert children[8] == {"conv0", "conv1"} | torgb | skip
    assert children[16] == {"conv0", "conv1", "torgb"} | skip
    state = G.state_dict()
    assert state["synthesis.b4.const"].shape == (8, 4, 4)
    assert all(f"synthesis.b{res}.resample_filter" in state for res in (4, 8, 16))
    assert ("synthesis.b8.skip.bias" in state) is False


def test_a_megapixel_generator_has_the_published_dimensions() -> None:
    with torch.device("meta"):
        G = Generator(512, 0, 512, 1024, 3)
    assert G.num_ws == 18
    channels = {block.resolution: block.conv1.weight.shape[0] for block in G.synthesis.blocks()}
    assert channels == {4: 512, 8: 512, 16: 512, 32: 512, 64: 512, 128: 256, 256: 128, 512: 64, 1024: 32}
    assert sum(parameter.numel() for parameter in G.parameters()) == pytest.approx(30.37e6, rel=1e-3)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_each_w_reaches_its_own_resolutions(architecture: str) -> None:
    """`torgb` shares the w of the next block's first convolution, so only the last w is torgb's alone."""
    G = generator(16, architecture=architecture)
    ws = G.mapping(latents(1), None)
    taps: dict[str, Tensor] = {}
    layers = {"b4.conv1": 0, "b8.conv0": 1, "b8.conv1": 2, "b16.conv0": 3, "b16.conv1": 4, "b16.torgb": 5}
    if architecture == "skip":
        layers |= {"b4.torgb": 1, "b8.torgb": 3}
    for name in layers:
        affine = G.synthesis.get_submodule(name).get_submodule("affine")
        affine.register_forward_hook(lambda module, args, output, name=name: taps.update({name: args[0]}))
    ws = ws + torch.arange(6.0)[None, :, None]  # tell them apart
    G.synthesis(ws)
    assert set(taps) == set(layers)
    for name, index in layers.items():
        assert torch.equal(taps[name], ws[:, index]), name


def test_calling_is_mapping_then_synthesis() -> None:
    G, z = generator(), latents()
    ws = G.mapping(z, None, truncation_psi=0.6, truncation_cutoff=2)
    expected = G.synthesis(ws, noise_mode="const")
    actual = G(z, None, truncation_psi=0.6, truncation_cutoff=2, noise_mode="const")
    assert torch.equal(actual, expected)
    assert not torch.equal(actual, G(z, noise_mode="const"))


def test_unconditional_takes_none_or_an_empty_label() -> None:
    G, z = generator(), latents()
    assert torch.equal(G(z, None, noise_mode="const"), G(z, torch.zeros(2, 0), noise_mode="const"))
    assert torch.equal(G(z, None, noise_mode="const"), G(z, noise_mode="const"))


def test_conditional_needs_its_label() -> None:
    G, z = generator(c_dim=3), latents()
    with pytest.raises(
        ValueError, match=r"this network is conditional: c must have shape \[N, 3\], not None"
    ):
        G(z)
    a, b = (G(z, torch.eye(3)[[k, k]], noise_mode="const") for k in (0, 1))
    assert (a - b).abs().max() > 1e-3


def test_random_noise_differs_and_a_generator_repeats_it() -> None:
    G = generator()
    ws = G.mapping(latents(), None)
    assert not torch.equal(G.synthesis(ws), G.synthesis(ws))

    def draw(seed: int) -> Tensor:
        image: Tensor = G.synthesis(ws, noise_mode="random", generator=torch.Generator().manual_seed(seed))
        return image

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))
    state = torch.random.get_rng_state()
    draw(3)
    assert torch.equal(torch.random.get_rng_state(), state)  # torch's own generator is left alone


@pytest.mark.parametrize("noise_mode", ["const", "none"])
def test_fixed_noise_repeats_and_does_not_depend_on_the_batch(noise_mode: str) -> None:
    G = generator()
    ws = G.mapping(latents(3), None)
    image = G.synthesis(ws, noise_mode=noise_mode)
    assert torch.equal(image, G.synthesis(ws, noise_mode=noise_mode))
    for i in range(3):
        alone = G.synthesis(ws[i : i + 1], noise_mode=noise_mode)
        torch.testing.assert_close(alone[0], image[i], atol=1e-5, rtol=0)


def test_noise_modes_differ_and_strength_zero_makes_them_one() -> None:
    G = generator()
    ws = G.mapping(latents(), None)
    const, none = (G.synthesis(ws, noise_mode=mode) for mode in ("const", "none"))
    assert (const - none).abs().max() > 0.01
    for name, parameter in G.named_parameters():
        if name.endswith("noise_strength"):
            parameter.zero_()
    for mode in ("const", "random"):
        torch.testing.assert_close(G.synthesis(ws, noise_mode=mode), none)


def test_truncation_to_zero_is_one_picture() -> None:
    G = generator()
    images = G(latents(3), truncation_psi=0, noise_mode="const")
    torch.testing.assert_close(images, images[:1].expand_as(images), atol=1e-5, rtol=0)


def test_clamp_bounds_every_layer() -> None:
    G = generator(16, conv_clamp=0.25, architecture="skip")
    seen = []
    for block in G.synthesis.blocks():
        for layer in block.children():
            if isinstance(layer, TapPoint):
                continue
            layer.register_forward_hook(lambda module, args, output: seen.append(output.abs().max().item()))
    image = G(latents(), noise_mode="const")
    assert len(seen) == 8
    assert max(seen) == 0.25
    assert image.abs().max() > 0.25  # the sum of three torgbs is not clamped


def test_double_precision_agrees() -> None:
    G, z = generator(), latents()
    expected = G(z, noise_mode="const")
    G.double()
    actual = G(z, noise_mode="const")
    assert actual.dtype == torch.float64
    torch.testing.assert_close(actual.float(), expected, atol=1e-5, rtol=0)
    assert G.synthesis(G.mapping(z.double(), None), noise_mode="random").dtype == torch.float64


def test_inference_mode_agrees() -> None:
    G, z = generator(), latents()
    expected = G(z, noise_mode="const")
    with torch.inference_mode():
        ws = G.mapping(z, None)
        image = G.synthesis(ws, noise_mode="const")
        G.train().mapping(z, None)  # moves w_avg
    assert image.is_inference()
    assert torch.equal(image, expected)


def test_planar_and_channels_last_weights_agree() -> None:
    G, z = generator(), latents()
    expected = G(z, noise_mode="const")
    G.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    torch.testing.assert_close(G(z, noise_mode="const"), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("copied", ["deepcopy", "pickle", "state"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_copies_draw_the_same_and_share_nothing(architecture: str, copied: str) -> None:
    G, z = generator(architecture=architecture), latents()
    expected = G(z, truncation_psi=0.5, noise_mode="const")
    if copied == "deepcopy":
        twin = copy.deepcopy(G)
    elif copied == "pickle":
        twin = pickle.loads(pickle.dumps(G))
    else:
        twin = Generator(**G.init_kwargs).eval()
        twin.load_state_dict(G.state_dict(), strict=True)
    assert torch.equal(twin(z, truncation_psi=0.5, noise_mode="const"), expected)
    assert twin.init_kwargs == G.init_kwargs
    for parameter in G.parameters():
        parameter.zero_()
    assert torch.equal(twin(z, truncation_psi=0.5, noise_mode="const"), expected)


def test_gradients_reach_every_parameter() -> None:
    G = generator(16).train().requires_grad_(True)
    G(latents(), noise_mode="const").square().sum().backward()
    for name, parameter in G.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


def test_a_seed_is_the_same_latent_everywhere() -> None:
    """Values of numpy's legacy generator, which is frozen: they must never change."""
    z = np.random.RandomState(7).randn(1, 4)
    np.testing.assert_allclose(z, [[1.69052570, -0.46593737, 0.03282016, 0.40751628]], atol=1e-8)
    G = generator()
    a = G(torch.from_numpy(np.random.RandomState(7).randn(1, 8)), noise_mode="const")
    b = G(torch.from_numpy(np.random.RandomState(7).randn(1, 8)).float(), noise_mode="const")
    torch.testing.assert_close(a, b)


@pytest.mark.parametrize("resolution", [0, 1, 2, 3, 12, 100, -16])
def test_refuses_a_resolution_that_is_no_power_of_two(resolution: int) -> None:
    with pytest.raises(ValueError, match=f"power of two from 4 on, not {resolution}"):
        generator(resolution)


def test_refuses_contradictions() -> None:
    with pytest.raises(ValueError, match="unknown architecture 'dcgan'; known: skip, orig, resnet"):
        generator(architecture="dcgan")
    with pytest.raises(ValueError, match="channel_base 8 leaves no channels at 16 pixels"):
        generator(16, channel_base=8)
    with pytest.raises(ValueError, match="unknown activation"):
        generator(activation="gelu")


@pytest.mark.parametrize("where", ["mapping_kwargs", "synthesis_kwargs"])
def test_refuses_unknown_arguments_by_name(where: str) -> None:
    with pytest.raises(TypeError, match="num_layerz"):
        Generator(8, 0, 8, 16, 3, **{where: {"num_layerz": 3}})
    with pytest.raises(TypeError, match="num_layerz"):
        Generator(8, 0, 8, 16, 3, num_layerz=3)  # type: ignore[call-arg]


def test_synthesis_refuses_other_ws_and_modes() -> None:
    G = generator()
    ws = G.mapping(latents(), None)
    for wrong in (ws[:, :-1], ws[:, 0], ws[..., :-1]):
        with pytest.raises(ValueError, match=r"ws must have shape \[N, 6, 12\]"):
            G.synthesis(wrong)
    with pytest.raises(ValueError, match="unknown noise mode 'loud'; known: random, const, none"):
        G.synthesis(ws, noise_mode="loud")  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("with_gradients", [False, True])
def test_a_compiler_sees_one_graph(with_gradients: bool) -> None:
    G = generator(8, num_fp16_res=1)
    with torch.set_grad_enabled(with_gradients):
        compiled = torch.compile(G, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(latents(), noise_mode="const"), G(latents(), noise_mode="const"))


def test_everything_is_made_on_the_default_device() -> None:
    with torch.device("meta"):
        G = Generator(8, 0, 8, 16, 3, {"num_layers": 2}, {"channel_base": 128, "channel_max": 8})
        D = Discriminator(0, 16, 3, channel_base=128, channel_max=8)
    assert all(value.is_meta for network in (G, D) for value in network.state_dict().values())
    assert D(G(torch.randn(2, 8, device="meta"))).shape == (2, 1)


def replica(module: nn.Module) -> nn.Module:
    """What `nn.DataParallel` makes for another device: the parameters are plain attributes, none of `parameters()`."""
    made = module._replicate_for_data_parallel()
    for name, child in module._modules.items():
        if child is not None:
            made._modules[name] = replica(child)
    for name, parameter in module._parameters.items():
        setattr(made, name, None if parameter is None else parameter.detach())
    return made


def test_a_replica_of_data_parallel_draws_the_same() -> None:
    G = generator()
    assert torch.equal(replica(G)(latents(), noise_mode="const"), G(latents(), noise_mode="const"))
