"""Where frames go: a file that is whole or absent, a folder that is resumed."""

import wave
from collections.abc import Container, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from bend.automation import parse
from bend.config import FilmConfig
from bend.errors import RenderError, SettingsError
from bend.film.destination import Frames, check_output, is_folder, write_film
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


def test_frames_of_other_work_that_come_meanwhile_are_not_mixed_in(tmp_path: Path) -> None:
    other = Provenance(work={"kind": "other"}, network="net", network_sha256="00")

    def beside(wanted: Container[int]) -> Iterator[tuple[int, Pixels]]:
        """Another process has got as far with its film, in the same folder."""
        write_film(tmp_path, Camera(), config=CONFIG, provenance=other)
        yield from Camera()(wanted)

    with pytest.raises(RenderError, match=r"frame000000\.png was made by another process in the meantime"):
        write_film(tmp_path, beside, config=CONFIG, provenance=NOTE)
    assert all(
        other.about(frame=i).same_work(read_provenance(path))
        for i, path in enumerate(sorted(tmp_path.iterdir()))
    )


def test_the_same_work_that_comes_meanwhile_is_no_other(tmp_path: Path) -> None:
    def beside(wanted: Container[int]) -> Iterator[tuple[int, Pixels]]:
        write_film(tmp_path, Camera(), config=CONFIG, provenance=NOTE)
        yield from Camera()(wanted)

    write_film(tmp_path, beside, config=CONFIG, provenance=NOTE)
    assert names(tmp_path) == [f"frame{i:06d}.png" for i in range(8)]


def test_frames_beyond_the_last_are_refused_or_removed(tmp_path: Path) -> None:
    write_film(tmp_path, Camera(), config=CONFIG, provenance=NOTE)
    (tmp_path / "frame000008.png").write_bytes((tmp_path / "frame000007.png").read_bytes())
    (tmp_path / "frame000009.png").write_text("not ours")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RenderError, match="longer film"):
        write_film(tmp_path, Camera(), config=CONFIG, provenance=NOTE)
    write_film(tmp_path, Camera(), config=CONFIG, provenance=NOTE, force=True)
    assert names(tmp_path) == [*(f"frame{i:06d}.png" for i in range(8)), "frame000009.png", "notes.txt"]


def test_frames_are_not_put_among_other_things(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_text("mine")
    with pytest.raises(RenderError, match=r"holds things other than frames, such as photo\.jpg; .* --force"):
        write_film(tmp_path, Camera(), config=CONFIG, provenance=NOTE)
    assert names(tmp_path) == ["photo.jpg"]
    write_film(tmp_path, Camera(), config=CONFIG, provenance=NOTE, force=True)
    assert write_film(tmp_path, Camera(), config=CONFIG, provenance=NOTE).num_drawn == 0
    assert (tmp_path / "photo.jpg").read_text() == "mine"


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
        ("film.avi", r"choose from \.mp4, \.webp, \.gif, \.apng, or a folder"),
        ("file", "is a file"),
    ):
        with pytest.raises(RenderError, match=message):
            check_output(tmp_path / name, force=False)


def clicks(path: Path, *seconds: float, length: float = 2.0) -> Path:
    """A track that is silent but for a click at each time."""
    samples = np.zeros(round(length * 44100), np.int16)
    for second in seconds:
        start = round(second * 44100)
        samples[start : start + 400] = np.where(np.arange(400) % 8 < 4, 30000, -30000)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(44100)
        file.writeframes(samples.tobytes())
    return path


def strobe(config: FilmConfig, text: str) -> Frames:
    """Frames as bright as a parameter is."""

    def frames(wanted: Container[int]) -> Iterator[tuple[int, Pixels]]:
        automation = parse(text)
        for index in range(config.num_frames):
            yield index, np.full([16, 16, 3], round(automation.at(index / config.fps)), np.uint8)

    return frames


def test_the_film_carries_the_track_and_shows_it_in_sync(tmp_path: Path) -> None:
    at = 1.25
    config = FilmConfig(seconds=1.5, fps=24, audio=str(clicks(tmp_path / "clicks.wav", at)))
    film = tmp_path / "film.mp4"
    write_film(film, strobe(config, "audio(onset,0..200,0.1s)"), config=config, provenance=NOTE)
    with av.open(str(film)) as container:
        bright = [float(frame.to_ndarray(format="gray").mean()) for frame in container.decode(video=0)]
    assert len(bright) == 36
    assert np.argmax(bright) == pytest.approx(at * 24, abs=1)
    assert max(bright) > 150 and bright[int(at * 24) - 4] < 40
    with av.open(str(film)) as container:
        stream = container.streams.audio[0]
        heard = [(frame.time, frame.to_ndarray()) for frame in container.decode(audio=0)]
        loud = max(heard, key=lambda pair: float(np.abs(pair[1]).max()))
        assert stream.codec_context.name == "aac"
        assert loud[0] == pytest.approx(at, abs=1 / 24)
        assert float(stream.duration * stream.time_base) == pytest.approx(1.5, abs=0.05)


def test_the_same_film_with_sound_has_the_same_bytes(tmp_path: Path) -> None:
    config = FilmConfig(seconds=1, fps=8, audio=str(clicks(tmp_path / "clicks.wav", 0.5)))
    films = [tmp_path / "a.mp4", tmp_path / "b.mp4"]
    for film in films:
        write_film(film, Camera(), config=config, provenance=NOTE)
    assert films[0].read_bytes() == films[1].read_bytes()


def test_a_track_shorter_than_the_film_ends_early(tmp_path: Path) -> None:
    config = FilmConfig(seconds=2, fps=8, audio=str(clicks(tmp_path / "clicks.wav", 0.2, length=0.5)))
    write_film(tmp_path / "film.mp4", strobe(config, "audio(loudness,0..9)"), config=config, provenance=NOTE)
    with av.open(str(tmp_path / "film.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 16


def test_what_is_no_track_leaves_no_film(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("no sound")
    config = FilmConfig(seconds=1, fps=8, audio=str(tmp_path / "a.wav"))
    with pytest.raises(SettingsError, match="cannot be decoded as sound"):
        write_film(tmp_path / "film.mp4", Camera(), config=config, provenance=NOTE)
    assert names(tmp_path) == ["a.wav"]
