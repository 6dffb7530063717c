"""Recipes and data sets made to do harm: refused in one line, quickly, and nothing outside their folder is touched.

Network files of that kind, by the hundred, are in `tests/stylegan/checkpoint`; the scoreboard counts both.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.reliability.conftest import Bench
from tests.stylegan.archive.zips import encoded, noise, write_zip

pytestmark = pytest.mark.slow
HEAD = "bend = 1\n[[stage]]\n"
CANARY = "touch canary"
RECIPES: dict[str, str] = {
    "nesting": "bend = 1\nx = " + "[" * 30_000,
    "nested tables": "bend = 1\n[" + ".".join("a" * 20_000) + "]\n",
    "a long number": "bend = 1" + "0" * 100_000,
    "a long key": HEAD + "x" * 500_000 + " = 1",
    "twenty megabytes": "#" * (20 << 20),
    "many stages": "bend = 1\n" + "[[stage]]\ndo = 'package'\n" * 5_000,
    "a shell in a command": HEAD + f"do = 'package; {CANARY}'",
    "a shell in a path": HEAD + f"do = 'package'\nsources = ['$({CANARY})']\nout = 'a.zip'\nresolution = 16",
    "backticks": HEAD + f"do = 'package'\nsources = ['`{CANARY}`']\nout = 'a.zip'\nresolution = 16",
    "an option for a source": HEAD + "do = 'package'\nsources = ['--force']\nout = 'a.zip'\nresolution = 16",
    "a format string": HEAD
    + "do = 'package'\nsources = ['{0.__class__.__mro__}']\nout = 'a.zip'\nresolution = 16",
    "a module for a command": HEAD + "do = 'os'",
    "a path for a command": HEAD + "do = '../../bin/sh'",
    "force": HEAD + "do = 'package'\nforce = true",
    "a command within itself": HEAD + "do = 'run'",
    "a table for a number": HEAD + "do = 'package'\nresolution = {a = 1}",
    "no number": HEAD + "do = 'finetune'\ndata = 'a.zip'\nkimg = nan",
    "without end": HEAD + "do = 'finetune'\ndata = 'a.zip'\nkimg = inf",
    "a negative one": HEAD + "do = 'finetune'\ndata = 'a.zip'\nkimg = -1e308",
    "a zero in a path": HEAD + 'do = "package"\nsources = ["a\\u0000b"]\nout = "a.zip"\nresolution = 16',
    "half a character": "bend = 1\ntitle = '\ud800'",
    "a terminal's escapes": HEAD + 'do = "\\u001b[2J\\u001b]0;x\\u0007"',
}
PICTURE = {"a.png": encoded(noise(0, 16, 16, 3))}
DATA_SETS: dict[str, dict[str, bytes]] = {
    "nested JSON": {"dataset.json": b"[" * 200_000},
    "nested objects": {"dataset.json": b'{"a":' * 200_000},
    "a long number": {"dataset.json": b'{"labels": [["a.png", ' + b"9" * 10_000 + b"]]}"},
    "a class beyond measure": {"dataset.json": b'{"labels": [["a.png", 999999999]]}'},
    "a negative class": {"dataset.json": b'{"labels": [["a.png", -1]]}'},
    "infinite labels": {"dataset.json": b'{"labels": [["a.png", [1e999]]]}'},
    "labels of text": {"dataset.json": b'{"labels": [["a.png", "$(touch canary)"]]}'},
    "names that are lists": {"dataset.json": b'{"labels": [[["a.png"], 1]]}'},
    "no object": {"dataset.json": b"17"},
    "no text": {"dataset.json": b"\xff\xfe\x00"},
    "other labels": {"dataset.json": b'{"labels": [["../../etc/passwd", 1]]}'},
    "vectors of other lengths": {
        "b.png": PICTURE["a.png"],
        "dataset.json": b'{"labels": [["a.png", [1]], ["b.png", [1, 2]]]}',
    },
    "a wide vector": {"dataset.json": json.dumps({"labels": [["a.png", [0.0] * 100_000]]}).encode()},
}
NAMES = [
    "../canary.png",
    "/tmp/bend-canary.png",
    "..\\canary.png",
    "C:\\canary.png",
    "a/../../canary.png",
    "\u202egnp.x.png",
]


@pytest.mark.parametrize("name", RECIPES)
def test_a_hostile_recipe(bench: Bench, tmp_path: Path, name: str) -> None:
    (tmp_path / "r.toml").write_bytes(RECIPES[name].encode("utf-8", "surrogatepass"))
    assert_refused(bench, tmp_path, "run", "r.toml", "-o", "out")


@pytest.mark.parametrize("name", DATA_SETS)
def test_a_hostile_data_set(bench: Bench, tmp_path: Path, name: str) -> None:
    write_zip(tmp_path / "a.zip", PICTURE | DATA_SETS[name])
    words = "--base none --channel-base 256 --channel-max 16 --w-dim 16 --batch 4 --kimg 0.004 --device cpu"
    assert_checked(bench, tmp_path, 1)
    return assert_refused(bench, tmp_path, "finetune", "--data", "a.zip", *words.split(), "-o", "out")


@pytest.mark.parametrize("name", NAMES)
def test_names_never_leave_the_folder(bench: Bench, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    write_zip(folder / "a.zip", {name: PICTURE["a.png"], "dataset.json": b'{"labels": null}'})
    words = ["-o", "b.zip", "--resolution", "16", "--min-size", "8"]
    ended = bench.zygote.run("package", "a.zip", *words, folder=folder)
    assert ended.status in (0, 1), ended
    assert "Traceback" not in ended.err
    assert {path.name for path in folder.iterdir()} <= {"a.zip", "b.zip"}
    assert {path.name for path in tmp_path.iterdir()} == {"work"}
    assert not Path("/tmp/bend-canary.png").exists()


def assert_refused(bench: Bench, folder: Path, *words: str) -> None:
    """One line, a status that says so, and no canary."""
    ended = bench.zygote.run(*words, folder=folder)
    assert ended.status in (1, 2), ended
    assert "Traceback" not in ended.err
    assert_printable(ended.err)
    assert not list(folder.rglob("*canary*"))


def assert_checked(bench: Bench, folder: Path, status: int) -> None:
    """`--check` says so as well."""
    ended: Any = bench.zygote.run("package", "a.zip", "--check", folder=folder)
    assert ended.status == status, ended
    assert "Traceback" not in ended.err


def assert_printable(text: str) -> None:
    """Nothing in a message controls the terminal."""
    assert all(character.isprintable() or character == "\n" for character in text), ascii(text[:300])
