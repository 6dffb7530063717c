"""What is on the shelf, by name; and that a page can give nothing but names."""

import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
from click.testing import CliRunner

from bend.cli import bend
from bend.errors import SettingsError
from bend.studio import training
from bend.studio.config import StudioConfig
from bend.studio.jobs import Jobs
from bend.studio.shelf import BUNDLED, Shelf
from stylegan.run_names import snapshot_name
from tests.bend.runs import write_run

TRICKS = ["..", "../..", "/etc", "00000-rocks-tiny/..", "", ".", "%2e%2e", "\0", "rocks.zip", "~"]

SCORE = (
    '{"settings": {"num_seeds": 1, "num_pictures": 1, "judge": "", "data_hash": ""}, "away": 1, "snapshots":'
    ' [{"kimg": 0, "weights": "ema", "d0": %s, "d0_se": 0, "d1": 0, "d1_se": 0, "diversity": 1, "diversity_se": 0}]}'
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run to make copies of."""
    return write_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def shelf(tmp_path: Path, made: Path) -> Shelf:
    shutil.copytree(made.parent, tmp_path / "runs")
    (tmp_path / "runs" / "secret.png").write_bytes(b"no")
    return Shelf(StudioConfig(runs=tmp_path / "runs", out=tmp_path / "studio"))


def test_runs_stand_beside_the_embedded_network(shelf: Shelf) -> None:
    names = [standing.name for standing in shelf.standing()]
    assert names == ["faces64", "run:00000-rocks-tiny"]
    assert shelf.first == "faces64"
    (run,) = shelf.runs()
    assert run["moments"] == [0, 0.25, 0.5, 1, 2, 4]
    assert run["kimg"] == 4
    assert run["data"] == "rocks.zip"
    assert not run["can_resume"]


def test_a_run_given_as_the_network_is_found_among_the_runs(tmp_path: Path) -> None:
    run = write_run(tmp_path / "runs")
    shelf = Shelf(StudioConfig(runs=tmp_path / "runs", network=str(run), out=tmp_path / "studio"))
    assert shelf.first == "run:00000-rocks-tiny"
    assert shelf.find(shelf.first).network == str(run)


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a/net.pt", "b/net.pt", "b/other.pt", "a/data.zip", "x/data.zip")]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    a, b, other = map(str, paths[:3])
    config = StudioConfig(
        runs=tmp_path / "runs",
        out=tmp_path / "studio",
        network=b,
        networks=(a, b, other),
        data=tuple(paths[3:]),
    )
    shelf = Shelf(config)
    assert {standing.name: standing.network for standing in shelf.standing()} == {
        "faces64": "faces64",
        "a/net.pt": a,
        "b/net.pt": b,
        "other.pt": other,
    }
    assert shelf.first == "b/net.pt"
    assert shelf.data_sets() == {BUNDLED: None, "a/data.zip": paths[3], "x/data.zip": paths[4]}


@pytest.mark.parametrize(
    ("base", "found"),
    [
        ("faces64", "faces64"),
        ("{parent}/net.pt", "net.pt"),
        ("{parent}/runs/00001-more", "run:00001-more"),
        ("{parent}/elsewhere/net.pt", None),
        ("none", None),
    ],
)
def test_a_run_knows_its_base_where_that_is_on_the_shelf(
    tmp_path: Path, base: str, found: str | None
) -> None:
    run = write_run(tmp_path / "runs", [0.0], [0])
    (tmp_path / "runs" / "00001-more").mkdir()
    (tmp_path / "net.pt").touch()
    options = json.loads((run / "training_options.json").read_text("utf-8"))
    options["config"]["base"] = base.format(parent=tmp_path)
    (run / "training_options.json").write_text(json.dumps(options), "utf-8")
    networks = (str(tmp_path / "net.pt"),)
    shelf = Shelf(StudioConfig(runs=tmp_path / "runs", out=tmp_path / "studio", networks=networks))
    assert shelf.find("run:00000-rocks-tiny").base == found


def test_a_run_more_is_looked_at_only_once_more(tmp_path: Path) -> None:
    shelf = Shelf(StudioConfig(runs=tmp_path, out=tmp_path / "studio"))
    looks = []
    for number in range(6):
        snapshot = tmp_path / f"run-{number}" / snapshot_name(0)
        snapshot.parent.mkdir()
        snapshot.touch()
        with patch.object(Path, "resolve", autospec=True, side_effect=Path.resolve) as resolve:
            assert len(shelf.standing()) == number + 2
        looks.append(resolve.call_count)
    assert len({after - before for before, after in itertools.pairwise(looks)}) == 1


@pytest.mark.parametrize("trick", TRICKS)
def test_no_name_leads_out_of_the_run_folders(shelf: Shelf, trick: str) -> None:
    with pytest.raises(SettingsError):
        shelf.run_folder(trick)
    with pytest.raises(SettingsError):
        shelf.run_picture("00000-rocks-tiny", trick)
    with pytest.raises(SettingsError):
        shelf.find(trick)
    with pytest.raises(SettingsError):
        shelf.find(f"run:{trick}")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"config": []}', "[" * 100_000],
    ids=["empty", "list", "table", "no table", "deep"],
)
def test_a_run_with_damaged_tables_is_shown_all_the_same(shelf: Shelf, text: str) -> None:
    folder = shelf.run_folder("00000-rocks-tiny")
    for name in ("training_options.json", "score.json"):
        (folder / name).write_text(text)
    (run,) = shelf.runs()
    assert (run["name"], run["score"], run["data"]) == (folder.name, None, "")
    assert shelf.find(f"run:{folder.name}").base is None


@pytest.mark.parametrize("name", ["rocks-*.zip", "rocks-{0..1}.zip", ""], ids=["pattern", "range", "folder"])
def test_a_data_set_may_be_shards(tmp_path: Path, name: str) -> None:
    for number in range(2):
        (tmp_path / f"rocks-{number}.zip").touch()
    config = StudioConfig(runs=tmp_path / "runs", data=(tmp_path / name,))
    assert list(Shelf(config).data_sets().values()) == [None, tmp_path / name]
    with pytest.raises(SettingsError, match="no such file"):
        StudioConfig(data=(tmp_path / "moss-*.zip",))


def test_pictures_of_a_run_are_served_by_name(shelf: Shelf) -> None:
    folder = shelf.run_folder("00000-rocks-tiny")
    with pytest.raises(SettingsError, match="yet"):
        shelf.run_picture(folder.name, "timeline.png")
    (folder / "timeline.png").write_bytes(b"picture")
    assert shelf.run_picture(folder.name, "timeline.png").read_bytes() == b"picture"
    with pytest.raises(SettingsError, match="no picture"):
        shelf.run_picture(folder.name, "training_options.json")


def test_a_link_in_a_run_leads_to_no_other_file(shelf: Shelf, tmp_path: Path) -> None:
    folder = shelf.run_folder("00000-rocks-tiny")
    (folder / "reals.png").symlink_to(tmp_path / "runs" / "secret.png")
    with pytest.raises(SettingsError, match="has no reals"):
        shelf.run_picture(folder.name, "reals.png")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("training_options.json", '{"config": []}'),
        ("training_options.json", '{"config": {"base": "\\u0000", "kimg": NaN, "data": 7}}'),
        ("training_options.json", f'{{"config": {{"kimg": 1{"0" * 400}}}}}'),
        ("training_options.json", "[" * 100_000),
        ("stats.jsonl", "[" * 100_000),
        ("stats.jsonl", '{"Progress/kimg": {"mean": NaN}}'),
        ("score.json", "[" * 100_000),
        ("score.json", '{"settings": {}, "away": 1, "snapshots": []}'),
        ("score.json", SCORE % "NaN"),
        ("score.json", SCORE % '"far"'),
    ],
)
def test_a_damaged_run_does_not_hide_the_others(shelf: Shelf, name: str, text: str) -> None:
    (shelf.run_folder("00000-rocks-tiny") / name).write_text(text, "utf-8")
    (run,) = shelf.runs()
    json.dumps(run, allow_nan=False)
    assert run["moments"] == [0, 0.25, 0.5, 1, 2, 4]
    assert run["kimg"] == 4
    assert run["score"] is None
    assert [standing.name for standing in shelf.standing()] == ["faces64", "run:00000-rocks-tiny"]


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"data": "/etc/passwd"}, "not a data set"),
        ({"kimg": 10**400}, "give a number"),
        ({"base": "/tmp/x.pkl"}, "not on the shelf"),
        ({"kimg": "lots"}, "give a number"),
        ({"kimg": -1}, "give a number"),
        ({"until": "dawn"}, "unknown"),
        ({"snapshots": "$(rm)"}, "snapshots"),
        ({"batch": 1e9}, "give a number"),
    ],
)
def test_a_form_names_only_what_is_there(tmp_path: Path, answers: dict[str, object], said: str) -> None:
    config = StudioConfig(runs=tmp_path / "runs", out=tmp_path / "studio")
    jobs = Jobs()
    form = {"data": BUNDLED, "base": "faces64", "kimg": 1, **answers}
    with pytest.raises(SettingsError, match=said):
        training.start(form, config, Shelf(config), jobs)
    assert jobs.facts() == []
    jobs.close()


def test_two_trainings_on_the_bundled_photos_may_wait_at_once(config: StudioConfig) -> None:
    shelf, jobs = Shelf(config), Jobs()
    jobs.close()
    answers = {"data": BUNDLED, "base": shelf.first, "kimg": 1}
    waiting = [training.start(answers, config, shelf, jobs) for _ in range(2)]
    for job in waiting:
        (packing, _) = job.commands
        packed = CliRunner().invoke(bend, list(packing))
        assert packed.exit_code == 0, packed.output
    assert training.start(answers, config, shelf, jobs).commands[0][0] == "finetune"


@pytest.mark.parametrize(("device", "words"), [("cpu", ["--device", "cpu"]), ("auto", [])])
def test_a_run_goes_on_where_the_studio_computes(config: StudioConfig, device: str, words: list[str]) -> None:
    run = write_run(config.runs)
    jobs = Jobs()
    jobs.close()
    config = replace(config, device=device)
    job = training.resume(run.name, {}, config, Shelf(config), jobs)
    assert job.commands == [["finetune", "--resume", str(run), "--out", str(config.runs), *words]]


def test_a_studio_may_refuse_to_train(tmp_path: Path) -> None:
    config = StudioConfig(runs=tmp_path / "runs", out=tmp_path / "studio", may_train=False)
    jobs = Jobs()
    with pytest.raises(SettingsError, match="no-train"):
        training.start({}, config, Shelf(config), jobs)
    with pytest.raises(SettingsError, match="no-train"):
        training.resume("x", {}, config, Shelf(config), jobs)
    jobs.close()
