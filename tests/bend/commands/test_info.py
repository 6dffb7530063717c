"""`bend info` as a person types it: networks of every format, data sets, runs, and their pictures."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from stylegan.archive import ArchiveWriter
from stylegan.checkpoint import DeltaBase, NetworkMeta, load_network, save_delta, save_network
from stylegan.discriminator import Discriminator
from stylegan.run_names import snapshot_name
from tests.bend.conftest import Run
from tests.bend.tiny import save_tiny, tiny_generator
from tests.stylegan.checkpoint.legacy.writers import (
    discriminator,
    generator,
    write_official,
    write_rosinality,
    write_tensorflow,
)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("net") / "rocks.safetensors"
    D = Discriminator(0, 16, 3, channel_base=256, channel_max=16)
    meta = NetworkMeta(kimg=4.5, licence="CC0-1.0", base="faces64", data_name="rocks", augment_p=0.25)
    save_network(path, G_ema=tiny_generator(), D=D, meta=meta)
    return path


@pytest.fixture(scope="module")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "rocks.zip"
    with ArchiveWriter(path) as archive:
        for i in range(7):
            pixels = np.full([16, 16, 3], 30 * i, np.uint8)
            source = {"license": "by" if i % 2 else "cc0", "creator": "Ana", "parent": f"{i // 2}.jpg"}
            archive.add(pixels, label=i % 2, source=source if i else None)
    return path


@pytest.fixture
def run_folder(tmp_path: Path, network: Path) -> Path:
    folder = tmp_path / "00003-rocks-faces64"
    folder.mkdir()
    for kimg in (0, 0.25, 4):
        (folder / snapshot_name(kimg)).write_bytes(network.read_bytes())
    options = {
        "config": {"kimg": 8, "batch": 16, "base": "faces64"},
        "data": {"name": "rocks", "num_images": 40},
    }
    (folder / "training_options.json").write_text(json.dumps(options))
    ticks = [
        {"Progress/kimg": {"mean": kimg}, "Loss/D/loss": {"mean": 2 - kimg / 4}, "timestamp": 1.7e9}
        for kimg in (0.5, 1, 2, 4)
    ]
    lines = [json.dumps(tick) for tick in ticks]
    (folder / "stats.jsonl").write_text("\n".join([*lines, '{"Progress/kimg": {"mea']))
    (folder / "state-latest.pt").touch()
    return folder


def test_a_network_layer_by_layer(network: Path, run: Run) -> None:
    status, out, _ = run("info", network)
    assert status == 0
    lines = out.splitlines()
    assert "licence: CC0-1.0" in lines
    assert "kimg: 4.5" in lines
    assert any(
        line.startswith("G_ema: ") and "z [N, 32] to ws [N, 6, 32] to picture [N, 3, 16, 16]" in line
        for line in lines
    )
    row = next(line for line in lines if line.startswith("b16.conv0 "))
    assert row.split("  ")[0] == "b16.conv0"
    assert "[N, 16, 8, 8], [N, 16]" in row
    assert "[N, 16, 16, 16]" in row
    assert "fp32" in row
    assert any(line.startswith("b4.out ") for line in lines)


def test_a_network_for_a_program(network: Path, run: Run) -> None:
    status, out, _ = run("info", network, "--json")
    facts = json.loads(out)
    assert status == 0
    assert (facts["kind"], facts["format"], facts["kimg"], facts["licence"]) == (
        "network",
        "bend",
        4.5,
        "CC0-1.0",
    )
    assert facts["holds"] == ["D", "G_ema"]
    layers = {layer["tap"]: layer for layer in facts["networks"]["G_ema"]["layers"]}
    assert layers["b16.conv0"]["inputs"] == [[16, 8, 8], [16]]
    assert layers["b16.conv0"]["output"] == [16, 16, 16]
    assert sum(layer["parameters"] for layer in layers.values()) == facts["networks"]["G_ema"]["num_weights"]
    assert len(facts["sha256"]) == 64


def test_one_part_of_a_network(network: Path, run: Run) -> None:
    _, out, _ = run("info", network, "--part", "D")
    assert "b16.fromrgb" in out
    assert "torgb" not in out


@pytest.mark.parametrize("format_", ["official", "tensorflow", "rosinality"])
def test_networks_of_other_programs(tmp_path: Path, format_: str, run: Run) -> None:
    G, D = generator(), discriminator()
    path = {
        "official": lambda: write_official(tmp_path / "n.pkl", {"G_ema": G, "D": D}, p=0.5),
        "tensorflow": lambda: write_tensorflow(tmp_path / "n.pkl", (G, D, G)),
        "rosinality": lambda: write_rosinality(tmp_path / "n.pt", {"g_ema": G, "d": D}),
    }[format_]()
    status, out, _ = run("info", path, "--json")
    assert status == 0
    facts = json.loads(out)
    assert facts["format"] == format_
    assert facts["networks"]["D"]["num_weights"] == sum(
        p.numel() for p in D.state_dict().values() if p.ndim != 2 or p.shape != (4, 4)
    )


def test_a_delta_without_its_base(network: Path, tmp_path: Path, run: Run) -> None:
    path, base = tmp_path / "rocks-delta.safetensors", tmp_path / "gone.safetensors"
    save_tiny(base, seed=1)
    save_delta(
        path,
        base=DeltaBase(network=load_network(base), name="faces64"),
        G_ema=tiny_generator(),
        meta=NetworkMeta(kimg=2),
    )
    base.unlink()
    status, out, _ = run("info", path)
    assert status == 0
    assert {"needs its base: faces64", "kimg: 2"} <= set(out.splitlines())
    assert "b16.conv0" in out
    facts = json.loads(run("info", path, "--json")[1])
    assert (facts["format"], facts["needs"], facts["holds"]) == ("delta", "faces64", ["G_ema"])
    assert json.loads(run("info", network, "--json")[1])["needs"] == ""
    assert run("info", path, "--graph", tmp_path / "graph.svg")[0] == 0


@pytest.mark.parametrize("part", ["G", "D"])
def test_the_graph_of_a_network(network: Path, tmp_path: Path, part: str, run: Run) -> None:
    svg, png = tmp_path / "net.svg", tmp_path / "net.png"
    assert run("info", network, "--graph", svg, "--part", part)[0] == 0
    texts = {element.text for element in ElementTree.parse(svg).iter("{http://www.w3.org/2000/svg}text")}
    assert {"b16.conv0", "b8.conv1", "[N, 16, 8, 8]"} <= texts
    assert f"rocks at 4.5 kimg: {'D' if part == 'D' else 'G_ema'}" in texts
    assert run("info", network, "--graph", png, "--part", part)[0] == 0
    assert np.asarray(Image.open(png)).std() > 5


def test_a_data_set(data_set: Path, tmp_path: Path, run: Run) -> None:
    sheet = tmp_path / "sheet.png"
    status, out, err = run("info", data_set, "--sheet", sheet)
    assert status == 0
    assert "pictures: 7 of 16×16, RGB" in out
    assert "cut from 4 originals" in out
    assert "2 classes (0: 4, 1: 3)" in out
    assert f"{sheet}: written" in err
    pixels = np.asarray(Image.open(sheet))
    assert pixels.shape == (3 * 96, 3 * 96, 3)
    assert [int(pixels[48, 48 + 96 * i, 0]) for i in range(3)] == [0, 30, 60]
    facts = json.loads(run("info", data_set, "--json")[1])
    assert facts["licences"] == {"by": 3, "cc0": 3, "unknown": 1}
    assert facts["creators"] == {"Ana": 6, "unknown": 1}
    assert facts["labels"] == {"0": 4, "1": 3}


def test_what_strangers_wrote_is_printed_and_not_obeyed(tmp_path: Path, run: Run) -> None:
    escape = "\x1b]0;pwned\x07"
    network, data = tmp_path / "net.safetensors", tmp_path / "rocks.zip"
    meta = NetworkMeta(licence=f"{escape}CC0", base="a\nb", data_name=escape)
    save_network(network, G_ema=tiny_generator(), meta=meta)
    with ArchiveWriter(data) as archive:
        archive.add(np.zeros([16, 16, 3], np.uint8), source={"license": escape, "creator": f"Ann{escape}"})
    for path, words in ((network, ("info",)), (network, ("models", "info")), (data, ("info",))):
        status, out, _ = run(*words, path)
        assert status == 0
        assert "\x1b" not in out
        assert "\\x1b]0;pwned\\x07" in out
    assert "a\\nb" in run("info", network)[1]


def test_an_original_that_is_no_name_is_one_all_the_same(tmp_path: Path, run: Run) -> None:
    with ArchiveWriter(tmp_path / "rocks.zip") as archive:
        archive.add(np.zeros([16, 16, 3], np.uint8), source={"parent": ["a.jpg", 3]})
    status, out, _ = run("info", tmp_path / "rocks.zip")
    assert status == 0
    assert "cut from 1 originals" in out


def test_a_run(run_folder: Path, run: Run) -> None:
    status, out, _ = run("info", run_folder)
    assert status == 0
    assert (
        f"state: 4 of 8 kimg, not done; continue with `bend finetune --resume {run_folder}`; last tick "
        in out
    )
    assert "data: rocks, 40 pictures" in out
    assert "snapshots at kimg: 0, 0.25, 4" in out
    row = next(line for line in out.splitlines() if line.startswith("D loss"))
    assert row.split()[2:4] == ["1.875", "1"]
    assert row.split()[4][0] == "█"
    assert row.split()[4][-1] == "▁"


def test_hints_quote_the_path_of_a_run(run_folder: Path, tmp_path: Path, run: Run) -> None:
    spaced = run_folder.rename(tmp_path / "my rocks")
    out = run("info", spaced)[1]
    assert f"`bend finetune --resume '{spaced}'`" in out
    assert f"`bend info '{spaced}@4'`" in out


@pytest.mark.parametrize(
    ("moments", "expected"),
    [
        (
            {
                "raw": {"knee": {"kimg": 0.25, "picture": "x.png"}, "crossing": None, "collapsed_at": 4.0},
                "ema": {"knee": {"kimg": 4.0, "picture": "y.png"}},
            },
            [("knee", "ema", 4.0), ("knee", "raw", 0.25), ("collapsed_at", "raw", 4.0)],
        ),
        (
            {"knee": 0.25, "crossing": {"kimg": 4, "weights": "ema"}},
            [("knee", "any", 0.25), ("crossing", "ema", 4.0)],
        ),
        ({"knee": "soon"}, []),
        ("damaged", []),
    ],
)
def test_the_best_moments_of_a_run(
    run_folder: Path, moments: object, expected: list[object], run: Run
) -> None:
    (run_folder / "score.json").write_text(json.dumps({"snapshots": [], "moments": moments}))
    facts = json.loads(run("info", run_folder, "--json")[1])
    found = [(moment["name"], moment["weights"], moment["kimg"]) for moment in facts["moments"]]
    assert found == sorted(expected, key=lambda moment: (moment[1], moment[2]))  # type: ignore[index]
    out = run("info", run_folder)[1]
    assert all(f"{run_folder}@{kimg:g}" in out for _, _, kimg in expected)  # type: ignore[misc]


def test_a_run_of_which_little_is_left(run_folder: Path, run: Run) -> None:
    for name in ("stats.jsonl", "state-latest.pt"):
        (run_folder / name).unlink()
    for name in ("training_options.json", "score.json"):
        (run_folder / name).write_text("[1, 2")
    status, out, _ = run("info", run_folder)
    assert status == 0
    assert "state: 4 kimg, not done" in out


def test_a_folder_of_runs_lists_them(run_folder: Path, tmp_path: Path, run: Run) -> None:
    status, out, _ = run("info", tmp_path)
    assert (status, out) == (0, f"{run_folder}: 4 of 8 kimg, not done\n")
    facts = json.loads(run("info", tmp_path, "--json")[1])
    assert (facts["kind"], [run["kimg"] for run in facts["runs"]]) == ("runs", [4])


def test_the_graph_of_a_run_is_its_last_snapshots(run_folder: Path, tmp_path: Path, run: Run) -> None:
    assert run("info", run_folder, "--graph", tmp_path / "x.svg")[0] == 0
    assert "snapshot-000004.000 at 4.5 kimg" in (tmp_path / "x.svg").read_text()
    rename = run_folder / snapshot_name(4.5)
    (run_folder / snapshot_name(4)).rename(rename)
    assert run("info", run_folder, "--graph", tmp_path / "y.svg")[0] == 0
    assert "00003-rocks-faces64 at 4.5 kimg: G_ema" in (tmp_path / "y.svg").read_text()
    assert "b16.conv0" in run("info", f"{run_folder}@4.5")[1]


def test_refusals(network: Path, data_set: Path, run_folder: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "there.svg").touch()
    torch_zip = write_rosinality(tmp_path / "n.pt", {"g_ema": generator()})
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    Image.new("RGB", (4, 4)).save(tmp_path / "a.bmp")
    cases = (
        (["nothing-there"], "no such network"),
        ([tmp_path / "a.bmp"], "a.bmp: a BMP picture, not a network, data set or run"),
        ([tmp_path, "--graph", tmp_path / "g.svg"], "--graph is for a network or run"),
        ([tmp_path, "--part", "D"], "a folder of runs has no --part"),
        ([tmp_path / "empty.zip"], "holds no pictures"),
        ([torch_zip, "--part", "D"], "holds no discriminator"),
        ([network, "--sheet", tmp_path / "s.png"], "--sheet is for a data-set zip"),
        ([data_set, "--graph", tmp_path / "g.svg"], "--graph is for a network or run"),
        ([network, "--graph", tmp_path / "g.jpg"], "write one of .svg, .png"),
        ([network, "--graph", tmp_path / "there.svg"], "there.svg exists"),
        ([run_folder, "--part", "D"], "a run has no --part"),
    )
    for arguments, told in cases:
        status, out, err = run("info", *arguments)
        assert (status, out) == (1, ""), arguments
        assert told in err
        assert err.startswith("Error: ")
        assert err.count("\n") == 1
    assert run("info", network, "--graph", tmp_path / "there.svg", "--force")[0] == 0


def test_help_and_data_sets_need_no_torch(data_set: Path) -> None:
    script = (
        "import sys; from bend.cli import bend; "
        "bend(['info', *sys.argv[1:]], standalone_mode=False); assert 'torch' not in sys.modules"
    )
    for arguments in (["--help"], [str(data_set)]):
        subprocess.run([sys.executable, "-c", script, *arguments], check=True, capture_output=True)
