"""Films are opened again and looked at: frames, times, colours, tags, note; and a failed one is not there."""

import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from bend.config import FilmConfig
from bend.errors import RenderError
from bend.film.video import FILM_SUFFIXES, open_film
from bend.provenance import Provenance, read_provenance

NOTE = Provenance(work={"text": "x" * 700}, network="net", network_sha256="00", command="bend render --loop")
COLOURS = np.array(
    [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [128, 128, 128], [200, 120, 40]],
    np.uint8,
)


def bars(shift: int = 0, height: int = 32, width: int = 112) -> np.ndarray:
    """Seven vertical bars of plain colour, turned by `shift`."""
    columns = np.arange(width) * len(COLOURS) // width
    return np.tile(COLOURS[(columns + shift) % len(COLOURS)][None], (height, 1, 1))


def film(path: Path, num: int = 7, config: FilmConfig | None = None, **size: int) -> Path:
    with open_film(path, config or FilmConfig(crf=4), NOTE) as write:
        for i in range(num):
            write(bars(i, **size))
    return path


def decoded(path: Path) -> list[np.ndarray]:
    if path.suffix == ".mp4":
        with av.open(str(path)) as container:
            return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with Image.open(path) as image:
        frames = []
        for index in range(image.n_frames):
            image.seek(index)
            frames.append(np.asarray(image.convert("RGB")))
        return frames


def middles(frame: np.ndarray) -> np.ndarray:
    """The colour in the middle of each bar."""
    return frame[16, 8::16].astype(int)


@pytest.mark.parametrize("suffix", FILM_SUFFIXES)
def test_frames_and_note_come_back(tmp_path: Path, suffix: str) -> None:
    path = film(tmp_path / f"film{suffix}")
    frames = decoded(path)
    assert len(frames) == 7
    for index, frame in enumerate(frames):
        assert frame.shape == (32, 112, 3)
        assert np.abs(middles(frame) - middles(bars(index))).max() <= 6, index
    assert read_provenance(path) == NOTE
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".apng"])
@pytest.mark.parametrize("fps", [24, 30, 7.5])
def test_pictures_that_move_keep_time_and_repeat(tmp_path: Path, suffix: str, fps: float) -> None:
    path = film(tmp_path / f"film{suffix}", num=9, config=FilmConfig(fps=fps))
    with Image.open(path) as image:
        assert image.info["loop"] == 0
        total = 0.0
        for index in range(image.n_frames):
            image.seek(index)
            image.load()
            total += image.info["duration"]
    assert total == pytest.approx(9000 / fps, abs=5)


@pytest.mark.parametrize("suffix", FILM_SUFFIXES)
def test_same_frames_same_bytes(tmp_path: Path, suffix: str) -> None:
    first, again = (film(tmp_path / f"{name}{suffix}").read_bytes() for name in ("a", "b"))
    assert first == again


def test_bytes_do_not_follow_what_lay_in_memory(tmp_path: Path) -> None:
    noise = np.random.RandomState(0).rand(12, 24, 72, 3)
    blurred = [np.asarray(Image.fromarray(np.uint8(255 * part)).resize((576, 192))) for part in noise]
    frames = [np.uint8(0.6 * a + 0.4 * b) for a, b in itertools.pairwise([*blurred, blurred[0]])]
    seen = set()
    for number in range(8):
        blocks = [np.full(size, 31 * number, np.uint8) for size in (1_000, 60_000, 200_000, 1_500_000) * 30]
        del blocks
        path = tmp_path / f"{number}.mp4"
        with open_film(path, FilmConfig(crf=24), NOTE) as write:
            for frame in frames:
                write(frame)
        seen.add(path.read_bytes())
    assert len(seen) == 1


@pytest.mark.parametrize("suffix", FILM_SUFFIXES)
def test_a_name_is_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = film(Path(f"take:%03d{suffix}"), num=1)
    assert read_provenance(path) == NOTE
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("fps", "rate"),
    [
        *[(whole, Fraction(whole)) for whole in (1, 2, 3, 4, 24, 30)],
        (23.976, Fraction(24000, 1001)),
        (23.98, Fraction(24000, 1001)),
        (12.5, Fraction(25, 2)),
        (0.01, Fraction(1, 100)),
    ],
)
def test_a_film_has_the_rate_that_is_meant(tmp_path: Path, fps: float, rate: Fraction) -> None:
    with av.open(
        str(film(tmp_path / "film.mp4", num=3, config=FilmConfig(fps=fps, seconds=600)))
    ) as container:
        assert container.streams.video[0].average_rate == rate


@pytest.mark.parametrize("suffix", FILM_SUFFIXES)
def test_film_of_one_frame(tmp_path: Path, suffix: str) -> None:
    assert len(decoded(film(tmp_path / f"film{suffix}", num=1))) == 1


def test_mp4_is_what_plays_everywhere(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", num=30, config=FilmConfig(fps=29.97))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert context.name == "h264"
        assert context.pix_fmt == "yuv420p"
        assert (context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1)
        assert context.color_range == 1
        assert stream.average_rate == Fraction(30000, 1001)
        assert stream.frames == 30
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_mp4_pads_odd_sides(tmp_path: Path) -> None:
    [frame, *_] = decoded(film(tmp_path / "film.mp4", height=31, width=113))
    assert frame.shape == (32, 114, 3)
    assert np.abs(frame[31].astype(int) - frame[30]).max() <= 6


def test_crf_trades_size(tmp_path: Path) -> None:
    noise = np.random.RandomState(0).randint(0, 256, [5, 64, 64, 3], dtype=np.uint8)
    sizes = []
    for crf in (10, 40):
        path = tmp_path / f"{crf}.mp4"
        with open_film(path, FilmConfig(crf=crf), NOTE) as write:
            for frame in noise:
                write(frame)
        sizes.append(path.stat().st_size)
    assert sizes[1] < sizes[0] / 2


@pytest.mark.parametrize("suffix", FILM_SUFFIXES)
def test_interrupted_film_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(KeyboardInterrupt), open_film(tmp_path / f"film{suffix}", FilmConfig(), NOTE) as write:
        write(bars())
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", FILM_SUFFIXES)
def test_failed_film_leaves_the_old_one(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"film{suffix}"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), open_film(path, FilmConfig(), NOTE) as write:
        write(bars())
        write(bars(1 // 0))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_unknown_format_names_the_known(tmp_path: Path) -> None:
    with (
        pytest.raises(
            RenderError, match=r"\.avi is not a film format; choose from \.mp4, \.webp, \.gif, \.apng"
        ),
        open_film(tmp_path / "film.avi", FilmConfig(), NOTE),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_formats_refuse_what_they_cannot_hold(tmp_path: Path) -> None:
    with (
        pytest.raises(RenderError, match=r"^a GIF shows at most 50"),
        open_film(tmp_path / "film.gif", FilmConfig(fps=60), NOTE),
    ):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("suffix", "width", "what"),
    [(".webp", 16_384, "a WebP"), (".mp4", 16_386, "an .mp4"), (".gif", 65_536, "a GIF")],
)
def test_frames_too_big_for_a_format_are_refused(tmp_path: Path, suffix: str, width: int, what: str) -> None:
    with (
        pytest.raises(RenderError, match=rf"^{width}×2 is too big for {what}; write an .apng or a smaller"),
        open_film(tmp_path / f"film{suffix}", FilmConfig(), NOTE) as write,
    ):
        write(np.zeros([2, width, 3], np.uint8))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("suffix", "width"), [(".webp", 16_383), (".mp4", 16_384), (".gif", 65_535), (".apng", 65_536)]
)
def test_frames_of_the_greatest_size_are_written(tmp_path: Path, suffix: str, width: int) -> None:
    film = tmp_path / f"film{suffix}"
    with open_film(film, FilmConfig(), NOTE) as write:
        write(np.zeros([2, width, 3], np.uint8))
    assert film.stat().st_size > 0


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_frames_are_written_as_they_come(tmp_path: Path, suffix: str) -> None:
    """The file grows with each frame: nothing waits in memory for the end."""
    sizes = []
    with open_film(tmp_path / f"film{suffix}", FilmConfig(), NOTE) as write:
        for shift in range(60):
            write(np.random.RandomState(shift).randint(0, 256, [64, 64, 3], dtype=np.uint8))
            sizes.append(next(tmp_path.iterdir()).stat().st_size)
    assert sizes[30] > sizes[10] > sizes[0]
    assert sum(b > a for a, b in itertools.pairwise(sizes)) > 20
