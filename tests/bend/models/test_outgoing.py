"""Writing a network anew."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from bend.errors import ModelError, RenderError
from bend.models import outgoing
from bend.models.outgoing import Order, write
from stylegan.checkpoint import load_network, read_meta, save_network
from stylegan.checkpoint.delta import read_reference
from stylegan.errors import CheckpointError
from tests.stylegan.checkpoint.legacy.writers import discriminator, generator


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.safetensors"
    save_network(path, G=generator(0), D=discriminator(1), G_ema=generator(2))
    return path


def test_a_part(source: Path) -> None:
    written = write(Order(source=str(source), output=source.with_name("a.safetensors"), weights="ema"))
    assert written.networks == ("G_ema",)
    read = load_network(written.files[0])
    assert read.G is None
    assert read.D is None
    assert torch.equal(read.generator().mapping.fc0.weight, generator(2).mapping.fc0.weight)
    assert written.num_bytes == written.files[0].stat().st_size < source.stat().st_size


def test_a_half(source: Path) -> None:
    written = write(Order(source=str(source), output=source.with_name("a.safetensors"), half=True))
    weight = load_network(written.files[0]).generator().mapping.fc0.weight
    assert torch.equal(weight, generator(2).mapping.fc0.weight.half().float())
    assert "half precision" in written.notes[0]


def test_a_delta(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = source.with_name("base.safetensors")
    save_network(base, G_ema=generator(5))
    output = source.with_name("a.safetensors")
    written = write(Order(source=str(source), output=output, delta_from=str(base)))
    assert any("that of the bent network is stored whole" in note for note in written.notes)
    reference = read_reference(output)
    assert (reference.name, reference.path) == ("base.safetensors", "")
    assert str(source.parent).encode() not in output.read_bytes()
    again = write(Order(source=str(output), output=source.with_name("b.pkl"), base=str(base)))
    read = load_network(again.files[0])
    for key, value in generator(2).state_dict().items():
        torch.testing.assert_close(read.generator().state_dict()[key], value, rtol=2**-9, atol=2**-9)


def test_a_delta_from_a_name(tmp_path: Path) -> None:
    output = tmp_path / "a.safetensors"
    write(Order(source="faces64", output=output, delta_from="faces64"))
    assert read_reference(output).name == "faces64"
    assert read_meta(output) == load_network("faces64").meta
    assert torch.equal(
        load_network(output).generator().mapping.fc0.weight,
        load_network("faces64").generator().mapping.fc0.weight,
    )


def test_nothing_is_overwritten_unasked(source: Path) -> None:
    output = source.with_name("a.safetensors")
    output.write_text("mine")
    with pytest.raises(ModelError, match=r"a\.safetensors: exists already; pass --force"):
        write(Order(source=str(source), output=output))
    assert output.read_text() == "mine"
    write(Order(source=str(source), output=output, force=True))
    (source.parent / "x.synthesis.onnx").touch()
    with pytest.raises(ModelError, match=r"x\.synthesis\.onnx: exists already"):
        write(Order(source=str(source), output=source.with_name("x.onnx")))


@pytest.mark.parametrize(
    ("name", "made", "wanted"),
    [
        ("a.safetensors", "a.safetensors", {}),
        ("a.safetensors", "a.safetensors", {"half": True}),
        ("a.safetensors", "a.safetensors", {"delta_from": "faces64"}),
        ("a.pkl", "a.pkl", {}),
        ("a.pt", "a.pt", {}),
        pytest.param("a.onnx", "a.synthesis.onnx", {}, marks=pytest.mark.slow),
        pytest.param("a.onnx", "a.mapping.onnx", {}, marks=pytest.mark.slow),
    ],
)
def test_what_came_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, made: str, wanted: dict[str, Any]
) -> None:
    folder = tmp_path / "out"

    def another_writes(*args: Any, **options: Any) -> Any:
        folder.mkdir(exist_ok=True)
        (folder / made).write_text("theirs")
        return load_network(*args, **options)

    monkeypatch.setattr(outgoing, "load_network", another_writes)
    order = Order(source="faces64", output=folder / name, **wanted)
    with pytest.raises(RenderError, match=f"{re.escape(made)} was made by another process in the meantime"):
        write(order)
    assert (folder / made).read_text() == "theirs"
    assert {path.name for path in folder.iterdir()} <= {made, "a.synthesis.onnx"}
    monkeypatch.undo()
    write(dataclasses.replace(order, force=True))
    assert (folder / made).read_bytes() != b"theirs"


def test_a_folder_that_is_a_file_is_no_file_made_meanwhile(source: Path) -> None:
    (source.parent / "file").touch()
    with pytest.raises(NotADirectoryError) as error:
        write(Order(source=str(source), output=source.parent / "file" / "a.safetensors"))
    assert error.value.filename == str(source.parent / "file")


def test_orders_that_make_no_sense(source: Path) -> None:
    name = str(source)
    with pytest.raises(ModelError, match=r"half precision is stored in \.safetensors only"):
        Order(source=name, output=Path("a.pkl"), half=True)
    with pytest.raises(ModelError, match="a delta is stored in"):
        Order(source=name, output=Path("a.pt"), delta_from="faces64")
    with pytest.raises(ModelError, match="leave out --half"):
        Order(source=name, output=Path("a.safetensors"), half=True, delta_from="faces64")
    with pytest.raises(ModelError, match="choose from all, ema"):
        Order(source=name, output=Path("a.safetensors"), weights="raw")
    with pytest.raises(CheckpointError, match="another architecture"):
        write(Order(source=name, output=source.with_name("a.safetensors"), delta_from="faces64"))
