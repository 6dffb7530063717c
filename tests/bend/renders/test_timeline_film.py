"""Films and pages in which a run passes: frames are networks between snapshots, at the pace that was asked for."""

import base64
import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from bend.config import FilmConfig, RenderConfig
from bend.errors import RenderError, SettingsError
from bend.latent_file import write_latents
from bend.provenance import read_provenance
from bend.renders import scrubber
from bend.renders.scrubber import render_scrubber
from bend.renders.timeline import render_timeline
from bend.renders.timeline_film import render_timeline_film
from bend.score import score_run
from tests.bend.conftest import Run
from tests.bend.pixels import pixels
from tests.bend.runs import drawn_at, write_run
from tests.bend.tiny import save_tiny

SIDE = 16
SHARES = (0.0, 0.5, 1.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run from one tiny network to another in two equal steps of the weights, at 0, 1 and 4 kimg."""
    return write_run(tmp_path_factory.mktemp("film"), SHARES, (0, 1, 4))


def frame(path: Path, index: int) -> np.ndarray:
    return pixels(path / f"frame{index:06d}.png")


def test_each_face_morphs_through_training_time(folder: Path, tmp_path: Path) -> None:
    config = RenderConfig(network=str(folder), weights="raw", device="cpu")
    film = FilmConfig(seconds=1.0, fps=5.0)
    report = render_timeline_film(config, film, (3, 4), tmp_path / "film", grid=(2, 1))
    assert report.num_pictures == 5
    for index, share in enumerate(
        (0, 0.25, 0.5, 0.75, 1)
    ):  # as long to each snapshot, the last frame the last one
        picture = frame(tmp_path / "film", index)
        assert picture.shape == (SIDE, 2 * SIDE, 3)
        assert np.abs(picture - np.concatenate([drawn_at(share, 3), drawn_at(share, 4)], axis=1)).max() <= 1
    again = render_timeline_film(config, film, (3, 4), tmp_path / "film", grid=(2, 1))
    assert again.num_drawn == 0


def test_a_film_by_the_clock_that_was_asked_for(folder: Path, tmp_path: Path) -> None:
    config = RenderConfig(network=str(folder), weights="raw", device="cpu", kimg="0s:4,1s:0")
    render_timeline_film(config, FilmConfig(seconds=1.5, fps=2.0), (3,), tmp_path / "film")
    for index, kimg in enumerate((4, 2, 0)):
        share = float(np.interp(kimg, (0, 1, 4), SHARES))
        assert np.abs(frame(tmp_path / "film", index) - drawn_at(share, 3)).max() <= 1


def test_the_dial_turns_what_the_training_has_become(folder: Path, tmp_path: Path) -> None:
    save_tiny(tmp_path / "base.safetensors", seed=0)  # the run's own start, at which the dial is 0
    config = RenderConfig(network=str(folder), weights="raw", device="cpu", kimg="0s:0,1s:4")
    for name, dial, halves in (("still", "0.5", (0, 0.5)), ("turning", "0s:0,1s:1", (0, 1))):
        look = replace(config, dial_from=str(tmp_path / "base.safetensors"), dial=dial)
        render_timeline_film(look, FilmConfig(seconds=2.0, fps=1.0), (3,), tmp_path / name)
        for index, share in enumerate(halves):
            assert np.abs(frame(tmp_path / name, index) - drawn_at(share, 3)).max() <= 1


def test_any_number_of_seeds_has_a_film(folder: Path, tmp_path: Path) -> None:
    config = RenderConfig(network=str(folder), weights="raw", device="cpu")
    render_timeline_film(config, FilmConfig(seconds=1.0, fps=1.0), (3, 4, 5), tmp_path / "film")
    picture = frame(tmp_path / "film", 0)
    assert picture.shape == (2 * SIDE, 2 * SIDE, 3)
    assert np.abs(picture[SIDE:, :SIDE] - drawn_at(0, 5)).max() <= 1
    assert not picture[SIDE:, SIDE:].any()


def test_there_and_back_and_both_side_by_side(folder: Path, tmp_path: Path) -> None:
    config = RenderConfig(network=str(folder), device="cpu")
    film = FilmConfig(seconds=1.0, fps=4.0)
    render_timeline_film(config, film, (3,), tmp_path / "film", both=True, loop=True)
    left = [frame(tmp_path / "film", index)[:, :SIDE] for index in range(4)]
    right = [frame(tmp_path / "film", index)[:, SIDE:] for index in range(4)]
    assert np.abs(left[1] - drawn_at(0.5, 3)).max() <= 1
    assert np.array_equal(left[1], left[3])
    assert np.abs(right[1] - drawn_at(0.5**1.5, 3)).max() <= 1  # the average lags behind


def test_latents_of_a_file_are_all_shown(folder: Path, tmp_path: Path) -> None:
    write_latents(tmp_path / "two.npz", w=np.random.RandomState(0).randn(2, 32))
    config = RenderConfig(network=str(folder), device="cpu", latents=(str(tmp_path / "two.npz"),))
    render_timeline(config, None, tmp_path / "sheet.png")
    render_scrubber(config, None, tmp_path / "page.html", between=1)
    render_timeline_film(config, FilmConfig(seconds=1, fps=1), None, tmp_path / "film")
    assert len(pixels(tmp_path / "sheet.png")) == 18 + 2 * SIDE
    assert page_data((tmp_path / "page.html").read_text())["seeds"] == [0, 1]
    assert frame(tmp_path / "film", 0).shape == (SIDE, 2 * SIDE, 3)


def test_a_film_file_plays(folder: Path, tmp_path: Path) -> None:
    config = RenderConfig(network=str(folder), device="cpu", scale=2)
    film = FilmConfig(seconds=1.0, fps=6.0)
    render_timeline_film(config, film, None, tmp_path / "film.mp4", command="bend render timeline")
    with av.open(str(tmp_path / "film.mp4")) as opened:
        pictures = [picture.to_ndarray(format="rgb24") for picture in opened.decode(video=0)]
    assert len(pictures) == 6
    assert pictures[0].shape == (2 * 2 * SIDE, 3 * 2 * SIDE, 3)
    note = read_provenance(tmp_path / "film.mp4")
    assert note is not None
    assert note.work["kind"] == "timeline-film"


def test_a_sheet_of_both(folder: Path, tmp_path: Path) -> None:
    config = RenderConfig(network=str(folder), device="cpu")
    render_timeline(config, (5,), tmp_path / "sheet.png", both=True)
    sheet = pixels(tmp_path / "sheet.png")
    assert sheet.shape == (2 * (18 + SIDE), 3 * SIDE, 3)
    assert np.abs(sheet[18 : 18 + SIDE, SIDE : 2 * SIDE] - drawn_at(0.5, 5)).max() <= 1
    assert np.abs(sheet[-SIDE:, SIDE : 2 * SIDE] - drawn_at(0.5**1.5, 5)).max() <= 1


@pytest.mark.parametrize("name", ["film.gif", "page.html"])
def test_seeds_that_nobody_named_fill_the_grid(run: Run, folder: Path, tmp_path: Path, name: str) -> None:
    given = ("render", "timeline", "--network", folder, "--device", "cpu", "--json")
    film = ("--seconds", 0.4, "--fps", 5) if name == "film.gif" else ()
    status, out, err = run(*given, *film, "--grid", "2x1", "-o", tmp_path / name)
    assert status == 0, err
    assert json.loads(out)["size"] == [2 * SIDE, SIDE]
    status, out, err = run(*given, *film, "-o", tmp_path / f"usual-{name}")  # 0 to 5, as help says
    assert status == 0, err
    assert json.loads(out)["size"] == [3 * SIDE, 2 * SIDE]


def test_what_a_film_refuses(folder: Path, tmp_path: Path) -> None:
    film = FilmConfig(seconds=1.0, fps=2.0)
    with pytest.raises(SettingsError, match="no snapshots"):
        render_timeline_film(RenderConfig(network="faces64"), film, None, tmp_path / "film.mp4")
    with pytest.raises(SettingsError, match="at least one"):
        render_timeline_film(RenderConfig(network=str(folder)), film, (), tmp_path / "film.mp4")
    with pytest.raises(SettingsError, match="--grid 3x1 holds 3"):
        render_timeline_film(RenderConfig(network=str(folder)), film, (1, 2), tmp_path / "a.mp4", grid=(3, 1))
    with pytest.raises(SettingsError, match=r"kimg 5: .* goes from 0 to 4 kimg"):
        config = RenderConfig(network=str(folder), kimg="0s:0,1s:5")
        render_timeline_film(config, FilmConfig(), None, tmp_path / "film.mp4")
    with pytest.raises(SettingsError, match=r"--loop and --kimg 0s:0,1s:4 .*; leave one of them out"):
        config = RenderConfig(network=str(folder), kimg="0s:0,1s:4")
        render_timeline_film(config, film, None, tmp_path / "film.mp4", loop=True)
    with pytest.raises(SettingsError, match="--kimg"):
        render_timeline(RenderConfig(network=str(folder), kimg="1"), None, tmp_path / "sheet.png")
    assert not list(tmp_path.iterdir())


def page_data(page: str) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def picture_of(uri: str) -> np.ndarray:
    return pixels(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def test_the_page_holds_every_moment_and_needs_nothing_else(folder: Path, tmp_path: Path) -> None:
    score_run(folder, device="cpu")
    config = RenderConfig(network=str(folder), weights="raw", device="cpu", scale=4)
    report = render_scrubber(config, (3, 4, 5), tmp_path / "page.html", between=2)
    page = (tmp_path / "page.html").read_text()
    assert not re.search(r"https?://(?!www\.w3\.org)", page)
    assert not re.search(r'(src|href)=["\'](?!data:)', page)
    data = page_data(page)
    assert data["kimg"] == [0, 0.5, 1, 2.5, 4]
    assert data["stops"] == [0, 2, 4]
    assert data["kinds"] == ["raw", "ema"]
    assert (data["columns"], data["rows"], data["width"], data["height"]) == (2, 2, 64, 64)
    assert data["score"]["moments"].keys() == {"raw", "ema"}
    assert report.num_pictures == 10
    for index, share in enumerate((0, 0.25, 0.5, 0.75, 1)):
        cell = picture_of(data["frames"]["raw"][index])[:64, :64]
        wanted = drawn_at(share, 3).repeat(4, 0).repeat(4, 1)
        assert np.abs(cell - wanted).mean() < 12  # WebP is lossy
    with pytest.raises(RenderError, match="--force"):
        render_scrubber(config, None, tmp_path / "page.html")


def test_a_name_cannot_break_out_of_the_page(folder: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(folder, tmp_path / "<script>alert(1)<"))
    render_scrubber(RenderConfig(network=str(run), device="cpu"), (1,), tmp_path / "page.html", between=1)
    page = (tmp_path / "page.html").read_text()
    assert page.count("<script>") == 1
    assert page_data(page)["title"] == "<script>alert(1)<"


@pytest.mark.skipif(shutil.which("node") is None, reason="no node to read the script")
def test_the_pages_script_is_a_script(tmp_path: Path) -> None:
    page = (Path(scrubber.__file__).parent / "scrubber.html").read_text()
    (script,) = re.findall(r"<script>\n(.*?)</script>", page, re.DOTALL)
    (tmp_path / "page.js").write_text(script)
    subprocess.run(["node", "--check", tmp_path / "page.js"], check=True)


def test_what_a_page_refuses(folder: Path, tmp_path: Path) -> None:
    config = RenderConfig(network=str(folder), device="cpu")
    with pytest.raises(RenderError, match="html"):
        render_scrubber(config, None, tmp_path / "page.txt")
    with pytest.raises(SettingsError, match="2x1 pictures for 3 seeds"):
        render_scrubber(config, (1, 2, 3), tmp_path / "page.html", grid=(2, 1))
    with pytest.raises(RenderError, match="17408×256 is too big for a page; ask for a smaller --grid"):
        render_scrubber(replace(config, scale=64), None, tmp_path / "page.html", grid=(68, 1))
    with pytest.raises(SettingsError, match="a page has no dial"):
        render_scrubber(replace(config, dial_from="faces64"), (1,), tmp_path / "page.html")


def test_a_page_is_no_film(run: Run, folder: Path, tmp_path: Path) -> None:
    words = ("render", "timeline", "--network", folder, "--fps", "30", "-o", tmp_path / "page.html")
    status, _, err = run(*words)
    assert (status, "--fps: is for films" in err) == (2, True)
