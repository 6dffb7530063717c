"""Recipes: what they are read as, what is refused and in which words, and that writing reverses reading."""

import dataclasses
from pathlib import Path

import pytest

from bend.config import RenderConfig
from bend.errors import RecipeError
from bend.recipe import Recipe, Stage, options_of, read_recipe, write_recipe

CONVERT = "[[stage]]\ndo = 'models convert'"
PLACES = {"sample": "/photos", "recipe": "/here", "finetune": "runs/0"}


def recipe(folder: Path, text: str) -> Path:
    path = folder / "r.toml"
    path.write_text(text, "utf-8")
    return path


def stage(folder: Path, text: str) -> Stage:
    [only] = read_recipe(recipe(folder, f"bend = 1\n[[stage]]\n{text}")).stages
    return only


def test_a_stage_is_what_would_be_typed(tmp_path: Path) -> None:
    found = stage(
        tmp_path,
        'do = "package"\nsources = ["{sample}", "{recipe}/more"]\nout = "a.zip"\nresolution = 64\n'
        'labels-from-folders = true\nsplit = ["test:0.1"]\n',
    )
    assert found.arguments(PLACES) == [
        "--out", "a.zip", "--resolution", "64", "--labels-from-folders", "--split", "test:0.1",
        "--", "/photos", "/here/more",
    ]  # fmt: skip


def test_lists_become_commas_or_repeats(tmp_path: Path) -> None:
    found = stage(
        tmp_path, 'do = "render grid"\nseeds = [1, 2]\nnetwork = "{finetune}@1"\noutput = "a.png"\n'
    )
    assert found.arguments(PLACES) == ["--seeds", "1,2", "--network", "runs/0@1", "--output", "a.png"]


def test_positional_words_stand_as_the_command_has_them(tmp_path: Path) -> None:
    found = stage(tmp_path, 'do = "models convert"\noutput = "a.pt"\nsource = "faces64"\n')
    assert found.arguments(PLACES) == ["--", "faces64", "a.pt"]


def test_false_is_as_if_left_out(tmp_path: Path) -> None:
    found = stage(tmp_path, 'do = "render latent-walk"\noutput = "a.mp4"\nloop = false\n')
    assert found.arguments(PLACES) == ["--output", "a.mp4"]


def test_written_and_read_back(tmp_path: Path) -> None:
    wrote = Recipe(
        title='Rocks "into" faces',
        stages=(
            Stage(do="package", options={"sources": ["a", "b\\c"], "out": "é.zip", "resolution": 64}),
            Stage(do="finetune", options={"data": "é.zip", "kimg": 0.5, "mirror": True}),
            Stage(do="render latent-walk", options={"seeds": "0-7", "output": "w.mp4", "seconds": 2.5}),
        ),
    )
    write_recipe(tmp_path / "r.toml", wrote)
    assert read_recipe(tmp_path / "r.toml") == wrote


def test_a_stage_tells_all_of_how_pictures_are_drawn(tmp_path: Path) -> None:
    """Every field of the record, at another value than the usual one."""
    config = RenderConfig(
        network="other", weights="raw", trunc="lfo(sine,0..1,4s)", trunc_cutoff=3, noise_mode="none", class_index=1,
        scale=2, scale_filter="lanczos", device="cpu", precision="fp32", batch=4, latents=("a.npz", "b.npz"),
        direction=("sefa:0*1",), size=(64, 32), extend="tile", bend=("invert@b8.conv0",), blend=("7@left",),
        kimg="0s:0,1s:2", dial_from="base", dial="0.5",
    )  # fmt: skip
    fields = dataclasses.fields(RenderConfig)
    assert all(getattr(config, field.name) != field.default for field in fields)
    options = options_of(config)
    assert {field.name for field in fields} - options.keys() == {"device", "batch"}
    write_recipe(
        tmp_path / "r.toml", Recipe(stages=(Stage(do="render grid", options={**options, "output": "a.png"}),))
    )
    [told] = read_recipe(tmp_path / "r.toml").stages
    given = told.command().make_context("grid", told.arguments(PLACES)).params
    where = {"device": config.device, "batch": config.batch}
    assert RenderConfig(**{field.name: given[field.name] for field in fields} | where) == config
    assert options_of(RenderConfig()) == {"network": RenderConfig().network}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no `bend = 1`"),
        ("bend = 2\n[[stage]]\ndo = 'package'", "reads version 1; update bend"),
        ("bend = true\n[[stage]]\ndo = 'package'", "reads version 1; update bend"),
        ("bend = 1", r"no stages; write \[\[stage\]\]"),
        ("bend = 1\nstage = 3", "no stages"),
        ("bend = 1\ntitel = 'x'", "'titel' is unknown; did you mean title"),
        ("bend = 1\ntitle = 3\n[[stage]]\ndo = 'package'", "title: give a text"),
        ("bend =", "is not TOML"),
        ("bend = 1\nx = " + "[" * 3000, "is not TOML"),
        ("bend = 1\n[[stage]]", "stage 1: do: give a command"),
        ("bend = 1\n[[stage]]\ndo = 'rendr grid'", "stage 1: do: 'rendr' is unknown; did you mean render"),
        ("bend = 1\n[[stage]]\ndo = 'demo'", "'demo' is unknown; choose from scrape"),
        ("bend = 1\n[[stage]]\ndo = 'render'", "say which: images, grid"),
        ("bend = 1\n[[stage]]\ndo = 'render gird'", "did you mean grid"),
        ("bend = 1\n[[stage]]\ndo = 'render grid x'", "'x' is one word too many"),
        ("bend = 1\n[[stage]]\ndo = 'render grid'\nseed = '0'", "'seed' is unknown; did you mean seeds"),
        ("bend = 1\n[[stage]]\ndo = 'render grid'\nforce = true", "'force' is unknown"),
        ("bend = 1\n[[stage]]\ndo = 'render grid'\noutput = 'a.png'\nseeds = '4-1'", "seeds: .*runs backwards"),
        ("bend = 1\n[[stage]]\ndo = 'render grid'\noutput = 'a.png'\nscale = 'big'", "scale: 'big' is not"),
        ("bend = 1\n[[stage]]\ndo = 'render grid'\noutput = 'a.png'\nscale = {a = 1}", "scale: give a text, a number"),
        ("bend = 1\n[[stage]]\ndo = 'render grid'", "output: is missing"),
        ("bend = 1\n[[stage]]\ndo = 'render latent-walk'\noutput = 'a.mp4'\nseconds = -1", "seconds"),
        ("bend = 1\n[[stage]]\ndo = 'finetune'\ndata = 'a.zip'\nkimg = -3", "kimg"),
        ("bend = 1\n[[stage]]\ndo = 'finetune'\ndata = 'a.zip'", "stage 1: kimg: is missing; a training needs"),
        ("bend = 1\n[[stage]]\ndo = 'finetune'\nkimg = 1", "stage 1: data: is missing; a training needs"),
        (f"bend = 1\n{CONVERT}\noutput = ['faces64', '/tmp/a.pt']", "output: 2 values; give 1"),
        (f"bend = 1\n{CONVERT}\nsource = []\noutput = 'a.pt'", "source: 0 values; give 1"),
        ("bend = 1\n[[stage]]\ndo = 'render latent-walk'\noutput = 'a.mp4'\nloop = 'x'", "loop: give true or false"),
        (f"bend = 1\n{CONVERT}\nsource = 'faces64'\noutput = true", "output: give a value, not a switch"),
        (
            "bend = 1\n[[stage]]\ndo = 'roll'\noutput = 'a'\nbreed = ['a.toml', 'b.toml', '-o', '/tmp/a']",
            "breed: 4 values; give 2",
        ),
    ],
)  # fmt: skip
def test_refusals_name_the_key(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(RecipeError, match=says) as refused:
        read_recipe(recipe(tmp_path, text))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('do = "finetune"\ndata = "a.zip"\nkimg = 1\nbend = "fold"', "bend: .*does not say where"),
        ('do = "render grid"\nbend = ["fold@b8.*", "rotate:x@b8.*"]', "bend: .*'x' is not a number"),
        ('do = "render grid"\nblend = "9@up"', "blend: 'up' is not a mask"),
        ('do = "render grid"\ndirection = "pca:0*x"', "direction: 'x' is not a number"),
        ('do = "render grid"\ndial_from = "faces64"\ndial = "x"', "dial: 'x' is not a number"),
        ('do = "render plane"\ny = "kim"', "y: 'kim' is not an axis; the nearest is kimg"),
        ('do = "render style-mix"\nlayers = "thin"', "layers: 'thin' is not a range"),
        ('do = "render dial"\nfrom = "a"\nto = "b"\namount = "0..x"', "amount: .*'x' is not a number"),
        ('do = "models mix"\nfrom = "a"\nto = "b"\namount = "b4=x"', "amount: 'x' is not a number"),
    ],
)
def test_texts_are_read_before_the_first_stage_runs(tmp_path: Path, text: str, says: str) -> None:
    output = "" if "finetune" in text else 'output = "a.png"\n'
    with pytest.raises(RecipeError, match=f"stage 1: {says}"):
        stage(tmp_path, f"{text}\n{output}")


def test_files_that_texts_name_lie_beside_the_recipe_or_are_yet_to_come(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text("transforms:\n- {layer: 4, transform: fold, params: []}\n")
    text = 'do = "render grid"\noutput = "a.png"\n'
    with pytest.raises(RecipeError, match=r"t\.yaml: transform 1: 'fold' is unknown"):
        stage(tmp_path, text + 'bend = "{recipe}/t.yaml"\n')
    stage(tmp_path, text + 'bend = "fold@b8.*/mask=image:later.png"\nblend = "9@later.png"\n')


def test_the_mark_that_windows_puts_before_utf_8_is_no_part_of_a_recipe(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text("bend = 1\n[[stage]]\ndo = 'render grid'\noutput = 'a.png'\n", "utf-8-sig")
    assert [stage.do for stage in read_recipe(path).stages] == ["render grid"]


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_bytes(b"\xff\xfe bend")
    with pytest.raises(RecipeError, match="is not TOML: not text in UTF-8; save it as UTF-8"):
        read_recipe(path)
    path.write_bytes(b"#" * (1 << 24) + b"\n")
    with pytest.raises(RecipeError, match="more than 16 megabytes"):
        read_recipe(path)
    with pytest.raises(RecipeError, match="is a folder"):
        read_recipe(tmp_path)


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[2] / "datasets").glob("*.toml")), ids=lambda path: path.stem
)
def test_the_recipes_of_the_embedded_networks_are_valid(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.title.startswith(path.stem)
    assert recipe.stages[-1].do == "finetune"
    assert (
        "models grow" in {stage.do for stage in recipe.stages} or recipe.stages[-1].options["base"] == "none"
    )
