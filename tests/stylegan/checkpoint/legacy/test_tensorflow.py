"""The official TensorFlow pickles: transposed, rotated and shifted back to the weights they came from."""

from pathlib import Path
from typing import Any

import pytest
import torch

from stylegan.checkpoint.legacy import load_legacy
from stylegan.errors import CheckpointError
from tests.stylegan.checkpoint.legacy import writers
from tests.stylegan.checkpoint.legacy.writers import discriminator, generator, write_tensorflow


def assert_close(actual: Any, expected: Any) -> None:
    """The same weights, bit for bit, except for the modulation's bias, which is stored with 1 subtracted."""
    found, wanted = actual.state_dict(), expected.state_dict()
    assert list(found) == list(wanted)
    for key, value in wanted.items():
        if key.endswith("affine.bias"):
            assert torch.allclose(found[key], value, atol=1e-6), key
        else:
            assert torch.equal(found[key], value), key


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_reads_the_three_networks(tmp_path: Path, protocol: int) -> None:
    expected = (generator(0), discriminator(1), generator(2))
    network = load_legacy(write_tensorflow(tmp_path / "n.pkl", expected, protocol))
    for actual, wanted in zip((network.G, network.D, network.G_ema), expected, strict=True):
        assert_close(actual, wanted)
    assert network.G_ema is not None
    assert network.G_ema.init_kwargs["z_dim"] == 8
    assert network.meta.augment_p == 0


@pytest.mark.parametrize(
    ("wide", "cmap"),
    [({}, {}), ({"embed_features": 6, "layer_features": 10}, {"cmap_dim": 5})],
    ids=["even", "uneven"],
)
def test_reads_conditional_networks(tmp_path: Path, wide: dict[str, int], cmap: dict[str, int]) -> None:
    layers = {"num_layers": 2, "lr_multiplier": 0.01}
    G = generator(2, c_dim=3, mapping_kwargs={**layers, **wide})
    D = discriminator(1, c_dim=3, mapping_kwargs=layers, **cmap)
    network = load_legacy(write_tensorflow(tmp_path / "n.pkl", (generator(0, c_dim=3), D, G)))
    assert_close(network.G_ema, G)
    assert_close(network.D, D)
    z, c = torch.randn(3, 8, generator=torch.Generator().manual_seed(0)), torch.eye(3)
    picture = G(z, c, noise_mode="const")
    assert torch.allclose(network.generator()(z, c, noise_mode="const"), picture, atol=1e-3)
    assert network.D is not None
    assert torch.allclose(network.D(picture, c), D(picture, c), rtol=1e-4)


@pytest.mark.parametrize(
    ("networks", "there"),
    [
        ((None, None, generator(2)), {"G_ema"}),
        ((generator(2),), {"G_ema"}),
        ((discriminator(1),), {"D"}),
        ((generator(2), discriminator(1), None), {"G", "D"}),
        ((generator(2), discriminator(1)), {"G_ema", "D"}),
    ],
    ids=["Gs-of-three", "Gs", "D", "no-Gs", "two"],
)
def test_reads_files_that_lack_networks(tmp_path: Path, networks: Any, there: set[str]) -> None:
    network = load_legacy(write_tensorflow(tmp_path / "n.pkl", networks))
    found = {"G": network.G, "D": network.D, "G_ema": network.G_ema}
    assert {name for name, part in found.items() if part is not None} == there
    assert network.format == "tensorflow"
    if "G_ema" in there:
        assert_close(network.G_ema, generator(2))


def test_renders_the_same_pictures(tmp_path: Path) -> None:
    G = generator(2)
    path = write_tensorflow(tmp_path / "n.pkl", (generator(), discriminator(), G))
    z = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))
    actual = load_legacy(path).generator()(z, noise_mode="const")
    assert torch.allclose(actual, G(z, noise_mode="const"), atol=1e-3)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"label_size": 10}, "conditional G whose labels (10) and their embedding (0) differ"),
        ({"label_size": "x"}, "label_size that is not a number"),
        ({"resample_kernel": ["a"]}, "resample_kernel"),
        ({"resample_kernel": [1, 2**2000]}, "resample_kernel"),
        ({"num_fp16_res": "many"}, "num_fp16_res is 'many'"),
    ],
)
def test_refuses_settings_it_cannot_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], told: str
) -> None:
    original = writers._old

    def changed(name: str, arrays: Any, components: Any, label_size: int = 0) -> Any:
        network = original(name, arrays, components, label_size)
        network.state["static_kwargs"] |= settings
        return network

    monkeypatch.setattr(writers, "_old", changed)
    path = write_tensorflow(tmp_path / "n.pkl", (generator(), discriminator(), generator()))
    with pytest.raises(CheckpointError, match=r"^n\.pkl: ") as caught:
        load_legacy(path)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda arrays: arrays.pop("8x8/Conv0/bias"), "without a usable '8x8/Conv0/bias'"),
        (lambda arrays: arrays.update(Surprise=arrays["Output/bias"]), "unknown array 'D: Surprise'"),
        (
            lambda arrays: arrays.update({"Output/bias": arrays["Output/bias"].astype(int)}),
            "not floating-point",
        ),
        (lambda arrays: arrays.update({"4x4/FromRGB_lod0/weight": 0.5}), "D of StyleGAN1 or progressive GAN"),
        (lambda arrays: arrays.update({"LabelConcat/weight": 0.5}), "from before ADA"),
        (lambda arrays: arrays.update({"Output/bias": arrays["Output/bias"].astype(object)}), "dtype 'O8'"),
    ],
    ids=["missing", "unknown", "integers", "stylegan1", "labels-concatenated", "objects"],
)
def test_refuses_arrays_that_do_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any, told: str
) -> None:
    original = writers._old

    def changed(name: str, arrays: dict[str, Any], components: Any, label_size: int = 0) -> Any:
        if name == "D":
            change(arrays)
        return original(name, arrays, components, label_size)

    monkeypatch.setattr(writers, "_old", changed)
    path = write_tensorflow(tmp_path / "n.pkl", (generator(), discriminator(), generator()))
    with pytest.raises(CheckpointError) as caught:
        load_legacy(path)
    assert told in str(caught.value)
