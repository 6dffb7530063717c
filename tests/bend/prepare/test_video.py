"""Videos to frames: which frames, how they are rotated and coloured, and what is refused."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from bend.errors import IntakeError
from bend.prepare import video
from bend.prepare.video import VIDEO_SUFFIXES, Shot, shots
from tests.bend.prepare.pictures import BLUE, GREEN, GREY, RED, quadrants
from tests.bend.prepare.videos import CODECS, MATRICES, cut, film, scene, turned, write_video
from tests.stylegan.archive.zips import encoded

FASTSTART = {"movflags": "+faststart"}


def _shots(path: Path, **settings: Any) -> list[Shot]:
    return list(shots(path, **{"every_s": 1.0, "max_frames": 1000} | settings))


def _pixels(shot: Shot) -> np.ndarray:
    return np.asarray(shot.picture.image).astype(int)


def _reason(path: Path) -> tuple[str, str]:
    with pytest.raises(IntakeError) as caught:
        _shots(path)
    assert "\n" not in str(caught.value)
    return caught.value.reason, str(caught.value)


def test_every_suffix_is_tested() -> None:
    assert set(CODECS) == VIDEO_SUFFIXES


@pytest.mark.parametrize("suffix", sorted(VIDEO_SUFFIXES))
def test_one_frame_a_second_shows_what_was_filmed(tmp_path: Path, suffix: str) -> None:
    found = _shots(film(tmp_path / f"a{suffix}"))
    assert [shot.time_s for shot in found] == [0, 1, 2, 3]
    for number, shot in enumerate(found):
        assert shot.picture.full_size == shot.picture.image.size == (64, 48)
        errors = [np.abs(_pixels(shot) - scene(other)).mean() for other in range(4)]
        assert int(np.argmin(errors)) == number
        assert errors[number] < 12


@pytest.mark.parametrize(
    ("fps", "every_s", "times"),
    [
        (10, 0.5, [0, 0.5, 1, 1.5]),
        (10, 0.25, [0, 0.3, 0.5, 0.8, 1, 1.3, 1.5, 1.8]),
        (10, 0.001, [i / 10 for i in range(20)]),
        (10, 60, [0]),
        (Fraction(30000, 1001), 0.3, [0, 0.3003, 0.6006]),
    ],
)
def test_the_first_frame_at_or_after_each_time_is_taken(
    tmp_path: Path, fps: Any, every_s: float, times: list[float]
) -> None:
    path = write_video(tmp_path / "a.mp4", [scene(0, 32, 32)] * 20, fps=fps)
    assert [shot.time_s for shot in _shots(path, every_s=every_s)] == pytest.approx(times, abs=1e-3)


def test_more_frames_than_wanted_are_spread_over_the_length(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 6)
    found = _shots(path, max_frames=3)
    assert [shot.time_s for shot in found] == [0, 2, 4]
    assert found[0].picture.notes == ("spread-frames",)
    assert [shot.picture.notes for shot in _shots(path, max_frames=6)] == [()] * 6
    assert {shot.picture.notes for shot in _shots(path, every_s=0.3)} == {()}
    with pytest.raises(IntakeError, match="ends after"):
        _shots(cut(film(tmp_path / "a.mkv", 6), 0.5), max_frames=2)


@pytest.mark.parametrize(
    ("turn", "corners"),
    [
        ("right", (BLUE, RED, GREY, GREEN)),
        ("over", (GREY, BLUE, GREEN, RED)),
        ("left", (GREEN, GREY, RED, BLUE)),
        ("mirrored", (GREEN, RED, GREY, BLUE)),
    ],
)
def test_frames_are_turned_upright(tmp_path: Path, turn: str, corners: tuple[Any, ...]) -> None:
    path = turned(write_video(tmp_path / "a.mp4", [quadrants(96, 64)] * 3), MATRICES[turn])
    (shot,) = _shots(path)
    assert shot.picture.full_size == ((64, 96) if turn in ("left", "right") else (96, 64))
    pixels = _pixels(shot)
    found = [pixels[8, 8], pixels[8, -8], pixels[-8, 8], pixels[-8, -8]]
    assert np.abs(np.array(found) - corners).max() < 12


@pytest.mark.parametrize(
    ("size", "settings", "conversion"),
    [
        ((96, 64), {}, {"dst_colorspace": "ITU601"}),
        ((1280, 720), {}, {"dst_colorspace": "ITU709"}),
        ((96, 64), {"colorspace": 1}, {"dst_colorspace": "ITU709"}),
        ((96, 64), {"color_range": 2}, {"dst_colorspace": "ITU601", "dst_color_range": "JPEG"}),
    ],
)
def test_colours_are_those_filmed(
    tmp_path: Path, size: tuple[int, int], settings: dict[str, Any], conversion: dict[str, Any]
) -> None:
    whole = {"src_color_range": "JPEG", "dst_color_range": "MPEG"} | conversion
    frames = [quadrants(*size)] * 2
    (shot,) = _shots(write_video(tmp_path / "a.mp4", frames, settings=settings, conversion=whole))
    middle = size[1] // 4
    assert np.abs(_pixels(shot)[middle, middle] - RED).max() < 6


def test_alpha_shows_the_background(tmp_path: Path) -> None:
    frame = np.dstack([quadrants(), np.full((32, 48), 255, np.uint8)])
    frame[:16, :, 3] = 0
    argb = np.ascontiguousarray(np.roll(frame, 1, axis=2))
    path = write_video(
        tmp_path / "a.mov", [argb] * 2, codec="qtrle", pixel_format="argb", source_format="argb"
    )
    (shot,) = _shots(path, background=(1, 2, 3))
    assert _pixels(shot)[4, 4].tolist() == [1, 2, 3]
    assert _pixels(shot)[-4, 4].tolist() == list(BLUE)


def test_pixels_that_are_not_square_are_stretched(tmp_path: Path) -> None:
    wide = write_video(
        tmp_path / "a.mp4", [quadrants()] * 2, settings={"sample_aspect_ratio": Fraction(4, 3)}
    )
    assert _shots(wide)[0].picture.full_size == (64, 32)
    high = write_video(
        tmp_path / "b.mp4", [quadrants()] * 2, settings={"sample_aspect_ratio": Fraction(1, 2)}
    )
    assert _shots(high)[0].picture.full_size == (48, 64)


def test_hdr_is_noted(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [quadrants()] * 2, settings={"color_trc": 18})
    assert _shots(path)[0].picture.notes == ("hdr",)


@pytest.mark.parametrize(
    ("name", "share", "options", "reason"),
    [
        ("a.mp4", 0.6, {}, "damaged"),  # its index was at the end
        ("a.mp4", 0.6, FASTSTART, "truncated"),
        ("a.mp4", 0.6, {"movflags": "+frag_keyframe+empty_moov"}, "truncated"),
        ("a.mkv", 0.5, {}, "truncated"),
        ("a.webm", 0.5, {}, "truncated"),
        ("a.avi", 0.5, {}, "truncated"),
        ("a.mp4", 0.01, {}, "damaged"),
        ("a.mp4", 0, {}, "not-a-video"),
    ],
)
def test_a_cut_video_is_refused(
    tmp_path: Path, name: str, share: float, options: dict[str, str], reason: str
) -> None:
    assert _reason(cut(film(tmp_path / name, options=options), share))[0] == reason


def test_a_recording_whose_clock_does_not_begin_at_nought_is_whole(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", options={"output_ts_offset": "40"})
    assert [shot.time_s for shot in _shots(path, max_frames=2)] == [0, 2]
    assert _reason(cut(path, 0.5))[0] == "truncated"


def test_a_damaged_video_is_refused(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", options=FASTSTART)
    data = bytearray(path.read_bytes())
    data[-2000:-1500] = b"\x55" * 500
    path.write_bytes(data)
    assert _reason(path)[0] == "damaged"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<html>gone</html>", "a web page"),
        (b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", "a text file"),
        (encoded(quadrants(), "JPEG"), "a JPEG picture, not a video"),
        (b"PK\x03\x04abc", "a zip"),
    ],
)
def test_what_is_no_video_is_told(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    reason, message = _reason(tmp_path / "a.mp4")
    assert reason == "not-a-video"
    assert words in message


def test_other_containers_are_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w", format="flv") as container:
        stream = container.add_stream("flv", rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(quadrants(), format="rgb24")))
        container.mux(stream.encode(None))
    assert _reason(path)[0] == "damaged"


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.m4v"), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert _reason(tmp_path / "a.m4v")[0] == "no-video"


def test_size_and_length_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = film(tmp_path / "a.mp4", 1)
    monkeypatch.setattr(video, "MAX_DECODED", 9)
    assert _reason(path)[0] == "too-long"
    monkeypatch.setattr(video, "MAX_FRAME_PIXELS", 64 * 47)
    assert _reason(path) == ("too-many-pixels", "64×48, more than 3,008 pixels a frame")


@pytest.mark.parametrize("name", ["http:a.mp4", "concat:a|b.mp4", "data:,x.mp4", "%03d.mp4"])
def test_names_are_never_taken_for_addresses(tmp_path: Path, name: str) -> None:
    film(tmp_path / "a.mp4", 1).rename(tmp_path / name)
    assert len(_shots(tmp_path / name)) == 1


def test_frames_do_not_depend_on_the_decoder_s_threads(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4")
    one, four = (_shots(path, num_threads=threads, every_s=0.3) for threads in (1, 4))
    assert [shot.time_s for shot in one] == [shot.time_s for shot in four]
    assert all(np.array_equal(_pixels(a), _pixels(b)) for a, b in zip(one, four, strict=True))


def test_a_missing_file_is_no_fault_of_the_video_s(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        _shots(tmp_path / "none.mp4")
