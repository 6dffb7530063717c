"""What a work is made of: settings, weights, and every file that decides its pixels."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bend.config import FilmConfig, RenderConfig, WalkConfig
from bend.errors import SettingsError
from bend.provenance import Provenance, weights_sha256
from bend.renders.dial import DialConfig
from bend.work import describe
from tests.bend.conftest import Run
from tests.bend.runs import save_snapshot
from tests.bend.tiny import save_tiny, tiny_generator


def test_it_holds_what_decides_the_pixels() -> None:
    G = tiny_generator()
    config = RenderConfig(network="x", trunc=0.5, device="cpu", batch=3)
    described = describe("latent-walk", config, G, "bend render", seeds=[0, 1], walk=WalkConfig(grid=(2, 1)))
    work = json.loads(described.to_json())["work"]
    assert work["render"]["trunc"] == 0.5
    assert work["walk"]["grid"] == [2, 1]
    assert work["seeds"] == [0, 1]
    assert not {"device", "batch", "network"} & set(work["render"])
    assert "inputs" not in work
    assert described.network_sha256 == weights_sha256(G)


SETTINGS: dict[str, Callable[[str], dict[str, Any]]] = {
    "latents.npz": lambda file: {"latents": (file,)},
    "smile.npz": lambda file: {"direction": (f"{file}:0*lfo(sine,0..1,4s)@0-3",)},
    "mask.png": lambda file: {"bend": (f"invert@b8.conv0/mask=~image:{file}/mix=.5",)},
    "face.npz": lambda file: {"blend": (f"{file}:2@left/soft=0",)},
    "area.png": lambda file: {"blend": (f"7@{file}/soft=0",)},
    "base.safetensors": lambda file: {"dial_from": file, "dial": "0s:0,1s:1"},
}
DETAILS: dict[str, Callable[[str], dict[str, Any]]] = {
    "track.wav": lambda file: {"film": FilmConfig(audio=file)},
    "path.npz": lambda file: {"walk": WalkConfig(path_file=file)},
    "other.safetensors": lambda file: {"others": DialConfig(base="faces64", others=(file,)).networks},
}


def write(path: Path, grey: int) -> None:
    """A file of the kind that its name says, different for each grey."""
    if path.suffix == ".png":
        Image.new("L", (4, 4), grey).save(path)
    else:
        path.write_bytes(bytes([grey]))


@pytest.mark.parametrize("name", [*SETTINGS, *DETAILS])
def test_the_contents_of_every_file_are_of_the_work(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    config = RenderConfig(**SETTINGS[name](str(file))) if name in SETTINGS else RenderConfig()
    details = DETAILS[name](str(file)) if name in DETAILS else {}

    def work() -> Provenance:
        return describe("images", config, tiny_generator(), **details)

    write(file, 1)
    before = work()
    assert before.same_work(work())
    assert len(before.work["inputs"][str(file)]) == 64
    write(file, 2)
    assert not before.same_work(work())


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (RenderConfig(direction=("sefa:0*x",)), r"--direction sefa:0\*x: 'x' is not a number"),
        (RenderConfig(blend=("9@left/mix=x",)), "--blend 9@left/mix=x: 'x' is not a number"),
    ],
)
def test_a_slip_is_told_with_its_option(config: RenderConfig, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        describe("images", config, tiny_generator())


def test_so_are_the_snapshots_that_training_time_passes(tmp_path: Path) -> None:
    for kimg in range(5):
        save_snapshot(tmp_path, kimg, tiny_generator(seed=kimg))
    G = tiny_generator()

    def work(kimg: str) -> Provenance:
        return describe("images", RenderConfig(network=str(tmp_path), kimg=kimg), G)

    before, elsewhere = work("0s:1.5,9s:2.5"), work("0s:3,9s:4")
    assert sorted(Path(name).name for name in before.work["inputs"]) == [
        "snapshot-000001.000.safetensors",
        "snapshot-000002.000.safetensors",
        "snapshot-000003.000.safetensors",
    ]
    save_snapshot(tmp_path, 2, tiny_generator(seed=9))
    assert not before.same_work(work("0s:1.5,9s:2.5"))
    assert elsewhere.same_work(work("0s:3,9s:4"))
    assert (
        len(work("9").work["inputs"]) == len(work("-1").work["inputs"]) == len(work("1").work["inputs"]) == 1
    )


def test_pictures_under_an_edited_mask_are_no_longer_there(run: Run, tmp_path: Path) -> None:
    network, mask, out = save_tiny(tmp_path / "tiny.safetensors"), tmp_path / "mask.png", tmp_path / "out"
    Image.new("L", (4, 4), 0).save(mask)
    typed = ("--network", network, "--seeds", "0", "--bend", f"invert@b8.conv0/mask=image:{mask}", "-o", out)
    assert run("render", "images", *typed)[1] == f"{out}: 1 picture, 16×16\n"
    assert "1 already there" in run("render", "images", *typed)[1]
    Image.new("L", (4, 4), 255).save(mask)
    status, _, stderr = run("render", "images", *typed)
    assert (status, "--force to overwrite it" in stderr) == (1, True)
