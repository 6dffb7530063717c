"""`bend studio` on the command line, and which files of the page are shipped."""

import re
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

import bend.studio
from bend.cli import bend as command
from bend.errors import SettingsError
from bend.studio.config import StudioConfig
from bend.studio.serving import serve

FOLDER = Path(bend.studio.__file__).parent


def test_help_has_an_example() -> None:
    helped = CliRunner().invoke(command, ["studio", "--help"])
    assert helped.exit_code == 0
    assert "Example: bend studio" in helped.output


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--port", "70000"], "70000"), (["--data", "nowhere.zip"], "nowhere.zip: no such file")],
)
def test_what_is_no_setting_is_a_usage_error(words: list[str], said: str) -> None:
    refused = CliRunner().invoke(command, ["studio", *words])
    assert refused.exit_code == 2
    assert said in refused.output


def test_a_run_is_on_the_stage_among_its_neighbours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "runs" / "00000-rocks"
    run.mkdir(parents=True)
    (run / "training_options.json").write_text("{}")
    started: list[StudioConfig] = []
    monkeypatch.setattr("bend.studio.serving.serve", lambda config, say: started.append(config))
    for words in ([], ["--network", "faces128", "--no-train", "--also", "a", "--also", "b"]):
        done = CliRunner().invoke(command, ["studio", "--run", str(run), *words])
        assert done.exit_code == 0, done.output
    assert started == [
        StudioConfig(network=str(run), runs=run.parent),
        StudioConfig(network="faces128", runs=run.parent, may_train=False, networks=("a", "b")),
    ]


def test_a_port_that_is_taken_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config = StudioConfig(port=taken.getsockname()[1], out=tmp_path / "out", runs=tmp_path / "runs")
        with pytest.raises(SettingsError, match="another --port"):
            serve(config, lambda line: None)


@pytest.mark.parametrize("host", ["nowhere.invalid", "192.0.2.1", "http://localhost"])
def test_a_host_that_is_not_here_is_told_in_one_line(tmp_path: Path, host: str) -> None:
    config = StudioConfig(host=host, port=0, out=tmp_path / "out", runs=tmp_path / "runs")
    with pytest.raises(SettingsError, match="another --host"):
        serve(config, lambda line: None)


def test_the_page_is_shipped_built_small_and_at_home() -> None:
    files = [path for path in (FOLDER / "static").rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"index.html", "icon.svg", "studio.js", "studio.css"}
    assert sum(path.stat().st_size for path in files) < 500_000
    for path in files:
        addresses = set(re.findall(r"https?://[\w.-]+", path.read_text("utf-8")))
        assert addresses <= {"http://www.w3.org"}, path  # the name of SVG, which nobody fetches


def test_the_built_page_is_that_of_its_source() -> None:
    style = (FOLDER / "static" / "assets" / "studio.css").read_text("utf-8")
    source = "".join(path.read_text("utf-8") for path in (FOLDER / "web" / "src" / "styles").glob("*.css"))
    assert set(re.findall(r"\.([a-z][\w-]+)\s*\{", source)) <= set(re.findall(r"\.([a-z][\w-]+)", style))
