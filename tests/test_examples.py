"""The gallery: every recipe is valid and shown, those without training make what is shown, and the notebook runs."""

import importlib.util
import json
import re
import subprocess
import sys
import types
import wave
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from bend.cli import bend
from bend.recipe import read_recipe
from tests.typed_lines import typed

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
RECIPES = sorted(EXAMPLES.glob("*.toml"))
UNTRAINED = [path for path in RECIPES if "finetune" not in path.read_text("utf-8")]
GALLERY = (EXAMPLES / "README.md").read_text("utf-8")
SHOWN = sorted(path for path in EXAMPLES.iterdir() if path.suffix in {".jpg", ".webp", ".mp4"})


@pytest.fixture(scope="module")
def build() -> Iterator[ModuleType]:
    yield _module("build")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_valid_and_stands_in_the_gallery(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.title
    assert f"]({path.name})" in GALLERY
    assert f"bend run examples/{path.name} -o out/gallery" in typed(GALLERY)


def test_the_gallery_is_what_the_recipes_make(build: ModuleType) -> None:
    assert sorted(build.RECIPES) == [path.stem for path in RECIPES]
    named = set(re.findall(r"\]\(([\w.-]+\.(?:jpg|webp|mp4))\)", GALLERY))
    assert named == {path.name for path in SHOWN}


def test_the_gallery_is_light() -> None:
    sizes = {path.name: path.stat().st_size for path in EXAMPLES.iterdir() if path.is_file()}
    assert max(sizes.values()) < 1_000_000, sizes
    assert sum(sizes.values()) < 6_000_000


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: path.name)
def test_nothing_shown_is_blank_or_names_a_machine(path: Path) -> None:
    if path.suffix == ".mp4":
        with av.open(str(path)) as film:
            pixels = next(film.decode(video=0)).to_ndarray(format="rgb24")
    else:
        pixels = np.asarray(Image.open(path).convert("RGB"))
    assert pixels.std() > 20
    data = path.read_bytes()
    assert not [place for place in (b"/home/", b"/work/", b"/tmp/", b"/Users/") if place in data]


def test_the_track_is_what_its_script_makes(tmp_path: Path) -> None:
    track = _module("make_track")
    track.write_track(tmp_path / "track.wav")
    with wave.open(str(tmp_path / "track.wav")) as made, wave.open(str(EXAMPLES / "track.wav")) as shipped:
        assert made.getparams() == shipped.getparams()
        frames = made.getnframes()
        assert frames == track.SECONDS * track.RATE
        ours, theirs = (np.frombuffer(file.readframes(frames), "<i2").astype(int) for file in (made, shipped))
    assert np.abs(ours - theirs).max() <= 1  # platforms round their sines differently
    assert (EXAMPLES / "track.wav").stat().st_size < 300_000


@pytest.mark.slow
def test_recipes_without_training_make_what_is_shown(build: ModuleType, tmp_path: Path) -> None:
    work, kept = tmp_path / "work", tmp_path / "kept"
    kept.mkdir()
    assert len(UNTRAINED) == 6
    for path in UNTRAINED:
        result = CliRunner().invoke(bend, ["run", str(path), "-o", str(work)])
        assert result.exit_code == 0, result.output
    for made in build.keep(work, kept):
        assert _facts(made) == _facts(EXAMPLES / made.name), made.name
    assert len(list(kept.iterdir())) == 10


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = json.loads((EXAMPLES / "bend.ipynb").read_text("utf-8"))
    assert (notebook["nbformat"], notebook["metadata"]["kernelspec"]["language"]) == (4, "python")
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
    monkeypatch.chdir(tmp_path)
    shown = _stub_ipython(monkeypatch)
    names: dict[str, object] = {"_shell": _shell}
    settings = {"KIMG = 1 ": "KIMG = 0.032 ", "TILES = 48": "TILES = 4", "SECONDS = 6": "SECONDS = 0.5"}
    for cell in cells:
        text = "".join(cell["source"])
        for shipped, tiny in settings.items():
            text = text.replace(shipped, tiny)
        exec(compile(_plain_python(text), cell["id"], "exec"), names)
    pictures = [one for one in shown if isinstance(one, Image.Image)]
    assert len(pictures) == 5
    assert all(picture.size == (1024, 128) for picture in pictures)
    assert ("Image", "timeline.png") in shown
    assert ("Video", "walk.mp4") in shown
    assert _facts(Path("walk.mp4"))["frames"] == 12


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)
        spec.loader.exec_module(module)
    return module


def _facts(path: Path) -> dict[str, object]:
    """What must not depend on the machine that drew it."""
    if path.suffix == ".mp4":
        with av.open(str(path)) as film:
            stream = film.streams.video[0]
            size, rate = (stream.width, stream.height), stream.average_rate
            return {"size": size, "rate": rate, "frames": sum(1 for _ in film.decode(video=0))}
    with Image.open(path) as picture:
        return {"size": picture.size, "mode": picture.mode}


def _plain_python(text: str) -> str:
    """A cell with its shell lines turned into calls, and without installations."""
    joined = re.sub(r"\s*\\\n\s*", " ", text)
    called = re.sub(r"^!(.*)$", lambda line: f"_shell(f{line[1]!r})", joined, flags=re.MULTILINE)
    return re.sub(r"^(\s*)%pip .*$", r"\1pass", called, flags=re.MULTILINE)


def _shell(line: str) -> None:
    assert line.startswith("bend ")
    command = line.replace("bend ", f"{sys.executable} -m bend ", 1)
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{line}\n{done.stderr}"


def _stub_ipython(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Stand in for the notebook's display; returns the list of what it will be asked to show."""
    shown: list[object] = []
    display = types.ModuleType("IPython.display")
    for name in ("Image", "Video"):
        setattr(display, name, lambda file, name=name, **_: (name, file) if Path(file).is_file() else None)
    display.display = shown.append  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return shown
