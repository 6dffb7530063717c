"""`bend replay`: the same bytes from the note inside a picture, or the reason why not."""

import dataclasses
import json
import shlex
import shutil
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from bend import render
from bend.config import RenderConfig
from bend.picture import Pixels, save_picture
from bend.recipe import read_recipe
from bend.work import describe
from stylegan.generator import Generator
from tests.bend.conftest import Run
from tests.bend.runs import save_snapshot
from tests.bend.tiny import save_tiny, tiny_generator


@pytest.mark.parametrize(
    ("kind", "name", "options"),
    [
        ("grid", "grid.png", ("--seeds", "0-3", "--trunc", "0.5")),
        ("grid", "grid.webp", ("--grid", "2x1", "--noise-mode", "random")),
        ("plane", "plane.jpg", ("--grid", "3x2")),
        ("latent-walk", "walk.mp4", ("--seconds", "0.5", "--fps", "8", "--loop")),
    ],
)
def test_the_same_bytes(
    run: Run, tiny_network: Path, tmp_path: Path, kind: str, name: str, options: tuple[str, ...]
) -> None:
    film = tmp_path / name
    assert run("render", kind, "--network", tiny_network, *options, "-o", film)[0] == 0
    again = tmp_path / f"again{film.suffix}"
    status, stdout, stderr = run("replay", film, "-o", again, "--check", "--json")
    assert status == 0, stderr
    assert json.loads(stdout) == {"output": str(again), "is_same": True}
    assert again.read_bytes() == film.read_bytes()


@pytest.mark.parametrize("options", [("--kimg", "0.75"), ("--kimg", "0s:0.5,1s:1"), ("--dial", "0.4")])
def test_a_moment_of_a_run_and_a_turned_dial(
    run: Run, tiny_network: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    folder = tmp_path / "run"
    for kimg in (0.5, 1):
        save_snapshot(folder, kimg, tiny_generator(seed=round(2 * kimg)))
    sheet, words = tmp_path / "a.png", ("--dial-from", tiny_network, *options)
    assert run("render", "grid", "--network", folder, "--seeds", "0-1", *words, "-o", sheet)[0] == 0
    status, _, stderr = run("replay", sheet, "-o", tmp_path / "b.png", "--check")
    assert status == 0, stderr
    save_snapshot(folder, 1, tiny_generator(seed=3))
    assert "not the network this was drawn with" in run("replay", sheet, "-o", tmp_path / "c.png")[2]


def test_a_file_that_has_changed_is_told_before_anything_is_drawn(
    run: Run, tiny_network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("L", (8, 8), 255).save("mask.png")
    bent = save_tiny(Path("bent.safetensors"), seed=1)
    bend = ("--bend", "invert@b16.image/mask=image:mask.png", "--seeds", "0")
    assert run("render", "grid", "--network", tiny_network, *bend, "-o", "a.png")[0] == 0
    assert run("render", "dial", "--from", bent, "--to", tiny_network, *bend, "-o", "b.png")[0] == 0
    assert run("replay", "b.png", "-o", "again.png", "--check")[0] == 0
    Image.new("L", (8, 8), 0).save("mask.png")
    assert "mask.png is not the file this was drawn with" in run("replay", "a.png", "-o", "c.png")[2]
    Image.new("L", (8, 8), 255).save("mask.png")
    save_tiny(bent, seed=2)
    assert "bent.safetensors is not the file this was drawn with" in run("replay", "b.png", "-o", "c.png")[2]
    assert not Path("c.png").exists()


def test_one_network_cannot_stand_for_several(run: Run, tiny_network: Path, tmp_path: Path) -> None:
    sheet, bent = tmp_path / "dial.png", save_tiny(tmp_path / "bent.safetensors", seed=1)
    ends = ("--from", tiny_network, "--to", bent, "--steps", "2")
    assert run("render", "dial", *ends, "--seeds", "0", "-o", sheet)[0] == 0
    status, _, stderr = run("replay", sheet, "-o", tmp_path / "b.png", "--network", bent)
    assert (status, stderr.count("\n")) == (1, 1)
    assert "is of several networks, which --network cannot replace" in stderr
    assert run("replay", sheet, "-o", tmp_path / "b.png", "--check")[0] == 0


def test_one_picture_of_a_folder(
    run: Run, tiny_network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("render", "images", "--network", tiny_network, "--seeds", "0-2", "-o", "im")[0] == 0
    status, stdout, _ = run("replay", "im/seed0001.png")
    assert (status, stdout) == (0, "seed0001-replay.png: the same, byte for byte\n")
    assert Path("seed0001-replay.png").read_bytes() == Path("im/seed0001.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["im", "seed0001-replay.png"]
    assert run("replay", "im/seed0001.png")[2].startswith("Error: seed0001-replay.png exists")


def test_bytes_in_another_format_differ_for_that_reason(run: Run, tiny_network: Path, tmp_path: Path) -> None:
    sheet, other = tmp_path / "a.png", tmp_path / "b.webp"
    assert run("render", "grid", "--network", tiny_network, "--seeds", "0", "-o", sheet)[0] == 0
    assert run("replay", sheet, "-o", other)[1] == f"{other}: not the same bytes: in another format\n"
    status, _, stderr = run("replay", sheet, "-o", other, "--check", "--force")
    assert (status, stderr) == (1, f"Error: {other} differs from {sheet}: in another format\n")


def test_the_recipe_of_a_picture(run: Run, tiny_network: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "grid.png"
    run("render", "grid", "--network", tiny_network, "--grid", "2x1", "--trunc", "0.5", "-o", sheet)
    recipe = tmp_path / "r.toml"
    assert run("replay", sheet, "--recipe", recipe)[0] == 0
    [stage] = read_recipe(recipe).stages
    assert stage.do == "render grid"
    assert stage.options == {
        "network": str(tiny_network), "grid": "2x1", "trunc": "0.5", "output": "grid.png",
    }  # fmt: skip
    assert run("run", recipe, "-o", tmp_path / "out")[0] == 0
    assert (tmp_path / "out" / "grid.png").read_bytes() == sheet.read_bytes()


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("images", "--seeds", "0-2"), "seed0001.png"),
        (("latent-walk", "--seconds", "0.5", "--fps", "6"), "frame000001.png"),
    ],
)
def test_the_recipe_of_one_of_a_folder_makes_the_folder(
    run: Run,
    tiny_network: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    name: str,
) -> None:
    folder, recipe = tmp_path / "many", tmp_path / "r.toml"
    assert run("render", *words, "--network", tiny_network, "-o", folder)[0] == 0
    monkeypatch.chdir(folder)  # where the name alone does not tell the folder's
    assert run("replay", name, "--recipe", recipe)[0] == 0
    assert run("run", recipe, "-o", tmp_path / "out")[2] == ""
    made = {path.name: path.read_bytes() for path in (tmp_path / "out" / "many").iterdir()}
    assert made == {path.name: path.read_bytes() for path in folder.iterdir()}
    assert len(made) == 3


@pytest.mark.parametrize("seeds", [("--seeds", "5-9,5,0"), ()])
def test_one_picture_is_drawn_among_those_it_was_drawn_with(
    run: Run, tiny_network: Path, tmp_path: Path, seeds: tuple[str, ...]
) -> None:
    folder, batches = tmp_path / "im", []
    words = ("--network", tiny_network, *seeds, "--batch", "4", "-o", folder)
    assert run("render", "images", *words)[0] == 0

    def draw(G: Generator, ws: Tensor, **settings: Any) -> Pixels:
        batches.append(list(settings["moments"]))
        return drawn(G, ws, **settings)

    drawn = render.draw
    with patch("bend.render.draw", draw):
        assert run("replay", folder / "seed0007.png", "-o", tmp_path / "a.png", "--check")[0] == 0
    wanted = range(5, 9) if seeds else range(4, 8)
    assert [[moment.seed for moment in batch] for batch in batches] == [list(wanted)]


def test_a_recipe_finds_its_files_from_any_folder(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    save_tiny(work / "n.safetensors")
    monkeypatch.chdir(work)
    Image.new("L", (8, 8), 255).save("mask.png")
    Path("flip.yaml").write_text("transforms: [{layer: 3, transform: flip-h, params: [], features: all}]")
    bends = ("--bend", "flip.yaml", "--bend", "invert@b16.image/mask=image:mask.png")
    assert run("render", "grid", "--network", "n.safetensors", *bends, "--seeds", "0", "-o", "a.png")[0] == 0
    monkeypatch.chdir(tmp_path)
    assert run("replay", "work/a.png", "--recipe", "r.toml")[0] == 0
    [stage] = read_recipe(tmp_path / "r.toml").stages
    assert stage.options["network"] == str(work / "n.safetensors")
    assert stage.options["bend"] == ["flip-h@b8.conv1", f"invert@b16.image/mask=image:{work / 'mask.png'}"]
    (work / "flip.yaml").unlink()
    assert run("run", "r.toml", "-o", "out")[0] == 0
    with Image.open("out/a.png") as again, Image.open("work/a.png") as first:
        assert again.tobytes() == first.tobytes()
    assert run("replay", "work/a.png", "-o", "b.png", "--check")[0] == 0


@pytest.mark.parametrize("output", ["a.png", "sheets/deep/a.png", "stills"])
def test_the_files_of_a_recipe_are_found_from_the_pictures_below_it(
    run: Run, tiny_network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.chdir(out)
    save_tiny(Path("n.safetensors"))
    np.savez("rows.npz", z=np.ones((1, 32)))
    kind = "grid" if output.endswith(".png") else "images"
    for network, folder in (("n.safetensors", "own"), (tiny_network, "another's")):
        rows = ("--network", network, "--latents", "rows.npz")
        assert run("render", kind, *rows, "-o", f"{folder}/{output}")[0] == 0
    monkeypatch.chdir(tmp_path)
    for folder in ("own", "another's"):
        picture = Path("out", folder, output)
        picture = picture if kind == "grid" else picture / "seed0000.png"
        status, _, stderr = run("replay", picture, "-o", f"{folder}.png", "--check")
        assert status == 0, stderr
        assert run("replay", picture, "--recipe", f"{folder}.toml")[0] == 0
        [stage] = read_recipe(Path(f"{folder}.toml")).stages
        assert stage.options["latents"] == [str(out / "rows.npz")]
    shutil.move("out/n.safetensors", "m.safetensors")
    picture = Path("out/own", output) if kind == "grid" else Path("out/own", output, "seed0000.png")
    assert run("replay", picture, "-o", "b.png", "--network", "m.safetensors")[0] == 0


def test_a_network_that_moved_with_the_picture(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    save_tiny(work / "n.safetensors")
    assert run("render", "grid", "--network", "n.safetensors", "--grid", "1x1", "-o", "a.png")[0] == 0
    monkeypatch.chdir(tmp_path)
    assert run("replay", "work/a.png", "-o", "b.png", "--check")[0] == 0  # as it was made, in its own folder
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.png", "work"]
    assert render.generator_of("work/n.safetensors").img_resolution == 16
    shutil.move("work/n.safetensors", "m.safetensors")
    assert "no such network" in run("replay", "work/a.png", "-o", "c.png")[2]
    assert run("replay", "work/a.png", "-o", "c.png", "--network", "m.safetensors")[0] == 0
    moved = ("--network", "m.safetensors", "--check", "--force")
    assert run("replay", "work/a.png", "-o", "c.png", *moved)[0] == 1  # its note names another place now


def test_another_network_is_told_before_anything_is_drawn(run: Run, tmp_path: Path) -> None:
    network, sheet = save_tiny(tmp_path / "n.safetensors"), tmp_path / "a.png"
    run("render", "grid", "--network", network, "--grid", "1x1", "-o", sheet)
    save_tiny(network, seed=1)
    status, _, stderr = run("replay", sheet, "-o", tmp_path / "b.png")
    assert (status, "not the network this was drawn with" in stderr) == (1, True)
    assert not (tmp_path / "b.png").exists()


def test_what_has_no_note_is_refused(run: Run, tmp_path: Path) -> None:
    text = tmp_path / "a.txt"
    text.write_text("hello")
    assert "no note by bend inside" in run("replay", text)[2]
    assert run("replay", tmp_path / "none.png")[0] == 1
    picture, G = tmp_path / "python.png", tiny_generator()
    note = describe("images", RenderConfig(), G, None, seed=0)
    save_picture(picture, next(iter(render.images(G, [0]))), note)
    assert "made by a roll, a training, or from Python" in run("replay", picture)[2]
    strange = describe("images", RenderConfig(), G, "rm -rf /", seed=0)
    save_picture(tmp_path / "strange.png", next(iter(render.images(G, [0]))), strange)
    assert "this release cannot run" in run("replay", tmp_path / "strange.png")[2]


def test_what_a_search_wrote_says_how_to_search_again(run: Run, tiny_network: Path, tmp_path: Path) -> None:
    photo = tmp_path / "a photo.png"
    Image.linear_gradient("L").save(photo)
    search = ("project", photo, "--network", tiny_network, "--steps", "2", "--film", tmp_path / "a.gif")
    assert run(*search, "-o", tmp_path / "a.npz")[0] == 0
    for made in (tmp_path / "a.comparison.png", tmp_path / "a.gif"):
        status, _, err = run("replay", made)
        assert (status, err.startswith(f"Error: {made} shows a search; run its command again: ")) == (1, True)
        *again, dash_o, _ = shlex.split(err.partition("again: ")[2])
        assert dash_o == "-o"
        assert run(*again[1:], "-o", tmp_path / "b.npz", "--force")[0] == 0, err
        assert np.array_equal(np.load(tmp_path / "a.npz")["w"], np.load(tmp_path / "b.npz")["w"])


def test_a_frame_of_a_film_says_how_to_make_the_film_again(
    run: Run, tiny_network: Path, tmp_path: Path
) -> None:
    walk = ("render", "latent-walk", "--network", tiny_network, "--seconds", "0.25", "--fps", "8")
    assert run(*walk, "-o", tmp_path / "walk")[0] == 0
    frame = tmp_path / "walk" / "frame000001.png"
    status, _, err = run("replay", frame, "-o", tmp_path / "again.png")
    assert (status, err.startswith(f"Error: {frame} is one frame of a film; run its command again: ")) == (
        1,
        True,
    )
    assert not (tmp_path / "again.png").exists()
    *again, dash_o, _ = shlex.split(err.partition("again: ")[2])
    assert dash_o == "-o"
    assert run(*again[1:], "-o", tmp_path / "more")[0] == 0
    assert (tmp_path / "more" / frame.name).read_bytes() == frame.read_bytes()


def test_a_folder_of_pictures_is_no_picture(run: Run, tmp_path: Path) -> None:
    assert run("replay", tmp_path)[2] == f"Error: {tmp_path}: a folder; give a picture or film in it\n"


@pytest.mark.parametrize("command", [17, ["render", "grid"], {}])
def test_a_note_that_is_no_note_is_refused(run: Run, tmp_path: Path, command: object) -> None:
    picture, G = tmp_path / "a.png", tiny_generator()
    save_picture(picture, next(iter(render.images(G, [0]))), describe("grid", RenderConfig(), G, command))  # type: ignore[arg-type]
    status, _, err = run("replay", picture)
    assert (status, err) == (
        1,
        f"Error: {picture}: no note by bend inside; only what `bend render` made can be made again\n",
    )


def test_a_note_whose_work_is_nonsense_is_refused(run: Run, tiny_network: Path, tmp_path: Path) -> None:
    picture, G = tmp_path / "a.png", tiny_generator()
    note = describe("grid", RenderConfig(network=str(tiny_network)), G, "bend render grid --seeds 0")
    note = dataclasses.replace(note, work=note.work | {"render": [1]}, network_sha256="0")
    save_picture(picture, next(iter(render.images(G, [0]))), note)
    status, _, err = run("replay", picture)
    assert status == 1
    assert "is not the network this was drawn with" in err
