"""Writing and reading network files: exact, half the size where asked, whole or not at all."""

import errno
import math
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from stylegan import Generator
from stylegan.checkpoint import (
    DeltaBase,
    Network,
    NetworkMeta,
    load_network,
    read_meta,
    save_delta,
    save_network,
)
from stylegan.checkpoint.export import export_network
from stylegan.errors import CheckpointError
from stylegan.run_names import snapshot_name
from tests.stylegan.checkpoint.crafted import (
    craft,
    read_parts,
    tiny_discriminator,
    tiny_generator,
    write_parts,
)


def assert_same(actual: nn.Module | None, expected: nn.Module, tolerance: float = 0) -> None:
    assert actual is not None
    a, b = actual.state_dict(), expected.state_dict()
    assert a.keys() == b.keys()
    for key, value in b.items():
        torch.testing.assert_close(a[key], value, atol=tolerance, rtol=tolerance)


def test_a_round_trip_is_exact(good: Path) -> None:
    net = load_network(good)
    assert_same(net.G, tiny_generator(0))
    assert_same(net.D, tiny_discriminator(1))
    assert_same(net.G_ema, tiny_generator(2))
    assert net.meta == NetworkMeta(kimg=4.5, augment_p=0.25, base="faces64", licence="CC0-1.0", seed=3)
    assert net.path == good
    z = torch.randn(2, 4)
    assert torch.equal(net.generator()(z, noise_mode="const"), tiny_generator(2)(z, noise_mode="const"))


def test_the_parts_are_those_that_the_file_has(good: Path, tmp_path: Path) -> None:
    net = load_network(good)
    assert net.parts() == {"G": net.G, "D": net.D, "G_ema": net.G_ema}
    save_network(tmp_path / "ema.safetensors", G_ema=tiny_generator(0))
    assert list(load_network(tmp_path / "ema.safetensors").parts()) == ["G_ema"]


def test_networks_come_ready_to_use(good: Path) -> None:
    net = load_network(good)
    for network in (net.G, net.D, net.G_ema):
        assert network is not None
        assert not network.training
        for tensor in (*network.parameters(), *network.buffers()):
            assert tensor.dtype == torch.float32
            assert tensor.device.type == "cpu"
            assert not tensor.requires_grad


def test_a_frozen_discriminator_comes_back_frozen(tmp_path: Path) -> None:
    from stylegan import Discriminator

    D = Discriminator(0, 16, 3, channel_base=64, channel_max=4, block_kwargs={"freeze_layers": 2})
    save_network(tmp_path / "d.safetensors", D=D)
    loaded = load_network(tmp_path / "d.safetensors").D
    assert_same(loaded, D)
    assert loaded is not None
    assert {name for name, _ in loaded.named_parameters()} == {name for name, _ in D.named_parameters()}


def test_saving_again_gives_the_same_bytes(good: Path, tmp_path: Path) -> None:
    net = load_network(good)
    save_network(tmp_path / "again.safetensors", G=net.G, D=net.D, G_ema=net.G_ema, meta=net.meta)
    assert (tmp_path / "again.safetensors").read_bytes() == good.read_bytes()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_storage_halves_the_tensors(good: Path, tmp_path: Path, dtype: torch.dtype) -> None:
    path = tmp_path / "half.safetensors"
    save_network(path, G=tiny_generator(0), D=tiny_discriminator(1), G_ema=tiny_generator(2), dtype=dtype)
    assert len(read_parts(path)[1]) * 2 == len(read_parts(good)[1])
    with safe_open(path, framework="pt") as file:
        assert file.get_tensor("G.synthesis.b4.const").dtype == dtype
    net = load_network(path)
    assert net.G is not None
    assert net.G.synthesis.b4.const.dtype == torch.float32
    assert_same(net.G, tiny_generator(0), tolerance=torch.finfo(dtype).eps)


@pytest.mark.parametrize(("weights", "present", "expected"), [
    ("ema", ("G", "G_ema"), 2), ("raw", ("G", "G_ema"), 0), ("ema", ("G",), 0), ("raw", ("G_ema",), 2),
])  # fmt: skip
def test_which_generator(tmp_path: Path, weights: str, present: tuple[str, ...], expected: int) -> None:
    networks: dict[str, Any] = {"G": tiny_generator(0), "G_ema": tiny_generator(2)}
    save_network(tmp_path / "x.safetensors", **{name: networks[name] for name in present})
    net = load_network(tmp_path / "x.safetensors")
    assert_same(net.generator(weights), tiny_generator(expected))
    assert (net.G is None) == ("G" not in present)
    assert net.D is None


def test_a_discriminator_alone_has_no_generator_to_give(tmp_path: Path) -> None:
    save_network(tmp_path / "d.safetensors", D=tiny_discriminator())
    with pytest.raises(CheckpointError, match=r"d\.safetensors: holds no generator"):
        load_network(tmp_path / "d.safetensors").generator()


def test_weights_by_another_name_are_a_mistake(good: Path) -> None:
    with pytest.raises(ValueError, match="unknown weights 'EMA'; known: ema, raw"):
        load_network(good).generator("EMA")


def test_saving_nothing_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no network to save"):
        save_network(tmp_path / "x.safetensors")
    assert not list(tmp_path.iterdir())


def test_what_could_not_be_read_back_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="num_fp16_res is 99, not a whole number from 0 to 64"):
        save_network(tmp_path / "x.safetensors", G=tiny_generator(num_fp16_res=99))
    assert not list(tmp_path.iterdir())


class _Half(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight / 2


def _reparametrized() -> Generator:
    G = tiny_generator()
    nn.utils.parametrize.register_parametrization(G.synthesis.b8.conv0, "weight", _Half())
    return G


def _grown_by_hand() -> Generator:
    G = tiny_generator()
    G.synthesis.b4.const = nn.Parameter(torch.zeros([4, 8, 8]))
    return G


@pytest.mark.parametrize(("altered", "told"), [
    (_reparametrized, "G could not be read back: has an unknown tensor 'G.synthesis.b8.conv0.parametriz"),
    (_grown_by_hand, r"G could not be read back: tensor G.synthesis.b4.const is \(4, 8, 8\)"),
    (lambda: nn.DataParallel(tiny_generator()), "G is a DataParallel, not a network"),
    (lambda: tiny_generator().to("meta"), "G is an outline, without weights"),
])  # fmt: skip
def test_a_network_altered_beyond_its_arguments_is_not_saved(
    good: Path, tmp_path: Path, altered: Callable[[], Any], told: str
) -> None:
    G = altered()
    with pytest.raises(ValueError, match=told):
        save_network(tmp_path / "x.safetensors", G=G)
    with pytest.raises(ValueError, match=told):
        save_delta(tmp_path / "x.safetensors", base=DeltaBase(network=load_network(good), name="good"), G=G)
    for ending in ("pkl", "pt"):
        with pytest.raises(ValueError, match=told):
            export_network(tmp_path / f"x.{ending}", Network(G=G, meta=NetworkMeta(), path=good))
    assert not list(tmp_path.iterdir())


def test_weights_are_stored_as_floating_point_only(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot store weights as torch\.int8; known: torch\.float32, "):
        save_network(tmp_path / "x.safetensors", G=tiny_generator(), dtype=torch.int8)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("taps", [[1, 2, 1], list(range(1, 10)), [[1, 2, 1], [2, 4, 2], [1, 2, 1]], None])
def test_other_filters_come_back(tmp_path: Path, taps: Any) -> None:
    G = tiny_generator(resample_filter=taps)
    save_network(tmp_path / "x.safetensors", G=G)
    assert_same(load_network(tmp_path / "x.safetensors").G, G)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_weights_that_are_not_finite_are_not_saved(good: Path, tmp_path: Path, value: float) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(good.read_bytes())
    G = tiny_generator()
    G.synthesis.b8.conv0.weight.view(-1)[5] = value
    with pytest.raises(CheckpointError, match=r"x\.safetensors: G\.synthesis\.b8\.conv0\.weight has values"):
        save_network(path, G=G)
    assert path.read_bytes() == good.read_bytes()
    assert list(tmp_path.iterdir()) == [path]


def test_weights_too_large_for_the_storage_are_not_saved(tmp_path: Path) -> None:
    G = tiny_generator()
    G.synthesis.b4.const.view(-1)[0] = 1e6
    with pytest.raises(CheckpointError, match="not finite"):
        save_network(tmp_path / "x.safetensors", G=G, dtype=torch.float16)
    assert not list(tmp_path.iterdir())


def test_weights_do_not_hang_on_the_file(good: Path, tmp_path: Path) -> None:
    """The library maps the file; a file that shrinks later would kill the process that reads a weight."""
    path = tmp_path / "x.safetensors"
    path.write_bytes(good.read_bytes())
    net = load_network(path)
    path.write_bytes(b"")
    assert_same(net.G, tiny_generator(0))
    assert net.G is not None
    assert all(parameter.data_ptr() % 16 == 0 for parameter in net.G.parameters())


def test_a_full_disk_is_told_and_leaves_the_old_file(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(good.read_bytes())
    G = tiny_generator()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError) as caught:
            save_network(path, G=G)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    assert caught.value.filename == str(path)
    assert path.read_bytes() == good.read_bytes()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_a_whole_file(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    script = (
        "import sys\n"
        "from stylegan.checkpoint import load_network, save_network\n"
        "net = load_network(sys.argv[1])\n"
        "print('ready', flush=True)\n"
        "while True: save_network(sys.argv[2], G=net.G, D=net.D)\n"
    )
    for delay_s in (0.01, 0.03, 0.1, 0.2):
        command = [sys.executable, "-c", script, str(good), str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(delay_s)
            process.send_signal(signal.SIGKILL)
        if path.exists():
            assert_same(load_network(path).G, tiny_generator(0))


def test_the_description_is_read_without_the_tensors(good: Path) -> None:
    assert read_meta(good) == load_network(good).meta


def test_fields_of_a_later_bend_are_ignored(good: Path, tmp_path: Path) -> None:
    path = craft(good, tmp_path / "x.safetensors", meta={"kimg": 2, "mood": "blue"})
    assert read_meta(path) == NetworkMeta(kimg=2)


@pytest.mark.parametrize("fields", [
    {"kimg": math.nan}, {"kimg": math.inf}, {"kimg": -1}, {"kimg": "4"}, {"kimg": True}, {"kimg": None},
    {"kimg": 10**400},
    {"augment_p": 1.5}, {"augment_p": -0.1}, {"base": 3}, {"licence": None}, {"data_hash": ["a"]},
    {"seed": 1.5}, {"seed": "1"}, {"seed": True},
])  # fmt: skip
def test_meta_refuses_other_types_and_ranges(good: Path, tmp_path: Path, fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(fields))):
        NetworkMeta(**fields)
    path = craft(good, tmp_path / "x.safetensors", meta=fields)
    for read in (load_network, read_meta):
        with pytest.raises(CheckpointError, match="its description is damaged"):
            read(path)


@pytest.mark.parametrize(("kimg", "name"), [
    (0, "snapshot-000000.000.safetensors"), (0.25, "snapshot-000000.250.safetensors"),
    (12.3456, "snapshot-000012.346.safetensors"), (25000, "snapshot-025000.000.safetensors"),
])  # fmt: skip
def test_snapshot_names_sort(kimg: float, name: str) -> None:
    assert snapshot_name(kimg) == name


def test_a_header_may_begin_with_any_byte(good: Path, tmp_path: Path) -> None:
    """Its length comes first; one of 128 bytes more looked like a pickle at first sight, one of 80 like a zip."""
    header, body = read_parts(good)
    lengths = set()
    for padding in range(0, 256, 8):
        header["__metadata__"]["comment"] = "x" * padding
        path = write_parts(tmp_path / "x.safetensors", header, body)
        lengths.add(path.read_bytes()[0])
        assert read_meta(path).kimg == 4.5
    assert len(lengths) == 32


def test_one_network_under_two_names(tmp_path: Path) -> None:
    G = tiny_generator(0)
    save_network(tmp_path / "both.safetensors", G=G, G_ema=G)
    loaded = load_network(tmp_path / "both.safetensors")
    assert loaded.G is not None
    assert loaded.G_ema is not None
    for name, value in G.state_dict().items():
        assert torch.equal(loaded.G.state_dict()[name], value)
        assert torch.equal(loaded.G_ema.state_dict()[name], value)
