"""The timeline: which snapshots, which pictures, and the sheet a run keeps of itself."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bend import render
from bend.config import RenderConfig
from bend.errors import RenderError, SettingsError
from bend.provenance import read_provenance
from bend.renders.timeline import RunTimeline, pick_columns, render_timeline
from bend.run_names import TIMELINE
from stylegan.checkpoint import NetworkMeta, save_network
from stylegan.run_names import snapshot_name
from tests.bend.tiny import tiny_generator

SIDE = 16
HEAD = 18


@pytest.fixture
def snapshots(tmp_path: Path) -> Path:
    """A run folder with three snapshots, whose raw and averaged generators differ."""
    run = tmp_path / "00000-rocks-tiny"
    for seed, kimg in enumerate((0.0, 0.25, 1.0)):
        save_network(
            run / snapshot_name(kimg),
            G=tiny_generator(seed=seed),
            G_ema=tiny_generator(seed=seed + 10),
            meta=NetworkMeta(kimg=kimg),
        )
    return run


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_cells_are_the_seeds_of_the_snapshots(snapshots: Path, tmp_path: Path) -> None:
    config = RenderConfig(network=str(snapshots), weights="raw", device="cpu")
    report = render_timeline(config, (5, 6), tmp_path / "sheet.png")
    sheet = pixels(report.output)
    assert sheet.shape == (HEAD + 2 * SIDE, 3 * SIDE, 3)
    for column in range(3):
        wanted = list(render.images(tiny_generator(seed=column), (5, 6)))
        for row in range(2):
            top, left = HEAD + row * SIDE, column * SIDE
            assert np.array_equal(sheet[top : top + SIDE, left : left + SIDE], wanted[row])


def test_sheet_says_how_it_came_to_be(snapshots: Path, tmp_path: Path) -> None:
    config = RenderConfig(network=str(snapshots), device="cpu", scale=2)
    report = render_timeline(config, None, tmp_path / "sheet.png", command="bend render timeline")
    note = read_provenance(report.output)
    assert note is not None
    assert note.command == "bend render timeline"
    assert note.work["kimg"] == [0.0, 0.25, 1.0]
    assert len(note.work["inputs"]) == 3
    assert note.work["seeds"] == [0, 1, 2, 3, 4, 5]
    assert report.size == (3 * 2 * SIDE, HEAD + 6 * 2 * SIDE)


def test_nothing_is_overwritten_unless_forced(snapshots: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    sheet.write_bytes(b"mine")
    config = RenderConfig(network=str(snapshots), device="cpu")
    with pytest.raises(RenderError, match="--force"):
        render_timeline(config, None, sheet)
    assert sheet.read_bytes() == b"mine"
    render_timeline(config, None, sheet, force=True)
    assert pixels(sheet).shape[1] == 3 * SIDE


@pytest.mark.parametrize("network", ["faces64", "nowhere", "."])
def test_only_runs_have_timelines(network: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RenderError, match="run folder"):
        render_timeline(RenderConfig(network=network), None, tmp_path / "sheet.png")
    assert not (tmp_path / "sheet.png").exists()


def test_no_seeds_are_refused(snapshots: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="at least one"):
        render_timeline(RenderConfig(network=str(snapshots)), (), tmp_path / "sheet.png")


def test_many_snapshots_become_sixteen_columns() -> None:
    snapshots = [(float(i), Path(f"{i}")) for i in range(100)]
    chosen = [kimg for kimg, _ in pick_columns(snapshots)]
    assert len(chosen) == 16
    assert chosen[0] == 0
    assert chosen[-1] == 99
    assert chosen == sorted(set(chosen))
    assert pick_columns(snapshots[:3]) == snapshots[:3]


@pytest.mark.parametrize("is_sound", [True, False])
@pytest.mark.parametrize(
    "most_pixels", [10**8, 10**5, 10**4]
)  # above it Pillow warns, above twice it refuses
def test_a_resumed_run_shows_snapshots_that_are_gone(
    snapshots: Path, is_sound: bool, most_pixels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = RunTimeline()
    whole(snapshots / snapshot_name(1), 1)
    (snapshots / snapshot_name(0.25)).unlink()
    if not is_sound:
        (snapshots / TIMELINE).write_bytes((snapshots / TIMELINE).read_bytes()[:2000])
    save_network(snapshots / snapshot_name(2), G=tiny_generator(seed=3), G_ema=tiny_generator(seed=13))
    resumed = RunTimeline()
    with monkeypatch.context() as patch:
        patch.setattr(Image, "MAX_IMAGE_PIXELS", most_pixels)
        resumed(snapshots / snapshot_name(2), 2)
    sheet, note = pixels(snapshots / TIMELINE), read_provenance(snapshots / TIMELINE)
    assert note is not None
    assert note.work["kimg"] == ([0, 0.25, 1, 2] if is_sound else [0, 1, 2])
    whole(snapshots / snapshot_name(2), 2)
    assert np.array_equal(sheet, pixels(snapshots / TIMELINE)) == is_sound


def test_a_resumed_run_leaves_out_what_is_still_to_come(snapshots: Path) -> None:
    RunTimeline()(snapshots / snapshot_name(1), 1)
    (snapshots / snapshot_name(1)).unlink()
    RunTimeline()(snapshots / snapshot_name(0.25), 0.25)
    note = read_provenance(snapshots / TIMELINE)
    assert note is not None
    assert note.work["kimg"] == [0, 0.25]


def test_a_run_shows_raw_above_average_and_grows(snapshots: Path) -> None:
    timeline = RunTimeline()
    timeline(snapshots / snapshot_name(0), 0)
    first = pixels(snapshots / TIMELINE)
    timeline(snapshots / snapshot_name(1), 1)  # 0.25 is caught up with
    sheet = pixels(snapshots / TIMELINE)
    side = 64  # tiny pictures are enlarged
    half = HEAD + 4 * side
    assert first.shape == (2 * half, side, 3)
    assert sheet.shape == (2 * half, 3 * side, 3)
    raw = next(render.images(tiny_generator(seed=2), [0])).repeat(4, 0).repeat(4, 1)
    average = next(render.images(tiny_generator(seed=12), [0])).repeat(4, 0).repeat(4, 1)
    assert np.array_equal(sheet[HEAD : HEAD + side, 2 * side :], raw)
    assert np.array_equal(sheet[half + HEAD : half + HEAD + side, 2 * side :], average)
