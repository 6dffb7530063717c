"""The discriminator in all its shapes: layers, minibatch statistics, frozen layers, labels, refusals."""

import copy
import itertools
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stylegan import Discriminator
from stylegan.discriminator import minibatch_std

ARCHITECTURES = ("resnet", "orig", "skip")
NUM_LAYERS = {"resnet": (4, 3), "orig": (3, 2), "skip": (3, 3)}  # in the first block, in the others


def discriminator(
    resolution: int = 16, *, c_dim: int = 0, img_channels: int = 3, **options: Any
) -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(
        c_dim, resolution, img_channels, **{"channel_base": 128, "channel_max": 8, **options}
    )


def pictures(num: int = 4, resolution: int = 16, channels: int = 3) -> Tensor:
    return torch.randn(num, channels, resolution, resolution, generator=torch.Generator().manual_seed(0))


def slow_minibatch_std(x: Tensor, group: int, num_channels: int) -> Tensor:
    """The definition, statistic by statistic, for a group size that divides the batch."""
    n, channels, height, width = x.shape
    stride, share = n // group, channels // num_channels
    extra = torch.zeros(n, num_channels, height, width, dtype=x.dtype)
    for i, k in itertools.product(range(n), range(num_channels)):
        members = x[i % stride :: stride, k * share : (k + 1) * share]  # every stride-th sample
        assert len(members) == group
        extra[i, k] = (members.var(dim=0, unbiased=False) + 1e-8).sqrt().mean()
    return torch.cat([x, extra], dim=1)


@pytest.mark.parametrize("img_channels", [1, 3])
@pytest.mark.parametrize("resolution", [8, 16, 32, 64])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_one_logit_a_picture(architecture: str, resolution: int, img_channels: int) -> None:
    D = discriminator(resolution, architecture=architecture, img_channels=img_channels)
    logits = D(pictures(4, resolution, img_channels), None)
    assert logits.shape == (4, 1)
    assert torch.isfinite(logits).all()
    assert logits.std() > 0


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_blocks_and_their_layers(architecture: str) -> None:
    D = discriminator(32, architecture=architecture)
    blocks = list(D.blocks())
    assert [block.resolution for block in blocks] == [32, 16, 8]
    first, other = NUM_LAYERS[architecture]
    assert [block.num_layers for block in blocks] == [first, other, other]
    for i, block in enumerate(blocks):
        expected = {"conv0", "conv1"} | ({"skip"} if architecture == "resnet" else set())
        expected |= {"fromrgb"} if i == 0 or architecture == "skip" else set()
        assert {name for name, _ in block.named_children()} == expected
    epilogue = {name for name, _ in D.b4.named_children()}
    assert epilogue == {"conv", "fc", "out"} | ({"fromrgb"} if architecture == "skip" else set())
    assert "b32.skip.bias" not in D.state_dict()
    assert D.b4.conv.weight.shape == (8, 9, 3, 3)  # one statistic beside the features
    assert D.b4.fc.weight.shape == (8, 8 * 16)


def test_a_megapixel_discriminator_has_the_published_dimensions() -> None:
    with torch.device("meta"):
        D = Discriminator(0, 1024, 3)
    channels = {block.resolution: block.conv0.weight.shape[1] for block in D.blocks()}
    assert channels == {1024: 32, 512: 64, 256: 128, 128: 256, 64: 512, 32: 512, 16: 512, 8: 512}
    assert sum(parameter.numel() for parameter in D.parameters()) == pytest.approx(29.0e6, rel=0.01)


@pytest.mark.parametrize(("n", "group", "channels"), [(8, 4, 1), (6, 3, 2), (4, 4, 4), (4, 1, 1), (9, 3, 2)])
def test_minibatch_statistics_follow_the_definition(n: int, group: int, channels: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(n, 4, 3, 5, dtype=torch.float64)
    torch.testing.assert_close(minibatch_std(x, group, channels), slow_minibatch_std(x, group, channels))


@pytest.mark.parametrize(
    ("n", "asked", "used"), [(6, 4, 3), (5, 4, 1), (7, 4, 1), (2, 4, 2), (10, 4, 2), (9, None, 9)]
)
def test_a_batch_that_does_not_divide_gets_smaller_groups(n: int, asked: int | None, used: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(n, 4, 2, 2)
    torch.testing.assert_close(minibatch_std(x, asked), slow_minibatch_std(x, used, 1))


@pytest.mark.parametrize("group", [4, None])
@pytest.mark.parametrize("c_dim", [0, 3])
def test_no_pictures_get_no_logits(group: int | None, c_dim: int) -> None:
    D = discriminator(c_dim=c_dim, epilogue_kwargs={"mbstd_group_size": group, "mbstd_num_channels": 2})
    logits = D(pictures()[:0], torch.zeros(0, c_dim))
    assert logits.shape == (0, 1)
    logits.sum().backward()


def test_minibatch_statistics_tell_a_collapsed_batch() -> None:
    x = torch.randn(1, 4, 2, 2)
    assert minibatch_std(x.repeat(4, 1, 1, 1), 4)[:, 4].max() < 1e-3
    assert minibatch_std(torch.randn(4, 4, 2, 2), 4)[:, 4].min() > 0.1


def test_without_statistics_samples_are_judged_alone() -> None:
    D = discriminator(epilogue_kwargs={"mbstd_num_channels": 0})
    x = pictures()
    alone = torch.cat([D(x[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(alone, D(x), atol=1e-5, rtol=0)
    coupled = discriminator()
    assert (torch.cat([coupled(x[i : i + 1]) for i in range(4)]) - coupled(x)).abs().max() > 1e-4


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_frozen_layers_are_counted_from_the_picture(architecture: str) -> None:
    plain = discriminator(32, architecture=architecture)
    order = [
        f"b{block.resolution}.{name}"
        for block in plain.blocks()
        for name in ("fromrgb", "conv0", "conv1", "skip")
        if hasattr(block, name)
    ]
    x = pictures(4, 32)
    expected = plain(x)
    for count in range(len(order) + 1):
        frozen = discriminator(32, architecture=architecture, block_kwargs={"freeze_layers": count})
        assert set(frozen.state_dict()) == set(plain.state_dict())
        without = [name for name in order if not list(frozen.get_submodule(name).parameters())]
        assert without == order[:count]
        frozen.load_state_dict(plain.state_dict(), strict=True)
        torch.testing.assert_close(frozen(x), expected)
    assert len(order) == sum(block.num_layers for block in plain.blocks())


def test_gradients_reach_every_parameter_that_is_not_frozen() -> None:
    D = discriminator(block_kwargs={"freeze_layers": 2})
    D(pictures()).square().sum().backward()
    names = {name for name, _ in D.named_parameters()}
    assert "b16.fromrgb.weight" not in names
    assert "b16.conv1.weight" in names
    for name, parameter in D.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("cmap_dim", [None, 5])
def test_conditional_projects_the_mapped_label(cmap_dim: int | None) -> None:
    D = discriminator(c_dim=3, cmap_dim=cmap_dim, mapping_kwargs={"num_layers": 2})
    width = 8 if cmap_dim is None else cmap_dim
    assert D.b4.out.weight.shape == (width, 8)
    assert "mapping.w_avg" not in D.state_dict()
    x, c = pictures(), torch.eye(3)[[0, 1, 2, 0]]
    features: list[Tensor] = []
    D.b4.out.register_forward_hook(lambda module, args, output: features.append(output))
    logits = D(x, c)
    expected = (features[0] * D.mapping(None, c)).sum(dim=1, keepdim=True) / np.sqrt(width)
    torch.testing.assert_close(logits, expected)
    assert (D(x, torch.eye(3)[[1, 2, 0, 1]]) - logits).abs().max() > 1e-4


def test_conditional_needs_its_label() -> None:
    D = discriminator(c_dim=3)
    with pytest.raises(
        ValueError, match=r"this network is conditional: c must have shape \[N, 3\], not None"
    ):
        D(pictures())


def test_unconditional_takes_none_or_an_empty_label() -> None:
    D, x = discriminator(), pictures()
    assert torch.equal(D(x), D(x, torch.zeros(4, 0)))
    assert torch.equal(D(x), D(x, None))
    assert D.b4.out.weight.shape == (1, 8)


@pytest.mark.parametrize("c", [torch.zeros(4, 3), torch.tensor(3)])
def test_unconditional_refuses_a_label(c: Tensor) -> None:
    with pytest.raises(ValueError, match=r"unconditional: c must be None or \[N, 0\], not \("):
        discriminator()(pictures(), c)


def peaks(D: Discriminator) -> dict[str, float]:
    """The largest magnitude that leaves each layer with a bias."""
    seen: dict[str, float] = {}

    def note(name: str) -> Any:
        return lambda module, args, output: seen.update({name: output.abs().max().item()})

    for name in ("b16.fromrgb", "b16.conv0", "b16.conv1", "b8.conv0", "b8.conv1", "b4.conv"):
        D.get_submodule(name).register_forward_hook(note(name))
    D(pictures() * 50)
    return seen


def test_clamp_bounds_every_layer_that_has_a_bias() -> None:
    free, clamped = peaks(discriminator()), peaks(discriminator(conv_clamp=0.25))
    for name, peak in clamped.items():
        bound = 0.25 * (np.sqrt(0.5) if name.endswith("conv1") else 1)
        assert peak <= bound + 1e-6 < free[name], name


def test_double_precision_and_inference_mode_agree() -> None:
    D, x = discriminator(), pictures()
    expected = D(x).detach()
    with torch.inference_mode():
        assert torch.equal(D(x), expected)
    logits = D.double()(x)
    assert logits.dtype == torch.float64
    torch.testing.assert_close(logits.detach().float(), expected, atol=1e-5, rtol=0)


def test_planar_and_channels_last_pictures_agree() -> None:
    D, x = discriminator(), pictures()
    torch.testing.assert_close(D(x.contiguous(memory_format=torch.channels_last)), D(x), atol=1e-6, rtol=0)


@pytest.mark.parametrize("copied", ["deepcopy", "pickle", "state"])
def test_copies_judge_the_same_and_share_nothing(copied: str) -> None:
    D, x = discriminator(block_kwargs={"freeze_layers": 1}), pictures()
    expected = D(x).detach()
    twin: nn.Module
    if copied == "deepcopy":
        twin = copy.deepcopy(D)
    elif copied == "pickle":
        twin = pickle.loads(pickle.dumps(D))
    else:
        twin = Discriminator(**D.init_kwargs)
        twin.load_state_dict(D.state_dict(), strict=True)
    with torch.no_grad():
        for value in D.state_dict().values():
            value.zero_()
    assert torch.equal(twin(x).detach(), expected)


@pytest.mark.parametrize("resolution", [0, 4, 12, 100, -8])
def test_refuses_a_resolution_that_is_no_power_of_two(resolution: int) -> None:
    with pytest.raises(ValueError, match=f"power of two from 8 on, not {resolution}"):
        discriminator(resolution)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"architecture": "dcgan"}, "unknown architecture 'dcgan'"),
        ({"channel_base": 8}, "leaves no channels"),
        ({"c_dim": 3, "cmap_dim": 0}, "cmap_dim must be at least 1"),
        ({"epilogue_kwargs": {"mbstd_num_channels": 3}}, "does not divide 8 channels"),
        ({"block_kwargs": {"activation": "gelu"}}, "unknown activation"),
    ],
)
def test_refuses_contradictions(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        discriminator(**options)


@pytest.mark.parametrize("where", ["block_kwargs", "epilogue_kwargs", "mapping_kwargs"])
def test_refuses_unknown_arguments_by_name(where: str) -> None:
    with pytest.raises(TypeError, match="num_layerz"):
        discriminator(c_dim=3, **{where: {"num_layerz": 3}})
    with pytest.raises(TypeError, match="num_layerz"):
        Discriminator(0, 16, 3, num_layerz=3)  # type: ignore[call-arg]


@pytest.mark.parametrize("shape", [(4, 3, 8, 8), (4, 1, 16, 16), (3, 16, 16), (4, 3, 16, 8)])
def test_refuses_pictures_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"img must have shape \[N, 3, 16, 16\], not"):
        discriminator()(torch.zeros(shape))
