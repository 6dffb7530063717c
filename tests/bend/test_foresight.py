"""What a recipe's last stage cannot do is reported before its first stage begins."""

from pathlib import Path

import pytest

from bend.errors import RecipeError
from bend.recipe import COMMANDS, read_recipe
from stylegan.checkpoint import save_network
from tests.bend.conftest import Run
from tests.bend.tiny import tiny_generator

TRAINED = """
    [[stage]]
    do = "finetune"
    data = "rocks.zip"
    kimg = 1
    base = "{base}"
"""


def recipe(folder: Path, *stages: str) -> Path:
    (folder / "r.toml").write_text("bend = 1\n" + "\n".join(stages))
    return folder / "r.toml"


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A network of 16 pixels."""
    save_network(tmp_path / "tiny.safetensors", G=tiny_generator(), G_ema=tiny_generator())
    return tmp_path / "tiny.safetensors"


@pytest.mark.parametrize(
    ("do", "options", "told"),
    [
        (
            "render grid",
            'output = "a.gif"',
            "output a.gif: render grid writes no such file; end it with .png",
        ),
        ("render latent-walk", 'output = "a.png"', "end it with .mp4, .webp, .gif, .apng, or a folder"),
        (
            "render plane",
            'x = "trunc=0..1"\ny = "trunc=0..1"\noutput = "a.html"',
            "render plane writes no such file",
        ),
        ("render timeline", 'output = "a.txt"', ".html"),
        ("project", 'picture = "a.png"\noutput = "a.png"', "end it with .npz"),
        (
            "project",
            'picture = "a.png"\noutput = "a.npz"\nfilm = "a.mov"',
            "film a.mov: project writes no such",
        ),
        ("models grow", 'source = "x"\nresolution = 256\noutput = "a.pkl"', "end it with .safetensors"),
        ("models convert", 'source = "x"\noutput = "a.txt"', "end it with .safetensors, .pkl, .pt, .onnx"),
        ("models export", 'source = "x"\nhalf = true\noutput = "a.pkl"', "end it with .safetensors"),
    ],
)
def test_endings(tmp_path: Path, do: str, options: str, told: str) -> None:
    text = f'[[stage]]\ndo = "{do}"\n{options}\n'
    with pytest.raises(RecipeError, match="stage 2: ") as error:
        read_recipe(recipe(tmp_path, TRAINED.format(base="faces64"), text))
    assert told in str(error.value)


@pytest.mark.parametrize("network", ["{finetune}@1", "{recipe}/tiny.safetensors", "{tiny}"])
@pytest.mark.parametrize(
    ("options", "told"),
    [
        ('size = "250x100"', "size 250x100: this network draws multiples of 4; ask for 248x100"),
        ('bend = ["scale:2@b32.conv1"]', "'b32.conv1' is not a place in this network"),
        ('bend = ["scale:2@b8.conv1/channels=0-9999"]', "b8.conv1 has 16 channels, 0 to 15"),
    ],
)
def test_sizes_and_bends_of_known_networks(
    tmp_path: Path, tiny: Path, network: str, options: str, told: str
) -> None:
    text = f'[[stage]]\ndo = "render grid"\nnetwork = "{network.replace("{tiny}", str(tiny))}"\n{options}\n'
    with pytest.raises(RecipeError, match="stage 2: ") as error:
        read_recipe(recipe(tmp_path, TRAINED.format(base=tiny), text + 'output = "a.png"\n'))
    assert told in str(error.value)


def test_a_training_is_bent_where_its_base_can_be(tmp_path: Path, tiny: Path) -> None:
    bent = 'bend = ["scale:2@b32.conv1"]\n'
    with pytest.raises(RecipeError, match=r"stage 1: .*is not a place in this network"):
        read_recipe(recipe(tmp_path, TRAINED.format(base=tiny) + bent))
    again = TRAINED.format(base="{finetune}@1") + bent  # which is the first one's base
    with pytest.raises(RecipeError, match=r"stage 2: .*is not a place in this network"):
        read_recipe(recipe(tmp_path, TRAINED.format(base=tiny), again))


@pytest.mark.parametrize(
    ("base", "network"),
    [("none", "{finetune}"), ("faces64", "grown.safetensors"), ("gone.safetensors", "{finetune}@1")],
)
def test_what_is_not_known_is_left_to_the_stage(tmp_path: Path, base: str, network: str) -> None:
    text = f"""
        [[stage]]
        do = "render grid"
        network = "{network}"
        size = "251x100"
        bend = ["scale:2@b4096.conv1", "scale:2@b8.conv1/cluster=99"]
        output = "a.png"
    """
    assert len(read_recipe(recipe(tmp_path, TRAINED.format(base=base), text)).stages) == 2


@pytest.mark.parametrize("network", ["{recipe}/tiny.safetensors", "{finetune}@1"])
def test_what_an_earlier_stage_writes_anew_is_not_known(tmp_path: Path, tiny: Path, network: str) -> None:
    """For instance where a recipe works in its own folder, and another network is there from before."""
    grown = (
        '[[stage]]\ndo = "models grow"\nsource = "faces64"\nresolution = 128\noutput = "tiny.safetensors"\n'
    )
    text = f'[[stage]]\ndo = "render grid"\nnetwork = "{network}"\nbend = ["scale:2@b32.conv1"]\noutput = "a.png"\n'
    stages = (TRAINED.format(base=tiny), text)
    with pytest.raises(RecipeError, match=r"stage 2: .*not a place in this network"):
        read_recipe(recipe(tmp_path, *stages))
    assert len(read_recipe(recipe(tmp_path, grown, *stages)).stages) == 3


def test_nothing_has_run_when_it_is_told(run: Run, tmp_path: Path) -> None:
    packed = '[[stage]]\ndo = "package"\nsources = ["{sample}"]\nout = "a.zip"\nresolution = 64\n'
    drawn = '[[stage]]\ndo = "render grid"\nsize = "100x100"\noutput = "a.png"\n'  # of faces64
    status, _, err = run("run", recipe(tmp_path, packed, drawn), "-o", tmp_path / "out")
    assert (status, err.count("\n")) == (1, 1)
    assert "stage 2: size 100x100: this network draws multiples of 16; ask for 96x96" in err
    assert not (tmp_path / "out").exists()


def test_commands_are_all_thought_of() -> None:
    known = {"models", "project", "render"}
    others = {"finetune", "package", "roll", "scrape"}  # folders, and .zip by their records
    assert known | others == set(COMMANDS)
