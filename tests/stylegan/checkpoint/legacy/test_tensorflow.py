"""The official TensorFlow pickles: transposed, turned and shifted back to the weights they came from."""

from pathlib import Path
from typing import Any

import pytest
import torch

from stylegan.checkpoint.legacy import load_legacy
from stylegan.errors import CheckpointError
from tests.stylegan.checkpoint.legacy import writers
from tests.stylegan.checkpoint.legacy.writers import discriminator, generator, write_tensorflow


def assert_close(actual: Any, expected: Any) -> None:
    """The same weights, to the bit but for the modulation's bias, which is stored less 1."""
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


def test_renders_the_same_pictures(tmp_path: Path) -> None:
    G = generator(2)
    path = write_tensorflow(tmp_path / "n.pkl", (generator(), discriminator(), G))
    z = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))
    actual = load_legacy(path).generator()(z, noise_mode="const")
    assert torch.allclose(actual, G(z, noise_mode="const"), atol=1e-3)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"label_size": 10}, "conditional G"),
        ({"resample_kernel": ["a"]}, "resample_kernel"),
        ({"num_fp16_res": "many"}, "num_fp16_res is 'many'"),
    ],
)
def test_refuses_settings_it_cannot_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], told: str
) -> None:
    original = writers._old

    def changed(name: str, arrays: Any, components: Any) -> Any:
        network = original(name, arrays, components)
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
        (lambda arrays: arrays.update({"Output/bias": arrays["Output/bias"].astype(object)}), "dtype 'O8'"),
    ],
    ids=["missing", "unknown", "integers", "objects"],
)
def test_refuses_arrays_that_do_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any, told: str
) -> None:
    original = writers._old

    def changed(name: str, arrays: dict[str, Any], components: Any) -> Any:
        if name == "D":
            change(arrays)
        return original(name, arrays, components)

    monkeypatch.setattr(writers, "_old", changed)
    path = write_tensorflow(tmp_path / "n.pkl", (generator(), discriminator(), generator()))
    with pytest.raises(CheckpointError) as caught:
        load_legacy(path)
    assert told in str(caught.value)
