"""The official PyTorch pickles: every protocol and configuration is read back to the bit."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from stylegan.checkpoint.legacy import is_legacy, load_legacy
from stylegan.errors import CheckpointError
from tests.stylegan.checkpoint.legacy.writers import (
    Persistent,
    assert_same,
    discriminator,
    generator,
    official_names,
    persistent,
    pipe,
    write_official,
)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_reads_all_networks_of_any_protocol(tmp_path: Path, protocol: int) -> None:
    G, D, G_ema = generator(0), discriminator(1), generator(2)
    path = write_official(tmp_path / "n.pkl", {"G": G, "D": D, "G_ema": G_ema}, protocol, p=0.25)
    assert is_legacy(path)
    network = load_legacy(path)
    for actual, expected in ((network.G, G), (network.D, D), (network.G_ema, G_ema)):
        assert_same(actual, expected)
        assert actual is not None
        assert not actual.training
    assert network.meta.augment_p == 0.25
    assert network.path == path


@pytest.mark.parametrize(
    "changes",
    [
        {"img_channels": 1},
        {"c_dim": 3, "mapping_kwargs": {"num_layers": 2, "embed_features": 6, "layer_features": 10}},
        {"synthesis_kwargs": {"channel_base": 256, "channel_max": 24, "num_fp16_res": 2, "conv_clamp": 256}},
        {"synthesis_kwargs": {"channel_base": 256, "channel_max": 24, "architecture": "resnet"}},
    ],
    ids=["grey", "conditional", "fp16", "resnet"],
)
def test_reads_configurations(tmp_path: Path, changes: dict[str, Any]) -> None:
    expected = generator(**changes)
    actual = load_legacy(write_official(tmp_path / "n.pkl", {"G_ema": expected})).G_ema
    assert actual is not None
    assert_same(actual, expected)
    z = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))
    c = torch.eye(3)[:2] if expected.c_dim else None
    assert torch.equal(actual(z, c, noise_mode="const"), expected(z, c, noise_mode="const"))


def test_reads_a_discriminator_alone_and_keeps_frozen_layers_frozen(tmp_path: Path) -> None:
    expected = discriminator(c_dim=3, block_kwargs={"freeze_layers": 5}, mapping_kwargs={"num_layers": 2})
    network = load_legacy(write_official(tmp_path / "n.pkl", {"D": expected}))
    assert network.G is None
    assert network.D is not None
    assert_same(network.D, expected)
    assert network.D.init_kwargs["block_kwargs"] == {"freeze_layers": 5}
    assert [name for name, _ in network.D.named_parameters()] == [n for n, _ in expected.named_parameters()]


@pytest.mark.parametrize("part", ["G_ema", "D"])
def test_reads_one_network_pickled_by_itself(tmp_path: Path, part: str) -> None:
    expected = discriminator() if part == "D" else generator()
    with official_names():
        (tmp_path / "n.pkl").write_bytes(pickle.dumps(persistent(expected, expected.init_kwargs)))
    network = load_legacy(tmp_path / "n.pkl")
    assert_same(getattr(network, part), expected)
    assert network.format == "official"


def test_reads_defaults_of_the_class_that_wrote_it_off_its_layers(tmp_path: Path) -> None:
    given = {"channel_base": 256, "channel_max": 24, "num_fp16_res": 2, "conv_clamp": 256}
    expected = generator(synthesis_kwargs=given, mapping_kwargs={"num_layers": 3, "w_avg_beta": 0.998})
    flat = {key: value for key, value in expected.init_kwargs.items() if not key.endswith("_kwargs")}
    flat |= {"channel_base": 256, "channel_max": 24, "fused_modconv_default": "inference_only"}
    path = write_official(tmp_path / "n.pkl", {"G_ema": persistent(expected, flat)})
    actual = load_legacy(path).G_ema
    assert actual is not None
    assert_same(actual, expected)
    assert actual.init_kwargs["synthesis_kwargs"] == given
    assert actual.init_kwargs["mapping_kwargs"] == {"num_layers": 3, "w_avg_beta": 0.998}


def test_reads_numpy_names_of_before_numpy_2(tmp_path: Path) -> None:
    expected = generator()
    path = write_official(tmp_path / "n.pkl", {"G_ema": expected}, protocol=3)
    data = path.read_bytes()
    assert b"numpy._core.multiarray\n" in data
    path.write_bytes(data.replace(b"numpy._core.multiarray\n", b"numpy.core.multiarray\n"))
    assert_same(load_legacy(path).G_ema, expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64, torch.bfloat16])
def test_reads_weights_of_other_precisions_as_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    expected = generator().to(dtype)
    actual = load_legacy(write_official(tmp_path / "n.pkl", {"G_ema": expected})).G_ema
    assert_same(actual, expected.to(torch.float32))


def test_reads_tensors_that_are_not_contiguous_or_share_a_storage(tmp_path: Path) -> None:
    expected = generator()
    weight = expected.synthesis.b16.conv1.weight
    weight.data = weight.data.to(memory_format=torch.channels_last)
    both = torch.randn(2, *expected.synthesis.b8.conv0.bias.shape)
    expected.synthesis.b8.conv0.bias.data = both[1]
    expected.synthesis.b8.conv1.bias.data = both[1]
    assert_same(load_legacy(write_official(tmp_path / "n.pkl", {"G_ema": expected})).G_ema, expected)


def test_networks_own_their_memory(tmp_path: Path) -> None:
    network = load_legacy(write_official(tmp_path / "n.pkl", {"G": generator(), "G_ema": generator()}))
    assert network.G is not None
    assert network.G_ema is not None
    network.G.synthesis.b4.const.fill_(7)
    assert not torch.equal(network.G.synthesis.b4.const, network.G_ema.synthesis.b4.const)


def stylegan3(class_name: str = "Generator") -> Persistent:
    layers = {"input": Persistent("SynthesisInput", {}), "L0_36_512": Persistent("SynthesisLayer", {})}
    parts = {
        "synthesis": Persistent("SynthesisNetwork", {"_modules": layers}),
        "mapping": Persistent("M", {}),
    }
    return Persistent(class_name, {"_modules": parts, "_init_args": (), "_init_kwargs": {}})


@pytest.mark.parametrize(
    ("networks", "told"),
    [
        (
            {"G_ema": stylegan3()},
            "a G_ema of StyleGAN3 or StyleGAN-XL (its synthesis begins with 'SynthesisInput')",
        ),
        ({"G_ema": stylegan3("SuperresGenerator")}, "a G_ema of StyleGAN-XL (class 'SuperresGenerator')"),
        ({"D": Persistent("ProjectedDiscriminator", {})}, "a D of StyleGAN-XL or projected GAN (class "),
        ({"G_ema": stylegan3("TriPlaneGenerator")}, "a G_ema of EG3D"),
        ({"G_ema": stylegan3("MyGenerator")}, "a G_ema of another program (class 'MyGenerator')"),
        ({"G": generator(), "D": {"not": "a network"}}, "D that is not a network"),
        ({"other": pipe(0)}, "a pickle without a StyleGAN2 network"),
    ],
    ids=["stylegan3", "xl", "projected", "eg3d", "own", "mixed", "none"],
)
def test_refuses_other_networks_by_name(tmp_path: Path, networks: dict[str, Any], told: str) -> None:
    path = write_official(tmp_path / "other.pkl", networks)
    with pytest.raises(CheckpointError, match=r"^other\.pkl: ") as caught:
        load_legacy(path)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("init", "told"),
    [
        ({"img_resolution": 32}, "lacks tensor 'G_ema.synthesis.b32"),
        ({"w_dim": 13}, "its settings say"),
        ({"z_dim": 1 << 40}, "z_dim is"),
        ({"z_dim": "8"}, "z_dim is"),
        ({"surprise": 1}, "unknown argument 'surprise'"),
        ({"mapping_kwargs": 3}, "mapping_kwargs"),
    ],
)
def test_refuses_settings_that_do_not_fit(tmp_path: Path, init: dict[str, Any], told: str) -> None:
    G = generator()
    path = write_official(tmp_path / "n.pkl", {"G_ema": persistent(G, G.init_kwargs | init)})
    with pytest.raises(CheckpointError) as caught:
        load_legacy(path)
    assert told in str(caught.value)


def test_refuses_values_that_are_not_finite(tmp_path: Path) -> None:
    G = generator()
    G.synthesis.b8.conv1.weight.view(-1)[5] = float("inf")
    with pytest.raises(CheckpointError, match=r"not finite in G_ema.synthesis.b8.conv1.weight"):
        load_legacy(write_official(tmp_path / "n.pkl", {"G_ema": G}))


def test_refuses_more_than_the_budget(tmp_path: Path) -> None:
    path = write_official(tmp_path / "n.pkl", {"G_ema": generator()})
    with pytest.raises(CheckpointError, match="budget"):
        load_legacy(path, max_bytes=10_000)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.999])
def test_says_that_a_file_is_cut_short(tmp_path: Path, share: float) -> None:
    path = write_official(tmp_path / "n.pkl", {"G_ema": generator()})
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CheckpointError, match="cut short"):
        load_legacy(path)
