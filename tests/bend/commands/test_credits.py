"""`bend credits` for every thing that leads to pictures, in every format."""

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from bend.bundled import sample_folder
from bend.cli import bend
from bend.errors import BendError
from bend.picture import save_picture
from bend.prepare import PackageConfig, package
from bend.provenance import Provenance
from scrapers.manifest import Entry, Manifest
from scrapers.picture import inspect
from scrapers.source import ImageRef
from stylegan.checkpoint import find_network
from tests.bend.tiny import save_tiny
from tests.fakes.pictures import jpeg

LICENCES = ("CC-BY-4.0", "CC-BY-NC-2.0", "CC-BY-NC-ND-2.0", "unknown", "CC0-1.0")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(bend, ["credits", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A scrape of five licences, with a refused and a deleted picture."""
    folder = tmp_path / "rocks"
    folder.mkdir()
    with Manifest(folder / "manifest.jsonl") as manifest:
        for number, licence in enumerate((*LICENCES, "CC-BY-SA-4.0")):
            ref = ImageRef(
                source="commons",
                id=str(number),
                image_url=f"https://example.org/{number}.jpg",
                license=licence,
                license_url="https://example.org/licence" if licence != "unknown" else None,
                license_evidence="per-image",
                creator="=cmd()" if number == 0 else f"<b>Ann | [{number}]",
                page_url=f"https://example.org/photo_({number})",
                title=f"Rock {number}",
            )
            path = folder / f"{number}.jpg"
            path.write_bytes(jpeg(number))
            manifest.append(Entry(ref=ref, file=path.name, picture=inspect(path)))
        manifest.append(Entry(ref=ref, reason="not-found"))
    (folder / "5.jpg").unlink()
    return folder


def test_text(folder: Path) -> None:
    done = run(folder)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert len(lines) == 5
    assert lines[1] == '"Rock 1" by <b>Ann | [1], CC-BY-NC-2.0 (https://example.org/photo_(1)) [NC]'
    assert lines[2].endswith("[NC ND]")
    assert lines[3].endswith("[unknown]")
    assert lines[4] == '"Rock 4" by <b>Ann | [4], CC0-1.0 (https://example.org/photo_(4))'
    assert done.stderr.splitlines() == [
        "1 of 5 forbid adaptations (ND); a broken picture may be one",
        "2 of 5 forbid commercial use (NC)",
        "1 of 5 have no known licence",
    ]


def test_markdown_escapes_what_strangers_wrote(folder: Path) -> None:
    lines = run(folder, "--format", "markdown").stdout.splitlines()
    assert len(lines) == 7
    assert lines[3] == (
        "| [Rock 1](https://example.org/photo_%281%29) | &lt;b>Ann \\| \\[1\\] "
        "| [CC-BY-NC-2.0](https://example.org/licence) | NC |"
    )


def test_csv_is_read_back_and_holds_no_formula(folder: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run(folder, "--format", "csv").stdout)))
    assert [row["license"] for row in rows] == list(LICENCES)
    assert rows[0]["creator"] == "'=cmd()"
    assert rows[2]["flags"] == "NC ND"


def test_json(folder: Path) -> None:
    found = json.loads(run(folder, "--json").stdout)
    assert [credit["title"] for credit in found] == [f"Rock {number}" for number in range(5)]


def test_zip_counts_tiles_as_one_picture(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "rocks.zip"
    package(PackageConfig(sources=(folder,), out=out, resolution=64, crop="tiles:3"))
    found = json.loads(run(out, "--json").stdout)
    assert [credit["license"] for credit in found] == list(LICENCES)
    assert all(credit["num_images"] == 3 for credit in found)


def test_run_leads_to_its_zip(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "rocks.zip"
    package(PackageConfig(sources=(folder,), out=out, resolution=64))
    trained = tmp_path / "00000-rocks"
    trained.mkdir()
    # A run records what was typed, in whatever folder, and where the data set lay.
    options = {"config": {"data": out.name}, "data": {"path": str(out)}}
    (trained / "training_options.json").write_text(json.dumps(options))
    assert run(trained).stdout == run(out).stdout
    (trained / "training_options.json").write_text(json.dumps({"config": {"data": str(out)}}))
    assert run(trained).stdout == run(out).stdout
    (trained / "snapshot-000001.000.safetensors").write_bytes(b"")
    assert run(trained / "snapshot-000001.000.safetensors").stdout == run(out).stdout
    out.unlink()
    done = run(trained)
    assert isinstance(done.exception, BendError)
    assert "which is not there; give the zip itself" in str(done.exception)


@pytest.fixture
def runs(folder: Path, tmp_path: Path) -> Path:
    """A working folder with two runs in `runs`, whose data are pictures 0 to 2 and 2 to 4 of the scrape."""
    for number, first in enumerate((0, 2)):
        data = tmp_path / f"data{number}.zip"
        pictures = tuple(folder / f"{one}.jpg" for one in range(first, first + 3))
        package(PackageConfig(sources=pictures, out=data, resolution=16))
        run_folder = tmp_path / "work" / "runs" / f"0000{number}-data"
        run_folder.mkdir(parents=True)
        options = {"config": {"data": data.name}, "data": {"path": str(data)}}
        (run_folder / "training_options.json").write_text(json.dumps(options))
        save_tiny(run_folder / "snapshot-000001.000.safetensors", seed=number)
    return tmp_path / "work"


def titles(*arguments: str | Path) -> dict[str, int]:
    """The title and the number of images of each credit."""
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return {credit["title"]: credit["num_images"] for credit in json.loads(done.stdout)}


def test_a_moment_of_a_run_and_a_network_by_name(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(runs)
    assert titles("runs/00000-data@1") == {"Rock 0": 1, "Rock 1": 1, "Rock 2": 1}
    assert run("faces64").stdout == run(find_network("faces64")).stdout
    done = run("runs/00000-data/none.png")
    assert "no such file or folder" in str(done.exception)


def test_a_network_is_not_credited_with_the_data_beside_it(runs: Path, tmp_path: Path) -> None:
    alone = save_tiny(tmp_path / "other.safetensors")
    assert (tmp_path / "data0.zip").exists()
    done = run(alone)
    assert isinstance(done.exception, BendError)
    assert f"{alone}: a network outside a run folder" in str(done.exception)


@pytest.mark.parametrize("place", ["a.png", "runs/00000-data/a.png", "runs/a.png"])
def test_a_picture_leads_to_its_run_from_any_folder(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    in_runs = {"a.png": "runs/00000-data@1", "runs/a.png": "00000-data/snapshot-000001.000.safetensors"}
    note = Provenance(work={}, network=in_runs.get(place, "00000-data"), network_sha256="")
    save_picture(runs / place, np.zeros([4, 4, 3], np.uint8), note)
    monkeypatch.chdir(tmp_path)
    assert titles(Path("work", place)) == {"Rock 0": 1, "Rock 1": 1, "Rock 2": 1}


def test_a_picture_of_two_networks_has_the_credits_of_both(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(runs)
    Image.new("L", (8, 8), 255).save("mask.png")
    options = ("--seeds", "0", "--bend", "invert@b16.image/mask=image:mask.png")
    words = ["--from", "runs/00000-data", "--to", "runs/00001-data@1", "--amount", "0.5", *options]
    assert CliRunner().invoke(bend, ["render", "dial", *words, "-o", "dial.png"]).exit_code == 0
    assert titles("dial.png") == {"Rock 0": 1, "Rock 1": 1, "Rock 2": 2, "Rock 3": 1, "Rock 4": 1}


def test_a_picture_of_a_network_in_no_run_says_so(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(runs)
    save_tiny(Path("n.safetensors"))
    note = Provenance(work={}, network="n.safetensors", network_sha256="")
    save_picture(runs / "a.png", np.zeros([4, 4, 3], np.uint8), note)
    assert "rendered from n.safetensors, which is in no run folder" in str(run("a.png").exception)
    Path("n.safetensors").unlink()
    assert "rendered from n.safetensors, which is no longer there" in str(run("a.png").exception)


@pytest.mark.parametrize("format_", ["text", "markdown", "csv", "json"])
def test_what_strangers_wrote_is_printed_and_not_obeyed(tmp_path: Path, format_: str) -> None:
    line = {"file": "1.jpg", "source": "s", "id": "1", "license": "CC0-1.0"}
    line |= {"title": "\x1b]0;pwned\x07\x1b[31mRED\n", "creator": "\x9b2Jme", "page_url": "https://x/\x1b[5m"}
    (tmp_path / "manifest.jsonl").write_text(json.dumps(line) + "\n")
    (tmp_path / "1.jpg").write_bytes(jpeg(1))
    done = run(tmp_path, "--format", format_)
    assert done.exit_code == 0
    assert not set("\x1b\x07\x9b") & set(done.stdout)
    assert "\\x1b[31mRED\\n" in done.stdout.replace("\\\\", "\\").replace("\\[", "[")


def test_a_picture_of_an_embedded_network_leads_to_its_card(tmp_path: Path) -> None:
    note = Provenance(work={}, network="faces64", network_sha256="")
    save_picture(tmp_path / "face.png", np.zeros([4, 4, 3], np.uint8), note)
    for path in (tmp_path / "face.png", find_network("faces64")):
        done = run(path)
        assert (done.exit_code, done.stderr) == (0, "")
        assert done.stdout.startswith("faces64, the network that comes with bend, MIT; ")
        assert Path(done.stdout.split()[-1]).name == "faces64.md"
    (credit,) = json.loads(run(tmp_path / "face.png", "--json").stdout)
    assert credit["license"] == "MIT"


def test_a_data_set_that_was_unpacked_has_the_credits_of_what_is_left(folder: Path, tmp_path: Path) -> None:
    package(PackageConfig(sources=(folder,), out=tmp_path / "a.zip", resolution=16))
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        file.extractall(tmp_path / "unpacked")
    assert run(tmp_path / "unpacked").stdout == run(tmp_path / "a.zip").stdout
    (tmp_path / "unpacked" / "00000" / "img00000001.png").unlink()
    assert "Rock 1" not in run(tmp_path / "unpacked").stdout


def test_bundled_photos_have_credits() -> None:
    done = run(sample_folder())
    assert "Aitzol Berasategi" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such file or folder"),
        (lambda path: path.mkdir(), "holds neither manifest.jsonl nor training_options.json"),
        (lambda path: path.write_bytes(jpeg(1)), "neither a data set nor a picture rendered by bend"),
    ],
)
def test_mistakes(make: Any, message: str, tmp_path: Path) -> None:
    make(tmp_path / "a.jpg")
    done = run(tmp_path / "a.jpg")
    assert isinstance(done.exception, BendError)
    assert message in str(done.exception)


def test_tiles_of_unknown_origin_are_counted_by_photo(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(2):
        Image.effect_noise((1024, 256), 60 + number).save(tmp_path / "in" / f"p{number}.jpg")
    data = tmp_path / "rocks.zip"
    config = PackageConfig(sources=(tmp_path / "in",), out=data, resolution=16, crop="tiles:2", workers=1)
    assert package(config).num_images > 2
    done = run(data)
    assert done.exit_code == 0
    assert [line.partition(",")[0] for line in done.stdout.splitlines()] == ['"p0.jpg"', '"p1.jpg"']
    assert "2 of 2 have no known licence" in done.stderr
