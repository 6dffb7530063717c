"""`bend roll`: a folder of recipes that play, the same from the same seed, and children of two of them."""

import json
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image

from bend.provenance import read_provenance
from bend.recipe import read_recipe
from bend.roll.judge import Verdict
from tests.bend.conftest import Run
from tests.bend.tiny import save_tiny


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("network") / "tiny.safetensors")


def test_a_roll_and_its_children(run: Run, network: Path, tmp_path: Path) -> None:
    first = tmp_path / "first"
    status, stdout, stderr = run("roll", "--network", network, "--n", "5", "-o", first, "--json")
    assert status == 0, stderr
    facts = json.loads(stdout)
    assert facts["num_alive"] == 5
    assert facts["num_thrown"] == 5 + sum(facts["faults"].values())
    assert sorted(path.name for path in first.iterdir()) == [
        "00.toml", "01.toml", "02.toml", "03.toml", "04.toml", "roll.png",
    ]  # fmt: skip
    with Image.open(first / "roll.png") as sheet:
        assert sheet.width == 3 * 128 and sheet.height > 2 * 128
    note = read_provenance(first / "roll.png")
    assert note is not None and note.work["roll"]["seed"] == 0

    again = tmp_path / "again"
    assert run("roll", "--network", network, "--n", "5", "-o", again)[0] == 0
    for path in first.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes(), path.name

    [stage] = read_recipe(first / "02.toml").stages
    assert stage.options["bend"] and stage.options["seeds"] == "0,1,2,3"
    assert run("run", first / "02.toml", "-o", tmp_path / "played")[0] == 0
    assert (tmp_path / "played" / "02.png").exists()

    children = tmp_path / "children"
    parents = (first / "00.toml", first / "03.toml")
    status, stdout, stderr = run(
        "roll", "--network", network, "--n", "4", "--breed", *parents, "-o", children
    )
    assert status == 0, stderr
    assert stdout.startswith(f"{children}: 4 of ")
    # The parents come first, so that a person sees what was bred.
    assert (
        read_recipe(children / "00.toml").stages[0].options["bend"]
        == read_recipe(parents[0]).stages[0].options["bend"]
    )


def test_a_recipe_draws_as_the_sheet_was_drawn(run: Run, tmp_path: Path) -> None:
    network = save_tiny(tmp_path / "tiny.safetensors", c_dim=2)
    look = ("--class", "1", "--noise-mode", "random", "--trunc-cutoff", "2", "--precision", "fp32")
    more = ("--direction", "sefa:0*1.5", "--blend", "7@left", "--size", "32x16", "--extend", "tile")
    status, _, stderr = run("roll", "--network", network, *look, *more, "--n", "1", "-o", tmp_path / "roll")
    assert status == 0, stderr
    status, _, stderr = run("run", tmp_path / "roll" / "00.toml", "-o", tmp_path / "played")
    assert status == 0, stderr
    sheet, played = (
        read_provenance(path) for path in (tmp_path / "roll" / "roll.png", tmp_path / "played" / "00.png")
    )
    assert sheet is not None and played is not None
    dice = ("bend", "trunc")  # which differ by chance
    assert {**played.work["render"], **dict.fromkeys(dice)} == {**sheet.work["render"], **dict.fromkeys(dice)}


def test_children_are_drawn_as_the_first_parent_is(run: Run, tmp_path: Path) -> None:
    network = save_tiny(tmp_path / "tiny.safetensors", c_dim=2)
    look = (
        "--network",
        network,
        "--class",
        "1",
        "--direction",
        "sefa:0*1.5",
        "--size",
        "32x16",
        "--seeds",
        "5",
    )
    status, _, stderr = run("roll", *look, "--n", "2", "-o", tmp_path / "roll")
    assert status == 0, stderr
    breed = ("--breed", tmp_path / "roll" / "00.toml", tmp_path / "roll" / "01.toml", "--n", "3")
    status, _, stderr = run("roll", *breed, "--noise-mode", "none", "--seeds", "6", "-o", tmp_path / "bred")
    assert status == 0, stderr
    parent, child = (
        read_recipe(tmp_path / name).stages[0].options for name in ("roll/00.toml", "bred/02.toml")
    )
    dice = {"bend": ..., "trunc": ..., "output": ...}
    assert {**child, **dice} == {**parent, **dice, "noise_mode": "none", "seeds": "6"}


def test_a_recipe_plays_in_any_folder(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_tiny(Path("tiny.safetensors"))
    np.savez("two.npz", w=np.random.RandomState(0).randn(2, 32))
    words = (
        "--latents",
        "two.npz",
        "--seeds",
        "0-1",
        "--direction",
        "two.npz:1*0.5",
        "--blend",
        "two.npz:1@left",
    )
    status, _, stderr = run("roll", "--network", "tiny.safetensors", *words, "--n", "1", "-o", "roll")
    assert status == 0, stderr
    status, _, stderr = run("run", "roll/00.toml", "-o", "played")
    assert status == 0, stderr


def test_latents_that_are_not_there_are_told_before_the_dice_are_thrown(
    run: Run, network: Path, tmp_path: Path
) -> None:
    np.savez(tmp_path / "one.npz", w=np.zeros([1, 32]))
    words = ("--network", network, "--latents", tmp_path / "one.npz", "--n", "1", "-o", tmp_path / "roll")
    with patch("bend.roll.rolling.Judge") as judge:
        status, _, stderr = run("roll", *words)
    assert (status, "--seeds 1: --latents holds 1 latents" in stderr, judge.called) == (1, True, False)


def test_what_lives_is_kept_when_a_roll_is_interrupted(run: Run, network: Path, tmp_path: Path) -> None:
    verdicts = iter([Verdict(distance=1, diversity=1)] * 2)

    def judge(*_: object) -> Verdict:
        try:
            return next(verdicts)
        except StopIteration:
            raise KeyboardInterrupt from None

    with patch("bend.roll.rolling.Judge.judge", judge):
        status, _, _ = run("roll", "--network", network, "--n", "5", "-o", tmp_path / "roll")
    assert status == 130
    assert sorted(path.name for path in (tmp_path / "roll").iterdir()) == ["00.toml", "01.toml", "roll.png"]


def test_what_is_there_stays(run: Run, network: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "roll.png"
    sheet.write_text("mine")
    status, _, stderr = run("roll", "--network", network, "--n", "1", "-o", tmp_path)
    assert (status, stderr) == (1, f"Error: {sheet} exists; give another name, or --force to overwrite it\n")
    assert sheet.read_text() == "mine"
    (tmp_path / "07.toml").touch()
    (tmp_path / "mine.toml").touch()
    assert run("roll", "--network", network, "--n", "1", "-o", tmp_path, "--force")[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00.toml", "mine.toml", "roll.png"]


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        (("--n", "0"), 2, "--n 0 is out of range"),
        (("--n", "2000"), 2, "1 to 1000"),
        (("--breed", "a.toml", "b.toml"), 1, "a.toml"),
        (("--breed", "a.toml"), 2, "takes two recipes; name another after a.toml"),
        (("--bend", "invert@b8.conv0"), 2, "No such option"),
        (("--trunc", "0.5"), 2, "No such option"),
    ],
)
def test_refusals(
    run: Run, network: Path, tmp_path: Path, options: tuple[str, ...], status: int, says: str
) -> None:
    found, _, stderr = run("roll", "--network", network, *options, "-o", tmp_path / "out")
    assert (found, says in stderr) == (status, True)
    assert not (tmp_path / "out").exists()


def test_recipes_without_bends_cannot_be_bred(run: Run, network: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.toml"
    plain.write_text('bend = 1\n[[stage]]\ndo = "render grid"\noutput = "a.png"\n')
    status, _, stderr = run("roll", "--network", network, "--breed", plain, plain, "-o", tmp_path / "out")
    assert (status, "no stage of it bends anything" in stderr) == (1, True)
