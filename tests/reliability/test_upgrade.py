"""Files of every released format version open, and go on; those of a later one say what to do.

`formats/VERSION/` holds what that release wrote: a run with its state, a run of deltas, a data set, a recipe, a scrape
and a rendered picture. A release that changes a format adds a folder; nothing in an older one is ever touched.
"""

import shutil
from pathlib import Path

import pytest
import torch

from bend.provenance import read_provenance
from bend.recipe import read_recipe
from scrapers.manifest import read_manifest
from stylegan.archive import DatasetZip, check_archive
from stylegan.checkpoint import list_snapshots, load_network
from tests.reliability.conftest import Bench
from tests.stylegan.checkpoint.crafted import craft

FORMATS = Path(__file__).with_name("formats")
VERSIONS = sorted(path.name for path in FORMATS.iterdir())


@pytest.fixture(params=VERSIONS)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of what a release wrote."""
    return Path(shutil.copytree(FORMATS / request.param, tmp_path / "old"))


def test_a_data_set_opens(old: Path) -> None:
    assert check_archive(old / "rocks.zip") == []
    data = DatasetZip(old / "rocks.zip")
    assert (len(data), data.resolution, data.label_dim) == (4, 8, 2)


@pytest.mark.parametrize("run", ["run", "deltas"])
def test_snapshots_open_and_draw(old: Path, run: str) -> None:
    snapshots = list_snapshots(old / run)
    assert len(snapshots) >= 2
    for _, path in snapshots:
        G = load_network(path).G_ema
        assert G is not None
        picture = G(torch.zeros([1, G.z_dim]), torch.eye(G.c_dim)[:1], noise_mode="const")
        assert picture.shape == (1, 3, 8, 8)
        assert torch.isfinite(picture).all()


def test_the_manifest_of_a_scrape_opens(old: Path) -> None:
    kept = [entry for entry in read_manifest(old / "scrape" / "manifest.jsonl") if entry.is_kept]
    assert [(old / "scrape" / str(entry.file)).exists() for entry in kept] == [True, True]


def test_a_recipe_opens(old: Path) -> None:
    stages = read_recipe(old / "recipe.toml").stages
    assert [stage.do for stage in stages] == ["package", "finetune", "render grid"]


def test_a_picture_tells_how_it_was_made(old: Path) -> None:
    note = read_provenance(old / "picture.png")
    assert note is not None
    assert note.work["seed"] == 1


@pytest.mark.slow
def test_a_run_goes_on(bench: Bench, old: Path) -> None:
    words = ["--data", "rocks.zip", "--kimg", "0.012", "--device", "cpu"]
    ended = bench.zygote.run("finetune", "--resume", "run", *words, folder=old)
    assert ended.status == 0, ended
    assert list_snapshots(old / "run")[-1][0] == 0.012
    assert torch.load(old / "run" / "state-latest.pt", weights_only=True)["cur_nimg"] == 12


@pytest.mark.slow
def test_what_a_later_release_wrote_says_so(bench: Bench, old: Path) -> None:
    snapshot = list_snapshots(old / "run")[-1][1]
    craft(snapshot, old / "later.safetensors", format_version="99")
    (old / "later.toml").write_text((old / "recipe.toml").read_text().replace("bend = 1", "bend = 99"))
    state = torch.load(old / "run" / "state-latest.pt", weights_only=True)
    for name in ("state-latest.pt", "state-previous.pt"):
        torch.save(state | {"version": 99}, old / "run" / name)
    for words in (
        ["info", "later.safetensors"],
        ["run", "later.toml", "-o", "out"],
        ["finetune", "--resume", "run", "--data", "rocks.zip", "--device", "cpu"],
    ):
        ended = bench.zygote.run(*words, folder=old)
        assert ended.status == 1, ended
        assert "update bend" in ended.err, ended.err
