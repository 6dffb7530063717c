"""What is heard in a track: bands, loudness and strikes, at the right moment; and what is not a track."""

import math
import struct
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from bend.automation import Heard, parse
from bend.errors import SettingsError
from bend.film.sound_track import SoundTrack
from bend.sound import RATE, Track, hearing, length_of, level, load_track


def tone(seconds: float, hertz: float, loud: float = 0.5) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    return (loud * np.sin(2 * math.pi * hertz * t)).astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


def track(*parts: np.ndarray) -> Track:
    return Track(Path("made"), np.concatenate(parts))


def save_wav(path: Path, samples: np.ndarray, rate: int = RATE, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.repeat(samples, channels) * 32767).astype("<i2").tobytes())
    return path


@pytest.mark.parametrize(("feature", "loud_at"), [("bass", 1), ("mid", 3), ("treble", 5), ("900-1100hz", 3)])
def test_bands_hear_their_own_tone(feature: str, loud_at: int) -> None:
    heard = track(silence(0.5), tone(1, 60), silence(1), tone(1, 1000), silence(1), tone(1, 5000), silence(1))
    levels = {t: level(heard, feature, 0.05, t) for t in (1, 3, 5)}
    assert levels.pop(loud_at) > 0.9
    assert max(levels.values()) < 0.6
    assert level(heard, feature, 0.05, 2) < 0.1


def test_loudness_follows_the_volume() -> None:
    heard = track(*(tone(1, 440, loud) for loud in (0.01, 0.1, 1.0)))
    quiet, middle, loud = (level(heard, "loudness", 0, t) for t in (0.5, 1.5, 2.5))
    assert quiet == pytest.approx(0, abs=0.02)
    assert middle == pytest.approx(0.5, abs=0.02)  # decibels: each step is the same
    assert loud == pytest.approx(1, abs=0.02)


def test_a_pause_does_not_take_the_range_from_the_music() -> None:
    music = [tone(1, 440, loud) for loud in (0.02, 0.2)]
    heard = track(*music, silence(1), *music)
    quiet, loud, pause = (level(heard, "loudness", 0, t) for t in (0.5, 1.5, 2.5))
    assert (loud, pause) == (pytest.approx(1, abs=0.02), 0)
    assert loud - quiet == pytest.approx(1 / 3, abs=0.02)  # 20 of 60 decibels


def test_strikes_are_heard_when_they_fall_and_fade_as_told() -> None:
    rng = np.random.default_rng(0)
    strike = (rng.standard_normal(RATE // 50) * 0.5).astype(np.float32)
    samples = np.zeros(5 * RATE, np.float32)
    for second in (1, 3):
        samples[second * RATE : second * RATE + len(strike)] += strike
    heard = track(samples)
    for second in (1, 3):
        levels = [level(heard, "onset", 0.3, second + offset) for offset in np.arange(-0.2, 0.2, 0.02)]
        assert -0.2 + 0.02 * int(np.argmax(levels)) == pytest.approx(0, abs=0.01)
        peak = max(levels)
        assert level(heard, "onset", 0.3, second - 0.1) < 0.05
        at = second - 0.2 + 0.02 * int(np.argmax(levels))
        assert level(heard, "onset", 0.3, at + 0.3) == pytest.approx(peak / 3, rel=0.1)


def test_nothing_in_it_is_nothing_heard() -> None:
    still = track(silence(2))
    assert [level(still, feature, 0.05, 1) for feature in ("bass", "loudness", "onset")] == [0, 0, 0]


def test_a_parameter_hears_the_track_of_its_film_only() -> None:
    heard = track(silence(1), tone(1, 60), silence(1))
    automation = parse("audio(bass, 10..20)")
    assert automation == Heard(feature="bass", low=10, high=20)
    assert parse(str(automation)) == automation
    assert automation.varies and automation.bounds() == (10, 20)
    with hearing(heard):
        assert automation.at(0.2) == pytest.approx(10, abs=0.1)
        assert automation.at(1.5) == pytest.approx(20, abs=0.1)
    with pytest.raises(SettingsError, match="only a film with --audio FILE has a track"):
        automation.at(0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("audio(bass)", "what to hear and a range"),
        ("audio(drums,0..1)", "choose from bass, mid, treble, loudness, onset"),
        ("audio(800-200hz,0..1)", "is not a band"),
        ("audio(0-200hz,0..1)", "is not a band"),
        ("audio(bass,0..1,-1s)", "smooth over 0 to 60 s"),
    ],
)
def test_refusals(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        parse(text)


@pytest.mark.parametrize(("rate", "channels"), [(RATE, 1), (44100, 2), (8000, 1)])
def test_files_are_decoded_to_one_channel_at_our_rate(tmp_path: Path, rate: int, channels: int) -> None:
    t = np.arange(rate) / rate
    path = save_wav(tmp_path / "a.wav", np.sin(2 * math.pi * 440 * t) * 0.5, rate, channels)
    loaded = load_track(path)
    assert loaded.seconds == pytest.approx(1, abs=0.01)
    spectrum = np.abs(np.fft.rfft(loaded.samples))
    assert np.argmax(spectrum) / loaded.seconds == pytest.approx(440, abs=2)
    assert 0.45 < np.abs(loaded.samples).max() < 0.75  # two channels are mixed at equal power


def test_a_name_is_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = save_wav(Path("take:1.wav"), tone(1, 440))
    assert length_of(path) == 1
    assert load_track(path).seconds == 1
    with av.open("a.mp4", "w") as container:
        playing = SoundTrack(path)
        playing.join(container)
        playing.play_until(Fraction(1))


def test_the_length_of_a_track_whose_header_only_guesses(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, RATE).astype(np.float32)
    loud_first = np.concatenate([noise, silence(4)])
    with av.open(str(tmp_path / "a.aac"), "w") as container:
        stream = container.add_stream("aac", rate=RATE, layout="mono")
        for start in range(0, len(loud_first), 1024):
            frame = av.AudioFrame.from_ndarray(loud_first[None, start : start + 1024], "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert length_of(tmp_path / "a.aac") == pytest.approx(5, abs=0.1)
    (tmp_path / "b.aac").write_text("no sound")
    assert length_of(tmp_path / "b.aac") is None
    assert length_of(tmp_path / "none.aac") is None


def test_what_is_no_track_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "a.wav"
    text.write_text("no sound")
    with pytest.raises(SettingsError, match="cannot be decoded as sound"):
        load_track(text)
    with pytest.raises(SettingsError, match="no sound in it"):
        load_track(save_wav(tmp_path / "b.wav", np.zeros(0)))
    with pytest.raises(FileNotFoundError):
        load_track(tmp_path / "none.wav")


@pytest.mark.parametrize("value", [math.nan, math.inf, 3e38])
def test_samples_of_floats_that_are_no_sound_are_refused(tmp_path: Path, value: float) -> None:
    data = np.full(9000, value, "<f4").tobytes()
    head = struct.pack("<IHHIIHH", 16, 3, 1, RATE, 4 * RATE, 4, 32)
    path = tmp_path / "a.wav"
    path.write_bytes(
        b"RIFF"
        + struct.pack("<I", 36 + len(data))
        + b"WAVEfmt "
        + head
        + b"data"
        + struct.pack("<I", len(data))
        + data
    )
    with pytest.raises(SettingsError, match="samples that are NaN or absurdly loud"):
        load_track(path)
    playing = SoundTrack(path)
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        playing.join(container)
        with pytest.raises(SettingsError, match="samples that are NaN or absurdly loud"):
            playing.play_until(Fraction(1))


def test_hours_in_a_small_file_are_refused_before_they_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bend.sound._MOST_SECONDS", 100)
    slow = save_wav(tmp_path / "a.wav", np.zeros(200), rate=1)  # 200 samples, one a second
    with pytest.raises(SettingsError, match="longer than four hours"):
        load_track(slow)
