"""The demo with a tiny network: every stage, resuming it, and what the page shows."""

import html
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
import torch
from PIL import Image

from bend.config import FilmConfig
from bend.demo import exhibits
from bend.demo.run import DemoConfig, run_demo
from bend.errors import BendError
from bend.provenance import read_provenance
from stylegan import DatasetZip, Discriminator
from stylegan.checkpoint import list_snapshots, save_network
from stylegan.errors import ConfigError
from tests.bend.conftest import Run
from tests.bend.tiny import tiny_generator


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("base") / "tiny.safetensors"
    D = Discriminator(0, 16, 3, channel_base=256, channel_max=16)
    save_network(path, G=tiny_generator(), D=D, G_ema=tiny_generator())
    return path


@pytest.fixture(scope="module")
def made(
    base: Path, few_fakes: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[DemoConfig, list[str]]]:
    """A finished demo, and what it said."""
    config = DemoConfig(
        output=tmp_path_factory.mktemp("demo"), kimg=0.032, network=str(base), tiles=2, device="cpu"
    )
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exhibits, "FILM", FilmConfig(seconds=0.5, fps=8.0))
        report = run_demo(config, said.append)
    assert report.stopped_by is None
    yield config, said


def test_every_stage_leaves_its_file(made: tuple[DemoConfig, list[str]]) -> None:
    config, said = made
    data = DatasetZip(config.output / "photos.zip")
    assert data.resolution == 16
    assert len(data) == 2 * 13
    assert all(source["license"] for source in data.sources)
    (run,) = (config.output / "runs").iterdir()
    assert [kimg for kimg, _ in list_snapshots(run)] == [0.0, 0.032]
    with av.open(str(config.output / "walk.mp4")) as film:
        assert sum(1 for _ in film.decode(video=0)) == 4
    for name in ("timeline.png", "dial.png", "grid.png"):
        with Image.open(config.output / name) as image:
            image.load()
            assert "bend" in image.info
    assert [line[:5] for line in said] == [f"[{i}/5]" for i in range(1, 6)]


def test_page_holds_everything_itself(made: tuple[DemoConfig, list[str]]) -> None:
    config, _ = made
    page = (config.output / "index.html").read_text()
    assert page.count("data:image/png;base64,") == 4
    assert page.count("data:video/mp4;base64,") == 1
    assert page.count("<iframe") == page.count("srcdoc=") == 1
    assert not re.search(r'(src|href)=(&quot;|")(?!data:)', page)
    assert "Aitzol Berasategi" in page
    assert len(re.findall(r"<code>bend render", page)) == 5


def test_commands_on_the_page_are_commands(
    made: tuple[DemoConfig, list[str]], run: Run, tmp_path: Path
) -> None:
    config, _ = made
    page = (config.output / "index.html").read_text()
    commands = re.findall(r"<code>bend (render .*?)</code>", page)
    assert len(commands) == 5
    for command in commands:
        words = shlex.split(html.unescape(command))
        made_file = Path(words[-1])
        again = tmp_path / made_file.name
        status, _, err = run(*words[:-1], again, "--device", "cpu")
        assert status == 0, err
        if made_file.suffix == ".html":
            frames = [re.findall(r"data:image/[^\"]+", path.read_text()) for path in (made_file, again)]
            assert frames[0] and frames[0] == frames[1]
            continue
        first, second = read_provenance(made_file), read_provenance(again)
        assert first is not None
        assert first.same_work(second)


@pytest.mark.slow
def test_a_second_time_goes_on(made: tuple[DemoConfig, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    config, _ = made
    monkeypatch.setattr(exhibits, "FILM", FilmConfig(seconds=0.25, fps=8.0))
    packed = (config.output / "photos.zip").stat().st_mtime_ns
    said: list[str] = []
    longer = DemoConfig(output=config.output, kimg=0.064, network=config.network, tiles=2, device="cpu")
    run_demo(longer, said.append)
    (run,) = (config.output / "runs").iterdir()
    assert [kimg for kimg, _ in list_snapshots(run)] == [0.0, 0.032, 0.064]
    assert (config.output / "photos.zip").stat().st_mtime_ns == packed
    assert "is there" in said[0]
    assert "going on" in said[1]


def test_a_device_that_there_is_not_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--device cuda:99"):
        run_demo(DemoConfig(output=tmp_path / "demo", device="cuda:99"), print)
    assert not (tmp_path / "demo").exists()


def test_bad_places_and_lengths_are_one_line(base: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "file").write_text("mine")
    status, _, err = run("demo", "-o", tmp_path / "file")
    assert status == 1
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert (tmp_path / "file").read_text() == "mine"
    with pytest.raises(BendError, match="out of range"):
        DemoConfig(kimg=float("nan"))
    with pytest.raises(BendError, match="out of range"):
        DemoConfig(kimg=0)
