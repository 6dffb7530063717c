"""Network files made to do harm: refused in one line, at once, and without taking memory."""

import copy
import json
import resource
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stylegan.checkpoint import load_network
from stylegan.errors import CheckpointError
from tests.stylegan.checkpoint.crafted import craft, read_parts, write_parts

MAX_SECONDS = 1.0
MAX_BYTES = 200 << 20
LOTS = 10**12

# Path of keys into the description, and the value put there.
GENERATOR_LIES: dict[str, tuple[list[str], Any]] = {
    "resolution": (["img_resolution"], 2**40),
    "resolution-odd": (["img_resolution"], 17),
    "resolution-other": (["img_resolution"], 64),
    "resolution-float": (["img_resolution"], 16.0),
    "resolution-true": (["img_resolution"], True),
    "resolution-null": (["img_resolution"], None),
    "z_dim": (["z_dim"], 10**9),
    "z_dim-text": (["z_dim"], "4"),
    "z_dim-negative": (["z_dim"], -1),
    "z_dim-digits": (["z_dim"], 10**4000),
    "z_dim-other": (["z_dim"], 5),
    "w_dim": (["w_dim"], LOTS),
    "w_dim-zero": (["w_dim"], 0),
    "c_dim": (["c_dim"], LOTS),
    "channels": (["img_channels"], 10**9),
    "unknown": (["os.system"], "rm"),
    "mapping-text": (["mapping_kwargs"], "x"),
    "mapping-list": (["mapping_kwargs"], [1]),
    "layers": (["mapping_kwargs", "num_layers"], 10**9),
    "layers-none": (["mapping_kwargs", "num_layers"], 0),
    "layers-nan": (["mapping_kwargs", "num_layers"], float("nan")),
    "features": (["mapping_kwargs", "layer_features"], 10**9),
    "features-legal": (["mapping_kwargs", "layer_features"], 2**16),
    "lr": (["mapping_kwargs", "lr_multiplier"], 0),
    "lr-infinite": (["mapping_kwargs", "lr_multiplier"], float("inf")),
    "beta-text": (["mapping_kwargs", "w_avg_beta"], "0.9"),
    "activation": (["mapping_kwargs", "activation"], "__import__"),
    "activation-list": (["mapping_kwargs", "activation"], ["lrelu"]),
    "mapping-unknown": (["mapping_kwargs", "z_dim"], 4),
    "base": (["synthesis_kwargs", "channel_base"], LOTS),
    "base-zero": (["synthesis_kwargs", "channel_base"], 0),
    "base-text": (["synthesis_kwargs", "channel_base"], "64"),
    "base-small": (["synthesis_kwargs", "channel_base"], 8),
    "max": (["synthesis_kwargs", "channel_max"], LOTS),
    "fp16": (["synthesis_kwargs", "num_fp16_res"], -LOTS),
    "clamp": (["synthesis_kwargs", "conv_clamp"], "256"),
    "architecture": (["synthesis_kwargs", "architecture"], {"skip": 1}),
    "filter": (["synthesis_kwargs", "resample_filter"], [1] * 100_000),
    "filter-text": (["synthesis_kwargs", "resample_filter"], "1331"),
    "filter-empty": (["synthesis_kwargs", "resample_filter"], []),
    "filter-nested": (["synthesis_kwargs", "resample_filter"], [[[1]]]),
    "filter-ragged": (["synthesis_kwargs", "resample_filter"], [[1, 2], [3]]),
    "noise": (["synthesis_kwargs", "use_noise"], 1),
}
DISCRIMINATOR_LIES: dict[str, tuple[list[str], Any]] = {
    "resolution": (["img_resolution"], 2**40),
    "resolution-4": (["img_resolution"], 4),
    "resolution-legal": (["img_resolution"], 8192),
    "base": (["channel_base"], LOTS),
    "channels-legal": (["channel_max"], 2**16),
    "c_dim": (["c_dim"], 10**9),
    "cmap": (["cmap_dim"], 10**9),
    "freeze": (["block_kwargs", "freeze_layers"], 10**9),
    "freeze-negative": (["block_kwargs", "freeze_layers"], -1),
    "group": (["epilogue_kwargs", "mbstd_group_size"], 0),
    "statistics": (["epilogue_kwargs", "mbstd_num_channels"], 3),
    "statistics-many": (["epilogue_kwargs", "mbstd_num_channels"], 10**9),
    "generator's": (["synthesis_kwargs"], {}),
}


def refuse(path: Path, match: str | None = None) -> str:
    """Load `path`, which must be refused quickly, cheaply and in one line; returns the line."""
    before, start = _peak_bytes(), time.process_time()  # of this process, since the machine may be busy
    with pytest.raises(CheckpointError, match=match) as caught:
        load_network(path)
    assert time.process_time() - start < MAX_SECONDS
    assert _peak_bytes() - before < MAX_BYTES
    line = str(caught.value)
    assert line.startswith(f"{path.name}: ")
    assert "\n" not in line
    assert len(line) < 400
    return line


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.fixture(scope="module", autouse=True)
def _warm(good: Path) -> None:
    load_network(good)  # so that imports are not counted


def describe(good: Path, tmp_path: Path, network: str, keys: list[str], value: Any) -> Path:
    """The good file with one value of its description changed."""
    header, _ = read_parts(good)
    init = json.loads(header["__metadata__"]["init"])
    place = init[network]
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    return craft(good, tmp_path / "lie.safetensors", init=init)


def altered(
    good: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None], body: bytes | None = None
) -> Path:
    """The good file with its header changed."""
    header, true_body = read_parts(good)
    change(header)
    return write_parts(tmp_path / "lie.safetensors", header, true_body if body is None else body)


@pytest.mark.parametrize("lie", GENERATOR_LIES)
@pytest.mark.parametrize("network", ["G", "G_ema"])
def test_a_lie_about_a_generator(good: Path, tmp_path: Path, network: str, lie: str) -> None:
    keys, value = GENERATOR_LIES[lie]
    line = refuse(describe(good, tmp_path, network, keys, value))
    assert network in line


@pytest.mark.parametrize("lie", DISCRIMINATOR_LIES)
def test_a_lie_about_a_discriminator(good: Path, tmp_path: Path, lie: str) -> None:
    keys, value = DISCRIMINATOR_LIES[lie]
    assert "D" in refuse(describe(good, tmp_path, "D", keys, value))


def test_the_line_names_the_argument(good: Path, tmp_path: Path) -> None:
    path = describe(good, tmp_path, "G", ["mapping_kwargs", "num_layers"], 10**9)
    refuse(path, r"G cannot be built.*num_layers is 1000000000, not a whole number from 1 to 64")


def test_more_weights_than_any_network_has(good: Path, tmp_path: Path) -> None:
    path = describe(good, tmp_path, "G", ["w_dim"], 1 << 16)
    refuse(path, r"G cannot be built.*more than 536870912 weights")


@pytest.mark.parametrize("missing", ["z_dim", "img_resolution", "w_dim"])
def test_a_description_that_lacks_an_argument(good: Path, tmp_path: Path, missing: str) -> None:
    header, _ = read_parts(good)
    init = json.loads(header["__metadata__"]["init"])
    del init["G"][missing]
    refuse(craft(good, tmp_path / "lie.safetensors", init=init), missing)


@pytest.mark.parametrize("init", [
    "", "{", "[]", "null", "3", '"G"', "{}", '{"G": 3}', '{"G": null}', '{"H": {}}', "[" * 100_000,
    '{"G": ' * 50_000, '{"G": {"z_dim": ' + "9" * 5000 + "}}",
])  # fmt: skip
def test_a_description_that_is_none(good: Path, tmp_path: Path, init: str) -> None:
    refuse(craft(good, tmp_path / "lie.safetensors", init=init), "description")


@pytest.mark.parametrize("meta", ["", "[]", "null", "7", "[" * 100_000, '{"kimg": 1e999}', '{"kimg": NaN}'])
def test_facts_that_are_none(good: Path, tmp_path: Path, meta: str) -> None:
    refuse(craft(good, tmp_path / "lie.safetensors", meta=meta), "its description is damaged")


@pytest.mark.parametrize("field", ["init", "meta"])
def test_metadata_that_is_not_there(good: Path, tmp_path: Path, field: str) -> None:
    refuse(craft(good, tmp_path / "lie.safetensors", **{field: None}), "its description is damaged")


def test_a_later_format_asks_for_a_later_bend(good: Path, tmp_path: Path) -> None:
    refuse(
        craft(good, tmp_path / "lie.safetensors", format_version="2"), r"version '2' is newer.*update bend"
    )
    refuse(craft(good, tmp_path / "lie.safetensors", format_version="999999999"), "newer")


@pytest.mark.parametrize("version", ["", "0", "-1", "1.0", "one", "²", "٣", " 1", "9" * 5000])
def test_a_format_version_that_is_no_number(good: Path, tmp_path: Path, version: str) -> None:
    refuse(craft(good, tmp_path / "lie.safetensors", format_version=version), "no valid format version")


def test_a_missing_tensor(good: Path, tmp_path: Path) -> None:
    def rename(header: dict[str, Any]) -> None:
        header["G.gone"] = header.pop("G.mapping.fc0.weight")

    refuse(
        altered(good, tmp_path, rename),
        r"has an unknown tensor 'G\.gone'|lacks tensor 'G\.mapping\.fc0\.weight'",
    )


@pytest.mark.parametrize(
    "name", ["G.extra", "H.extra", "extra", "", "G_ema.mapping.fc0.weight.x", "G" * 5000]
)
def test_a_tensor_too_many(good: Path, tmp_path: Path, name: str) -> None:
    body = read_parts(good)[1]

    def add(header: dict[str, Any]) -> None:
        header[name] = {"dtype": "F32", "shape": [2], "data_offsets": [len(body), len(body) + 8]}

    refuse(altered(good, tmp_path, add, body + bytes(8)), "has an unknown tensor")


@pytest.mark.parametrize(
    "key", ["G.mapping.fc0.weight", "D.b4.out.weight", "G.synthesis.b4.conv1.noise_strength"]
)
def test_a_tensor_of_another_shape(good: Path, tmp_path: Path, key: str) -> None:
    def reshape(header: dict[str, Any]) -> None:
        header[key]["shape"] = [*header[key]["shape"], 1]

    refuse(altered(good, tmp_path, reshape), r"tensor .* is \(.*, its description says \(")


@pytest.mark.parametrize("dtype", ["I32", "U32", "F8_E4M3", "C64"])
def test_a_tensor_of_another_type(good: Path, tmp_path: Path, dtype: str) -> None:
    size = {"F8_E4M3": 1, "C64": 8}.get(dtype, 4)

    def retype(header: dict[str, Any]) -> None:
        entry = header["G.mapping.w_avg"]
        entry["dtype"] = dtype
        entry["shape"] = [16 // size]

    refuse(altered(good, tmp_path, retype), rf"'G\.mapping\.w_avg' has type {dtype}")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite(good: Path, tmp_path: Path, value: float) -> None:
    header, body = read_parts(good)
    start = header["G_ema.mapping.w_avg"]["data_offsets"][0]
    broken = body[:start] + struct.pack("<f", value) + body[start + 4 :]
    path = write_parts(tmp_path / "lie.safetensors", header, broken)
    refuse(path, r"G_ema\.mapping\.w_avg has values that are not finite")


def test_headers_that_lie_about_the_data(good: Path, tmp_path: Path) -> None:
    header, body = read_parts(good)
    key = "G.mapping.fc0.weight"
    start, end = header[key]["data_offsets"]
    for entry in (
        {"data_offsets": [start, end + 4]},
        {"data_offsets": [end, start]},
        {"data_offsets": [start, 2**62]},
        {"data_offsets": [-4, end]},
        {"data_offsets": [0, end - start]},
        {"shape": [2**40, 2**40]},
        {"shape": [-4, -4]},
        {"shape": [4.0, 4]},
        {"shape": "4"},
        {"dtype": "O"},
        {"dtype": None},
    ):
        lie = copy.deepcopy(header)
        lie[key].update(entry)
        refuse(write_parts(tmp_path / "lie.safetensors", lie, body), "not a readable safetensors file")


def test_headers_that_are_too_long(tmp_path: Path) -> None:
    path = tmp_path / "lie.safetensors"
    for length in (2**63 - 1, 2**64 - 1, 2**32, 5 << 20):
        path.write_bytes(struct.pack("<Q", length) + b"{" + bytes(100))
        refuse(path, "no network file")
    path.write_bytes(struct.pack("<Q", 5 << 20) + b"{" + b" " * (5 << 20))
    refuse(path, "no network file")


def test_headers_with_a_million_tensors(tmp_path: Path) -> None:
    entries = ",".join(f'"{i}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}' for i in range(60_000))
    path = write_parts(tmp_path / "lie.safetensors", f"{{{entries}}}".encode(), b"")
    assert path.stat().st_size < 4 << 20
    refuse(path)


def test_a_sparse_file_of_gigabytes(good: Path, tmp_path: Path) -> None:
    """Its shapes agree with its description; the weights are a hole in the file."""
    header, _ = read_parts(good)
    init = json.loads(header["__metadata__"]["init"])
    init = {"D": init["D"] | {"channel_base": 1 << 24, "channel_max": 1 << 14}}
    path = craft(good, tmp_path / "lie.safetensors", init=init)
    with path.open("rb+") as file:
        file.truncate(1 << 34)
    refuse(path)
