"""`bend run`: stages run in order and once, and go on after an interruption."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from PIL import Image

from bend import recipe as recipes
from bend.errors import RecipeError
from bend.options.stored import StoreCommand
from bend.pipeline import run_recipe
from bend.recipe import COMMANDS, Recipe, Stage
from stylegan.checkpoint import save_network
from tests.bend.conftest import Run
from tests.bend.tiny import tiny_generator

pytestmark = pytest.mark.usefixtures("few_fakes")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A tiny generator without a discriminator."""
    save_network(tmp_path / "base.safetensors", G_ema=tiny_generator())
    return tmp_path / "base.safetensors"


def chain(base: Path, kimg: float = 0.016, seeds: str = "0-1") -> str:
    return f"""
        bend = 1
        [[stage]]
        do = "package"
        sources = ["{{sample}}"]
        out = "rocks.zip"
        resolution = 16
        max-images = 8
        [[stage]]
        do = "finetune"
        data = "rocks.zip"
        base = "{base}"
        kimg = {kimg}
        batch = 8
        snapshots = "0"
        [[stage]]
        do = "render grid"
        network = "{{finetune}}"
        seeds = "{seeds}"
        output = "grid.png"
    """


def test_the_chain_runs_once_and_again_from_what_changed(run: Run, tmp_path: Path, base: Path) -> None:
    recipe, out = tmp_path / "r.toml", tmp_path / "out"
    recipe.write_text(chain(base))
    assert (
        run("run", recipe, "-o", out, "--dry-run")[1]
        .splitlines()[0]
        .startswith("package: sources = ['{sample}']")
    )
    assert not out.exists()
    status, stdout, stderr = run("run", recipe, "-o", out)
    assert status == 0, stderr
    assert stdout.splitlines()[-1] == f"{out}: 3 stages done, 0 of them earlier"
    first = (out / "grid.png").read_bytes()
    status, stdout, _ = run("run", recipe, "-o", out, "--json")
    assert [stage["skipped"] for stage in json.loads(stdout)] == [True, True, True]
    (out / "grid.png").unlink()
    assert run("run", recipe, "-o", out)[1].splitlines()[-1].endswith("2 of them earlier")
    assert (out / "grid.png").read_bytes() == first
    recipe.write_text(chain(base, seeds="2-3"))
    status, _, stderr = run("run", recipe, "-o", out)
    assert (status, stderr.splitlines()[-1].split(";")[0]) == (1, "Error: grid.png exists")
    assert (out / "grid.png").read_bytes() == first
    assert run("run", recipe, "-o", out, "--force")[0] == 0
    assert (out / "grid.png").read_bytes() != first


def test_what_failed_is_told_and_what_was_done_is_kept(run: Run, tmp_path: Path, base: Path) -> None:
    recipe, out = tmp_path / "r.toml", tmp_path / "out"
    recipe.write_text(chain(tmp_path / "gone.safetensors"))
    status, _, stderr = run("run", recipe, "-o", out)
    assert status == 1
    assert "gone.safetensors: no such network" in stderr.splitlines()[-1]
    recipe.write_text(chain(base))
    assert run("run", recipe, "-o", out)[1].splitlines()[-1].endswith("1 of them earlier")


def test_an_interrupted_training_is_resumed(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words: list[list[str]] = []
    monkeypatch.setattr(Stage, "run", lambda self, typed, command_line=None: words.append(list(typed)))
    stage = Stage(do="finetune", options={"data": "a.zip", "kimg": 1})
    [first] = run_recipe(Recipe(stages=(stage,)), tmp_path / "out", beside=tmp_path)
    assert first.output is not None
    run_folder = tmp_path / "out" / first.output / "00000-a-faces64"
    run_folder.mkdir(parents=True)
    (run_folder / "state-latest.pt").touch()
    (tmp_path / "out" / ".bend-run.json").write_text("{damaged")
    list(run_recipe(Recipe(stages=(stage,)), tmp_path / "out", beside=tmp_path))
    assert words[0][:2] == ["--data", "a.zip"]
    assert words[1] == ["--resume", "latest", "--out", str(first.output)]


def test_a_training_may_start_from_the_one_before(run: Run, tmp_path: Path, base: Path) -> None:
    recipe, out = tmp_path / "r.toml", tmp_path / "out"
    first, _, last = chain(base).rpartition("[[stage]]")
    again = '[[stage]]\ndo = "finetune"\nbase = "{finetune}"\ndata = "rocks.zip"\nkimg = 0.008\nbatch = 8\n'
    recipe.write_text(f"{first}{again}[[stage]]{last}")
    status, _, stderr = run("run", recipe, "-o", out)
    assert status == 0, stderr
    [one] = out.glob("runs/*/00000-rocks-base")
    [other] = {path.parent for path in out.glob("runs/*/*/log.txt")} - {one}
    options = json.loads((other / "training_options.json").read_text())
    assert str(one.relative_to(out)) in json.dumps(options)
    assert run("run", recipe, "-o", out)[1].splitlines()[-1].endswith("4 of them earlier")
    shutil.rmtree(one)
    told = f"folder {one.parent.relative_to(out)} is empty; delete it, then run the recipe again"
    assert told in run("run", recipe, "-o", out)[2]


def test_a_run_that_is_not_there_is_told_before_anything_is_done(
    run: Run, tmp_path: Path, base: Path
) -> None:
    recipe = tmp_path / "r.toml"
    package, _, rest = chain(base).partition('[[stage]]\n        do = "finetune"')
    recipe.write_text(package + rest[rest.index("[[stage]]") :])
    for dry_run in ([], ["--dry-run"]):
        status, _, stderr = run("run", recipe, "-o", tmp_path / "out", *dry_run)
        told = "stage 2: render grid: {finetune} stands for a training, and no finetune stage comes before"
        assert (status, told in stderr) == (1, True)
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").touch()
    assert run("run", recipe, "-o", tmp_path / "file")[0] == 1


@pytest.mark.parametrize(("do", "name"), [("render grid", "output"), ("package", "out"), ("finetune", "out")])
def test_outputs_stay_in_the_folder(do: str, name: str, tmp_path: Path) -> None:
    first = Stage(do="render grid", options={"output": "grid.png"})
    recipe = Recipe(title="x", stages=(first, Stage(do=do, options={name: "s3://bucket/x"})))
    with pytest.raises(RecipeError, match=f"{do}: {name} is an address; a recipe works in its folder"):
        list(run_recipe(recipe, tmp_path / "out", beside=tmp_path))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("stage", "told"),
    [
        ('do = "render grid"\noutput = "../a.png"', "render grid: output ../a.png"),
        ('do = "render grid"\noutput = "a/../../out2/a.png"', "render grid: output a/../../out2/a.png"),
        ('do = "render grid"\noutput = "{tmp}/out2/a.png"', "render grid: output {tmp}/out2/a.png"),
        ('do = "render grid"\noutput = "{recipe}/a.png"', "render grid: output {tmp}/a.png"),
        (
            'do = "finetune"\ndata = "a.zip"\nkimg = 1\n'
            '[[stage]]\ndo = "render grid"\noutput = "{finetune}/../../../a.png"',
            "render grid: output runs/a-run/",
        ),
        ('do = "roll"\noutput = ".."', "roll: output .."),
        ('do = "package"\nsources = ["x"]\nresolution = 64\nout = "/etc/a.zip"', "package: out /etc/a.zip"),
        ('do = "finetune"\ndata = "a.zip"\nkimg = 1\nout = "../runs"', "finetune: out ../runs"),
        ('do = "models convert"\nsource = "faces64"\noutput = "../a.pkl"', "models convert: output ../a.pkl"),
        (
            'do = "scrape"\nqueries = ["a"]\nout = "a"\nzip = "../a.zip"\nresolution = 64',
            "scrape: zip_path ../a.zip",
        ),
        (
            'do = "project"\npicture = "a.png"\noutput = "a.npz"\nfilm = "../a.mp4"',
            "project: film ../a.mp4",
        ),
    ],
)
def test_a_strangers_recipe_writes_nowhere_else(run: Run, tmp_path: Path, stage: str, told: str) -> None:
    recipe, out = tmp_path / "r.toml", tmp_path / "out"
    stage, told = (text.replace("{tmp}", str(tmp_path)) for text in (stage, told))
    recipe.write_text(f"bend = 1\n[[stage]]\n{stage}\n")
    for words in ([], ["--dry-run"]):
        status, _, err = run("run", recipe, "-o", out, *words)
        assert (status, err.count("\n")) == (1, 1), err
        assert err.startswith(f"Error: stage {stage.count('do = ')}: {told}")
        assert f"is not in {out}" in err
        assert list(tmp_path.iterdir()) == [recipe]
    assert run("run", recipe, "-o", out, "--dry-run", "--allow-outside")[0] == 0


def test_no_two_stages_make_one_file(run: Run, tmp_path: Path, base: Path) -> None:
    recipe, out = tmp_path / "r.toml", tmp_path / "out"
    stage = f'[[stage]]\ndo = "render grid"\nnetwork = "{base}"\nseeds = "0-1"\noutput = "%s"\n'
    recipe.write_text("bend = 1\n" + stage % "a.png" + stage % "b.png" + stage % "./c/../a.png")
    status, _, err = run("run", recipe, "-o", out)
    assert (status, err) == (
        1,
        "Error: stage 3: render grid: output ./c/../a.png is what stage 1 makes; name another file\n",
    )
    assert not out.exists()


def test_what_is_trusted_may_write_elsewhere(run: Run, tmp_path: Path, base: Path) -> None:
    recipe, out = tmp_path / "r.toml", tmp_path / "out"
    text = f'bend = 1\n[[stage]]\ndo = "render grid"\nnetwork = "{base}"\nseeds = "0-1"\noutput = "%s"\n'
    recipe.write_text(text % "{recipe}/a.png")
    assert run("run", recipe, "-o", out, "--allow-outside")[0] == 0
    assert (tmp_path / "a.png").exists()
    assert "1 of them earlier" in run("run", recipe, "-o", out, "--allow-outside")[1]
    for inside in (f"{out}/b.png", "./c/../c.png"):  # however they are written
        recipe.write_text(text % inside)
        assert run("run", recipe, "-o", out)[0] == 0
    assert {path.name for path in out.iterdir()} >= {"b.png", "c.png"}


def test_every_output_of_every_command_is_known() -> None:
    def commands(words: list[str]) -> Iterator[tuple[list[str], click.Command]]:
        command = recipes._descend(words)
        if not isinstance(command, click.Group):
            yield words, command
            return
        for name in command.list_commands(click.Context(command)):
            yield from commands([*words, name])

    read = {"sources", "file", "source", "base", "bents", "picture", "network", "dial_from", "latents"}
    read |= {"path_file", "delta_from", "audio", "data", "resume"}
    for name in COMMANDS:
        for words, command in commands([name]):
            roles = command.roles if isinstance(command, StoreCommand) else {}
            for param in command.params:
                if isinstance(param.type, click.Path) or roles.get(param.name or "") == "output":
                    assert (param.name in recipes._OUTPUTS) != (param.name in read), (words, param.name)


def test_a_network_is_grown_within_a_chain(run: Run, tmp_path: Path, base: Path) -> None:
    recipe, out = tmp_path / "r.toml", tmp_path / "out"
    recipe.write_text(f"""
        bend = 1
        [[stage]]
        do = "models grow"
        source = "{base}"
        resolution = 32
        output = "grown.safetensors"
        [[stage]]
        do = "render grid"
        network = "grown.safetensors"
        grid = "2x1"
        output = "grid.png"
    """)
    status, stdout, stderr = run("run", recipe, "-o", out, "--json")
    assert status == 0, stderr
    assert [stage["skipped"] for stage in json.loads(stdout)] == [False, False]
    with Image.open(out / "grid.png") as sheet:
        assert sheet.size == (64, 32)
    assert [stage["skipped"] for stage in json.loads(run("run", recipe, "-o", out, "--json")[1])] == [
        True,
        True,
    ]
