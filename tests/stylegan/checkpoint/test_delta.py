"""Delta files: small, close to what was bent, bound to their base, and refused when anything is amiss."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from stylegan.checkpoint import (
    DeltaBase,
    Network,
    NetworkMeta,
    is_delta,
    load_delta,
    load_network,
    outline_network,
    read_meta,
    save_delta,
    save_network,
)
from stylegan.checkpoint.delta import read_reference
from stylegan.errors import BaseMismatchError, CheckpointError
from stylegan.generator import Generator
from tests.stylegan.checkpoint.crafted import (
    craft,
    read_parts,
    tiny_discriminator,
    tiny_generator,
    write_parts,
)


def larger(seed: int) -> Generator:
    """Large enough that its weights outweigh a file's header."""
    torch.manual_seed(seed)
    return Generator(64, 0, 64, 32, 3, {"num_layers": 2}, {"channel_base": 1024, "channel_max": 64}).eval()


def bent(G: Generator, amount: float = 0.05) -> Generator:
    """A copy with every parameter moved a little."""
    copy = Generator(**G.init_kwargs)
    copy.load_state_dict(G.state_dict())
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in copy.parameters():
            parameter.add_(torch.randn_like(parameter) * amount * parameter.abs().mean())
    return copy.eval().requires_grad_(False)


def network(**parts: Any) -> Network:
    fields: dict[str, Any] = {"G": None, "D": None, "G_ema": None} | parts
    return Network(**fields, meta=NetworkMeta(), path=Path("base.safetensors"))


def as_bytes(G: Generator) -> torch.Tensor:
    z = torch.randn([4, G.z_dim], generator=torch.Generator().manual_seed(1))
    return (G(z, noise_mode="const") * 127.5 + 128).clamp(0, 255).to(torch.uint8).int()


def test_pictures_differ_by_one_level_at_most_and_the_file_is_half(tmp_path: Path) -> None:
    start = larger(0)
    end = bent(start)
    save_delta(tmp_path / "d.safetensors", base=DeltaBase(network=network(G_ema=start), name="b"), G_ema=end)
    save_network(tmp_path / "full.safetensors", G_ema=end)
    read = load_delta(tmp_path / "d.safetensors", network(G_ema=start))
    assert read.G_ema is not None
    assert (as_bytes(end) - as_bytes(start)).abs().max() > 3
    assert (as_bytes(read.G_ema) - as_bytes(end)).abs().max() <= 1
    sizes = [(tmp_path / name).stat().st_size for name in ("full.safetensors", "d.safetensors")]
    assert sizes[0] >= 2 * sizes[1]
    assert read.format == "delta"


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1.0, 1e6, 1e30], ids=str)
def test_differences_of_every_size_keep_eleven_bits(tmp_path: Path, scale: float) -> None:
    start, end = tiny_generator(0), tiny_generator(1)
    with torch.no_grad():
        start.mapping.fc0.bias.zero_()
        end.mapping.fc0.bias.copy_(torch.tensor([1.0, -0.3, 0.07, 1e-3]) * scale)
    save_delta(tmp_path / "d.safetensors", base=DeltaBase(network=network(G_ema=start), name="b"), G_ema=end)
    read = load_delta(tmp_path / "d.safetensors", network(G_ema=start)).G_ema
    assert read is not None
    torch.testing.assert_close(
        read.mapping.fc0.bias, end.mapping.fc0.bias, rtol=2**-11, atol=float(scale) * 2**-24
    )


def test_small_differences_keep_eleven_bits_beside_the_largest_there_can_be(tmp_path: Path) -> None:
    start, end = tiny_generator(0), tiny_generator(1)
    with torch.no_grad():
        start.mapping.fc0.bias.zero_()
        end.mapping.fc0.bias.copy_(torch.tensor([2 - 2**-20, 1e-8, 1e-7, 0.3]))
        start.mapping.fc1.bias.zero_()
        end.mapping.fc1.bias.copy_(torch.tensor([1e-37, 1e-38, 0.0, -3e-38]))  # no float32 is much smaller
    save_delta(tmp_path / "d.safetensors", base=DeltaBase(network=network(G_ema=start), name="b"), G_ema=end)
    read = load_delta(tmp_path / "d.safetensors", network(G_ema=start)).G_ema
    assert read is not None
    for name in ("fc0", "fc1"):
        wanted = end.get_parameter(f"mapping.{name}.bias")
        torch.testing.assert_close(read.get_parameter(f"mapping.{name}.bias"), wanted, rtol=2**-11, atol=0)


def test_what_did_not_change_is_left_out_and_exact(tmp_path: Path) -> None:
    start = tiny_generator(0)
    end = Generator(**start.init_kwargs)
    end.load_state_dict(start.state_dict())
    with torch.no_grad():
        end.synthesis.b8.conv1.weight += 0.25
    save_delta(tmp_path / "d.safetensors", base=DeltaBase(network=network(G_ema=start), name="b"), G_ema=end)
    with safe_open(tmp_path / "d.safetensors", framework="pt") as file:
        assert set(file.keys()) == {"G_ema.synthesis.b8.conv1.weight", "exponents"}
    read = load_delta(tmp_path / "d.safetensors", network(G_ema=start)).G_ema
    assert read is not None
    for key, value in end.state_dict().items():
        assert torch.equal(read.state_dict()[key], value), key


def test_a_discriminator_that_the_base_lacks_is_stored_whole(tmp_path: Path) -> None:
    start, D = tiny_generator(0), tiny_discriminator(3)
    base = DeltaBase(network=network(G_ema=start), name="b")
    meta = NetworkMeta(kimg=2.5, base="b")
    save_delta(tmp_path / "d.safetensors", base=base, G=bent(start), D=D, G_ema=bent(start), meta=meta)
    reference = read_reference(tmp_path / "d.safetensors")
    assert reference.against == {"G": "G_ema", "D": "", "G_ema": "G_ema"}
    read = load_delta(tmp_path / "d.safetensors", network(G_ema=start))
    assert read.D is not None
    for key, value in D.state_dict().items():
        torch.testing.assert_close(read.D.state_dict()[key], value, rtol=2**-10, atol=1e-6)
    assert read.meta == read_meta(tmp_path / "d.safetensors") == meta


def test_the_base_is_left_alone_and_shares_no_memory(tmp_path: Path) -> None:
    start = tiny_generator(0)
    save_delta(
        tmp_path / "d.safetensors", base=DeltaBase(network=network(G_ema=start), name="b"), G_ema=bent(start)
    )
    read = load_delta(tmp_path / "d.safetensors", network(G_ema=start))
    assert read.G_ema is not None
    with torch.no_grad():
        for value in read.G_ema.state_dict().values():
            value.zero_()
    assert all(
        torch.equal(value, tiny_generator(0).state_dict()[key]) for key, value in start.state_dict().items()
    )


def test_the_same_weights_make_the_same_bytes(tmp_path: Path) -> None:
    start = tiny_generator(0)
    base = DeltaBase(network=network(G_ema=start), name="b")
    for name in ("a", "b"):
        save_delta(tmp_path / f"{name}.safetensors", base=base, G_ema=bent(start))
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_another_base_is_refused_in_one_line(tmp_path: Path) -> None:
    start = tiny_generator(0)
    save_delta(
        tmp_path / "d.safetensors", base=DeltaBase(network=network(G_ema=start), name="b"), G_ema=bent(start)
    )
    with pytest.raises(BaseMismatchError, match=r"taken from b, and base\.safetensors is another") as refusal:
        load_delta(tmp_path / "d.safetensors", network(G_ema=tiny_generator(7)))
    assert "\n" not in str(refusal.value)
    with pytest.raises(BaseMismatchError):
        load_delta(tmp_path / "d.safetensors", network(G=start))


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    base = DeltaBase(network=network(G_ema=tiny_generator(0)), name="b")
    with pytest.raises(CheckpointError, match="another architecture"):
        save_delta(tmp_path / "d.safetensors", base=base, G_ema=tiny_generator(0, channel_max=2))
    assert not (tmp_path / "d.safetensors").exists()


def test_a_delta_is_not_written_over_its_base(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "base.safetensors"
    path.write_bytes(good.read_bytes())
    base = DeltaBase(network=load_network(path), name="base.safetensors")
    with pytest.raises(CheckpointError, match=r"base\.safetensors: is the base, without which"):
        save_delta(path, base=base, G=tiny_generator(3))
    assert path.read_bytes() == good.read_bytes()


def test_weights_that_are_not_finite_are_not_saved(tmp_path: Path) -> None:
    start = tiny_generator(0)
    end = bent(start)
    end.mapping.fc0.bias[0] = torch.nan
    with pytest.raises(CheckpointError, match=r"mapping\.fc0\.bias has values that are not finite"):
        save_delta(
            tmp_path / "d.safetensors", base=DeltaBase(network=network(G_ema=start), name="b"), G_ema=end
        )


def test_nothing_to_save_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no network"):
        save_delta(tmp_path / "d.safetensors", base=DeltaBase(network=network(G=tiny_generator()), name="b"))


@pytest.fixture
def delta(tmp_path: Path) -> Path:
    save_delta(
        tmp_path / "true.safetensors",
        base=DeltaBase(network=network(G_ema=tiny_generator(0)), name="b"),
        G_ema=bent(tiny_generator(0)),
    )
    return tmp_path / "true.safetensors"


@pytest.mark.parametrize(
    "changes",
    [
        {"name": 3},
        {"hashes": {}},
        {"hashes": {"G_ema": "zz"}},
        {"against": {"G_ema": "D"}},
        {"against": {}},
        {"against": {"D": ""}, "hashes": {}},
        None,
    ],
    ids=str,
)
def test_a_damaged_reference_is_refused(delta: Path, changes: dict[str, Any] | None) -> None:
    record = json.loads(read_parts(delta)[0]["__metadata__"]["base"])
    damaged = craft(
        delta, delta.with_name("x.safetensors"), base="[" if changes is None else record | changes
    )
    with pytest.raises(CheckpointError, match="what it says about its base is damaged"):
        load_delta(damaged, network(G_ema=tiny_generator(0)))


def test_damaged_tensors_are_refused(delta: Path) -> None:
    header, body = read_parts(delta)
    for key, field, value in (
        ("G_ema.mapping.fc0.bias", "dtype", "BF16"),
        ("exponents", "dtype", "F16"),
        ("exponents", None, None),
        ("G_ema.mapping.fc0.bias", "rename", "G_ema.unknown"),
    ):
        changed = json.loads(json.dumps(header))
        if field is None:
            changed["exponents2"] = changed.pop(key)
        elif field == "rename":
            changed[str(value)] = changed.pop(key)
        else:
            changed[key][field] = value
        path = write_parts(delta.with_name("x.safetensors"), changed, body)
        with pytest.raises(CheckpointError, match="not a sound delta file"):
            load_delta(path, network(G_ema=tiny_generator(0)))


def test_differences_that_are_not_finite_are_refused(delta: Path) -> None:
    header, body = read_parts(delta)
    start, stop = header["G_ema.mapping.fc0.bias"]["data_offsets"]
    infinite = body[:start] + b"\x00\x7c" * ((stop - start) // 2) + body[stop:]
    path = write_parts(delta.with_name("x.safetensors"), header, infinite)
    with pytest.raises(CheckpointError, match=r"G_ema\.mapping\.fc0\.bias has values that are not finite"):
        load_delta(path, network(G_ema=tiny_generator(0)))


def test_an_outline_needs_no_base(delta: Path) -> None:
    assert is_delta(delta)
    outline = outline_network(delta)
    assert outline.format == "delta"
    assert outline.generator().init_kwargs == tiny_generator(0).init_kwargs
    assert next(outline.generator().parameters()).is_meta


def test_a_network_is_no_delta(good: Path) -> None:
    assert not is_delta(good)
    with pytest.raises(CheckpointError, match="not a network of ours"):
        read_reference(good)
    assert load_network(good).format == "bend"
