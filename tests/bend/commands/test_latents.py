"""The latent instruments as a person types them: style-mix, truncation, directions, sizes, blends, project."""

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from bend.projection import picture
from bend.provenance import read_provenance
from stylegan.checkpoint import save_network
from tests.bend.conftest import Run
from tests.bend.pixels import pixels
from tests.bend.projection.test_search import tiny_discriminator
from tests.bend.tiny import tiny_generator


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEND_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny generator and its discriminator."""
    path = tmp_path_factory.mktemp("network") / "tiny.safetensors"
    save_network(path, G_ema=tiny_generator(noise_strength=0.02), D=tiny_discriminator())
    return path


def frames(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]


def test_style_mix(run: Run, network: Path, tmp_path: Path) -> None:
    base = ("render", "style-mix", "--network", network, "--device", "cpu")
    for layers in ("coarse", "0-5", "0-2"):
        sheet = tmp_path / f"{layers}.png"
        typed = ("--rows", "0,1", "--columns", "2-4", "--layers", layers, "-o", sheet)
        assert run(*base, *typed) == (0, f"{sheet}: 1 picture, 64×48\n", "")
    every, some = pixels(tmp_path / "0-5.png"), pixels(tmp_path / "0-2.png")
    assert not every[:16, :16].any()
    for row in (1, 2):  # all layers of the column's seed are the column's picture
        assert np.abs(every[16 * row : 16 * row + 16, 16:] - every[:16, 16:]).max() <= 1
    assert np.abs(some[16:32, 16:] - some[:16, 16:]).mean() > 1
    np.testing.assert_array_equal(some, pixels(tmp_path / "coarse.png"))
    assert np.abs(some[16:32, :16] - every[16:32, :16]).max() <= 1


@pytest.mark.parametrize(("typed", "said"), [((), "--rows 2"), (("--rows", "0-1"), "--columns 4")])
def test_style_mix_names_the_side_whose_latent_there_is_not(
    run: Run, network: Path, tmp_path: Path, typed: tuple[str, ...], said: str
) -> None:
    np.savez(tmp_path / "two.npz", z=np.ones((2, 32)))
    words = ("render", "style-mix", "--network", network, "--latents", tmp_path / "two.npz", *typed)
    refused = f"Error: {said}: --latents holds 2 latents; choose 0 to 1\n"
    assert run(*words, "-o", tmp_path / "mix.png") == (1, "", refused)


def test_truncation_sheet(run: Run, network: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "psi.png"
    typed = ("--seeds", "0-2", "--from", "0", "--to", "1", "--steps", "5", "-o", sheet)
    assert run("render", "truncation", "--network", network, *typed)[0] == 0
    drawn = pixels(sheet)
    assert drawn.shape == (48, 80, 3)
    assert np.abs(drawn[:16, :16] - drawn[16:32, :16]).max() <= 1  # at psi 0 all are the average
    alone = tmp_path / "one"
    run("render", "images", "--network", network, "--seeds", "2", "-o", alone)
    assert np.abs(drawn[32:, 64:] - pixels(alone / "seed0002.png")).max() <= 1
    half = tmp_path / "half"
    run("render", "images", "--network", network, "--seeds", "1", "--trunc", ".5", "-o", half)
    assert np.abs(drawn[16:32, 32:48] - pixels(half / "seed0001.png")).max() <= 1


def test_truncation_film_goes_there_and_back(run: Run, network: Path, tmp_path: Path) -> None:
    folder = tmp_path / "film"
    typed = ("--seeds", "3", "--loop", "--seconds", ".5", "--fps", "16", "-o", folder)
    assert run("render", "truncation", "--network", network, *typed)[1] == f"{folder}: 8 pictures, 16×16\n"
    drawn = [pixels(folder / f"frame{index:06d}.png") for index in range(8)]
    assert np.abs(drawn[4] - drawn[0]).mean() > 5
    for index in (1, 2, 3):
        assert np.abs(drawn[index] - drawn[8 - index]).max() <= 1
    status, _, err = run(
        "render", "truncation", "--network", network, "--trunc", ".5", "-o", tmp_path / "a.png"
    )
    assert (status, err) == (1, "Error: --trunc 0.5: the sweep sets psi itself; use --from and --to\n")


@pytest.mark.parametrize("command", ["images", "grid", "plane", "latent-walk"])
def test_directions_work_everywhere(run: Run, network: Path, tmp_path: Path, command: str) -> None:
    suffix = {"images": "", "latent-walk": ""}.get(command, ".png")
    extra = {"latent-walk": ("--seconds", ".25"), "plane": ("--grid", "2x2")}.get(command, ())
    written = {}
    for name, direction in (
        ("plain", ()),
        ("moved", ("--direction", "sefa:0*3", "--direction", "pca:1*2@0-3")),
    ):
        output = tmp_path / f"{name}{suffix}"
        assert run("render", command, "--network", network, *extra, *direction, "-o", output)[0] == 0
        path = output if suffix else sorted(output.iterdir())[0]
        written[name] = pixels(path)
    assert np.abs(written["plain"] - written["moved"]).mean() > 2
    note = read_provenance(path)
    assert note is not None
    assert note.work["render"]["direction"] == ["sefa:0*3", "pca:1*2@0-3"]
    assert "--direction 'sefa:0*3' --direction 'pca:1*2@0-3'" in str(note.command)


def test_a_swaying_direction_moves_a_film_that_would_stand_still(
    run: Run, network: Path, tmp_path: Path
) -> None:
    film = tmp_path / "sway.mp4"
    typed = ("--path", "linear", "--trunc", "0", "--direction", "pca:0*lfo(sine,0..4,1s)")
    typed += ("--seconds", "1", "--fps", "8", "--crf", "5", "--scale", "4", "-o", str(film))
    assert run("render", "latent-walk", "--network", network, *typed)[0] == 0
    drawn = frames(film)
    assert np.abs(drawn[4] - drawn[0]).mean() > 3
    assert np.abs(drawn[2] - drawn[6]).mean() < 2


@pytest.mark.slow
def test_a_wide_even_blended_walk(run: Run, network: Path, tmp_path: Path) -> None:
    film = tmp_path / "wide.webp"
    typed = (
        "--size",
        "40x24",
        "--extend",
        "tile",
        "--blend",
        "9@right",
        "--even",
        "--loop",
        "--seconds",
        ".25",
    )
    status, out, err = run("render", "latent-walk", "--network", network, *typed, "-o", film)
    assert (status, out, err) == (0, f"{film}: 6 pictures, 40×24\n", "")


def test_images_report_their_size(run: Run, network: Path, tmp_path: Path) -> None:
    typed = ("--network", network, "--size", "32x16", "--scale", "2", "--seeds", "1", "-o", tmp_path / "out")
    assert run("render", "images", *typed)[1] == f"{tmp_path / 'out'}: 1 picture, 64×32\n"
    assert pixels(tmp_path / "out" / "seed0001.png").shape == (32, 64, 3)


@pytest.mark.slow
def test_project_and_draw_what_was_found(run: Run, network: Path, tmp_path: Path) -> None:
    run("render", "images", "--network", network, "--seeds", "5", "-o", tmp_path / "one")
    target = tmp_path / "one" / "seed0005.png"
    found = tmp_path / "found.npz"
    typed = ("--network", network, "--steps", "90", "--film", tmp_path / "way.mp4", "-o", found)
    status, out, err = run("project", target, *typed)
    assert (status, err) == (0, "")
    assert out.startswith(f"{found}: distance ")
    assert pixels(tmp_path / "found.comparison.png").shape == (256, 512, 3)
    assert len(frames(tmp_path / "way.mp4")) == 91
    assert run("render", "images", "--network", network, "--latents", found, "-o", tmp_path / "again")[0] == 0
    again = pixels(tmp_path / "again" / "seed0000.png")
    run("render", "images", "--network", network, "--trunc", "0", "--seeds", "5", "-o", tmp_path / "mean")
    average = pixels(tmp_path / "mean" / "seed0005.png")
    assert np.abs(again - pixels(target)).mean() < np.abs(average - pixels(target)).mean() * 2 / 3
    note = read_provenance(tmp_path / "again" / "seed0000.png")
    assert note is not None
    assert list(note.work["inputs"]) == [str(found)]
    status, _, err = run("project", target, *typed)
    assert (status, err) == (1, f"Error: {found} exists; give another name, or --force to overwrite it\n")


def test_a_network_of_no_pictures_is_refused(run: Run, tmp_path: Path) -> None:
    Image.new("RGB", (16, 16)).save(tmp_path / "black.png")
    save_network(tmp_path / "net.safetensors", G_ema=tiny_generator(img_channels=4))
    typed = ("--network", tmp_path / "net.safetensors", "--steps", "3", "-o", tmp_path / "found.npz")
    status, _, err = run("project", tmp_path / "black.png", *typed)
    assert (status, err) == (1, "Error: this network draws 4 channels; only 1 and 3 make a picture\n")


def test_a_projection_that_was_broken_off_is_made_by_the_same_command(
    run: Run, network: Path, tmp_path: Path
) -> None:
    Image.new("RGB", (40, 30), (200, 30, 60)).save(tmp_path / "red.png")
    found, film = tmp_path / "red.npz", tmp_path / "way.mp4"
    typed = ("--network", network, "--steps", "3", "--film", film, "-o", found)
    assert run("project", tmp_path / "red.png", *typed)[0] == 0
    whole = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    found.unlink()  # as a kill, or a full disk, before the last of the three would have it
    assert (
        run("project", tmp_path / "red.png", *typed, "--seed", "1")[0] == 1
    )  # another search's leavings stay
    assert run("project", tmp_path / "red.png", *typed)[0] == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == whole


@pytest.mark.parametrize("name", ["red.npz", "red.comparison.png"])
def test_a_projection_that_came_meanwhile_is_not_replaced(
    run: Run, network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    Image.new("RGB", (40, 30), (200, 30, 60)).save(tmp_path / "red.png")
    search = picture._search

    def search_long(*args: Any) -> Any:
        (tmp_path / name).write_bytes(b"another's")
        return search(*args)

    monkeypatch.setattr(picture, "_search", search_long)
    typed = ("--network", network, "--steps", "1", "-o", tmp_path / "red.npz")
    status, _, err = run("project", tmp_path / "red.png", *typed)
    assert status == 1
    assert err.startswith(f"Error: {tmp_path / name} was made by another process in the meantime; ")
    assert (tmp_path / name).read_bytes() == b"another's"


def test_project_in_w_plus_as_json(run: Run, network: Path, tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), (200, 30, 60)).save(tmp_path / "red.png")
    found = tmp_path / "red.npz"
    typed = ("--network", network, "--space", "w+", "--steps", "5", "--crop", "fit", "--json", "-o", found)
    status, out, _ = run("project", tmp_path / "red.png", *typed)
    assert status == 0
    report = json.loads(out)
    assert report["perception"] in ("discriminator", "lpips")
    assert report["film"] is None
    first = found.read_bytes()
    with np.load(found) as file:
        assert file["ws"].shape == (1, 6, 32)
    run("project", tmp_path / "red.png", *typed, "--force")
    assert found.read_bytes() == first
    target = pixels(tmp_path / "red.comparison.png")[:, :256]
    assert target[:20, 100:150].min() > 240  # what the picture does not fill is white
    assert np.abs(target[128, 128] - [200, 30, 60]).max() <= 1


@pytest.mark.parametrize(
    ("typed", "status", "message"),
    [
        ("project NOWHERE.png -o OUT.npz", 1, "NOWHERE.png: No such file or directory"),
        ("project TEXT -o OUT.npz", 1, "not a picture; project another picture"),
        ("project TEXT -o OUT.png", 1, "latents go to an .npz"),
        ("project TEXT --steps 0 -o OUT.npz", 2, "Invalid value for '--steps'"),
        ("render style-mix --layers x -o OUT.png", 1, "'x' is not a range of layers"),
        ("render style-mix --layers fine --network NET -o OUT.png", 1, "this network has no fine layers"),
        (
            "render images --trunc audio(bass,0..1) --network NET -o OUT",
            1,
            "only a film with --audio FILE has a track",
        ),
        ("render truncation --from nan -o OUT.png", 2, "not finite"),
        ("render images --size 17x16 --network NET -o OUT", 1, "multiples of 4; ask for 16x16"),
        ("render images --size 17 -o OUT", 2, "not a size"),
        ("render images --direction sefa:0*y --network NET -o OUT", 1, "'y' is not a number"),
        ("render images --trunc lfo(x) -o OUT", 2, "takes a shape"),
        ("render images --blend 7@up --network NET -o OUT", 1, "'up' is not a mask"),
        ("render images --latents NOWHERE.npz --network NET -o OUT", 1, "NOWHERE.npz: no such file"),
        ("render latent-walk --path-file NOWHERE.npz -o OUT.mp4", 1, "NOWHERE.npz: no such file"),
    ],
)
def test_mistakes_are_told_in_one_line(
    run: Run, network: Path, tmp_path: Path, typed: str, status: int, message: str
) -> None:
    text = tmp_path / "TEXT"
    text.write_text("<html>no picture</html>")
    out = str(tmp_path / "out" / "work")
    words = [
        word.replace("OUT", out).replace("NET", str(network)).replace("TEXT", str(text))
        for word in typed.split()
    ]
    ended, told, err = run(*words)
    assert (ended, told) == (status, "")
    assert message in err
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("Error: ")
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").rglob("*.*"))
