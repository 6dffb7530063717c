"""Where frames go: a file whole or absent, a folder that is taken up again."""

from collections.abc import Container, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bend.config import FilmConfig
from bend.errors import RenderError
from bend.film import check_output, is_folder, write_film
from bend.picture import Pixels
from bend.provenance import Provenance, read_provenance

NOTE = Provenance(work={"kind": "test"}, network="net", network_sha256="00")
CONFIG = FilmConfig(seconds=1, fps=8)


class Camera:
    """Draws frames in batches of three, keeps count, and can be interrupted."""

    def __init__(self, stop_before: int | None = None) -> None:
        self.drawn: list[int] = []
        self.stop_before = stop_before

    def __call__(self, wanted: Container[int]) -> Iterator[tuple[int, Pixels]]:
        for start in range(0, CONFIG.num_frames, 3):
            batch = range(start, min(start + 3, CONFIG.num_frames))
            if any(index in wanted for index in batch):
                for index in batch:
                    if index == self.stop_before:
                        raise KeyboardInterrupt
                    self.drawn.append(index)
                    yield index, np.full([4, 6, 3], 10 * index, np.uint8)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_folder_holds_every_frame(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    report = write_film(folder, Camera(), config=CONFIG, provenance=NOTE)
    assert (report.num_pictures, report.num_drawn, report.size) == (8, 8, (6, 4))
    assert names(folder) == [f"frame{i:06d}.png" for i in range(8)]
    with Image.open(folder / "frame000005.png") as image:
        assert image.getpixel((0, 0)) == (50, 50, 50)
    note = read_provenance(folder / "frame000005.png")
    assert note is not None
    assert note.work["frame"] == 5


def test_interrupted_folder_is_taken_up_again(tmp_path: Path) -> None:
    folder, whole = tmp_path / "frames", tmp_path / "whole"
    with pytest.raises(KeyboardInterrupt):
        write_film(folder, Camera(stop_before=5), config=CONFIG, provenance=NOTE)
    assert names(folder) == [f"frame{i:06d}.png" for i in range(5)]
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    camera = Camera()
    report = write_film(folder, camera, config=CONFIG, provenance=NOTE)
    assert report.num_drawn == 3
    assert camera.drawn == [3, 4, 5, 6, 7]  # whole batches, as in one go
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    write_film(whole, Camera(), config=CONFIG, provenance=NOTE)
    for path in whole.iterdir():
        assert (folder / path.name).read_bytes() == path.read_bytes()


def test_complete_folder_draws_nothing(tmp_path: Path) -> None:
    write_film(tmp_path, Camera(), config=CONFIG, provenance=NOTE)
    camera = Camera()
    assert write_film(tmp_path, camera, config=CONFIG, provenance=NOTE).num_drawn == 0
    assert camera.drawn == []


def test_cut_frame_is_not_taken_for_done(tmp_path: Path) -> None:
    write_film(tmp_path, Camera(), config=CONFIG, provenance=NOTE)
    cut = tmp_path / "frame000004.png"
    cut.write_bytes(cut.read_bytes()[:-9])
    with pytest.raises(RenderError, match=r"frame000004\.png exists"):
        write_film(tmp_path, Camera(), config=CONFIG, provenance=NOTE)
    assert write_film(tmp_path, Camera(), config=CONFIG, provenance=NOTE, force=True).num_drawn == 1


def test_frames_of_other_work_are_refused_without_force(tmp_path: Path) -> None:
    write_film(tmp_path, Camera(), config=CONFIG, provenance=NOTE)
    other = Provenance(work={"kind": "other"}, network="net", network_sha256="00")
    with pytest.raises(RenderError, match="--force"):
        write_film(tmp_path, Camera(), config=CONFIG, provenance=other)
    assert write_film(tmp_path, Camera(), config=CONFIG, provenance=other, force=True).num_drawn == 8


def test_frames_beyond_the_last_are_refused_or_removed(tmp_path: Path) -> None:
    write_film(tmp_path, Camera(), config=CONFIG, provenance=NOTE)
    (tmp_path / "frame000008.png").write_bytes((tmp_path / "frame000007.png").read_bytes())
    (tmp_path / "frame000009.png").write_text("not ours")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RenderError, match="longer film"):
        write_film(tmp_path, Camera(), config=CONFIG, provenance=NOTE)
    write_film(tmp_path, Camera(), config=CONFIG, provenance=NOTE, force=True)
    assert names(tmp_path) == [*(f"frame{i:06d}.png" for i in range(8)), "frame000009.png", "notes.txt"]


def test_film_file_is_whole_or_absent(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_film(tmp_path / "film.mp4", Camera(stop_before=5), config=CONFIG, provenance=NOTE)
    assert not list(tmp_path.iterdir())
    report = write_film(tmp_path / "film.mp4", Camera(), config=CONFIG, provenance=NOTE)
    assert (report.num_pictures, report.num_drawn, report.size) == (8, 8, (6, 4))
    assert read_provenance(tmp_path / "film.mp4") == NOTE


def test_outputs_are_checked_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "film.mp4").write_text("")
    (tmp_path / "v1.0").mkdir()
    assert is_folder(tmp_path / "v1.0")
    check_output(tmp_path / "v1.0", force=False)
    check_output(tmp_path / "new", force=False)
    check_output(tmp_path / "new.gif", force=False)
    check_output(tmp_path / "film.mp4", force=True)
    for name, message in (
        ("film.mp4", "exists"),
        ("film.avi", r"known are \.mp4, \.webp, \.gif, \.apng, or a folder"),
        ("file", "is a file"),
    ):
        with pytest.raises(RenderError, match=message):
            check_output(tmp_path / name, force=False)
