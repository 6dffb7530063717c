"""Writes track.wav, the eight seconds that `audio-reactive.toml` listens to: a drum, a bass, a bell, all synthesised.

Nothing is sampled from anywhere; script and sound are given to the public domain (CC0 1.0). The same numbers give the
same bytes, so the track can be made anew: `python examples/make_track.py`.
"""

import wave
from pathlib import Path

import numpy as np

__all__ = ["RATE", "SECONDS", "synthesise", "write_track"]

RATE = 16000
"""Samples a second."""
SECONDS = 8
"""Length: four bars of four beats at 120 a minute."""
_BEAT = 0.5  # seconds
_BASS = (55.0, 55.0, 65.41, 49.0)  # hertz, a note a bar: A, A, C, G
_BELLS = ((1.75, 880.0), (3.25, 1046.5), (3.75, 783.99), (5.75, 1174.66), (7.0, 880.0), (7.5, 659.26))


def synthesise() -> np.ndarray:
    """The track, `[RATE * SECONDS]`, int16."""
    track = np.zeros(RATE * SECONDS)
    for beat in range(SECONDS * 2):
        if beat % 4 in {0, 2}:
            _add(track, beat * _BEAT, _drum(), 0.9)
        _add(track, beat * _BEAT + _BEAT / 2, _hiss(seed=beat), 0.12)
        _add(track, beat * _BEAT + _BEAT / 4, _tone(_BASS[beat // 4], seconds=0.2, fade=16), 0.2)
    for time, pitch in _BELLS:
        _add(track, time, _tone(pitch, seconds=0.9, fade=5) * _tone(pitch * 2.76, seconds=0.9, fade=1), 0.5)
    return np.round(np.tanh(track) * 30000).astype(np.int16)


def write_track(path: Path) -> None:
    """Write the track as a mono WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(synthesise().astype("<i2").tobytes())


def _add(track: np.ndarray, time_s: float, sound: np.ndarray, gain: float) -> None:
    start = round(time_s * RATE)
    length = min(len(sound), len(track) - start)
    track[start : start + length] += gain * sound[:length]


def _clock(seconds: float) -> np.ndarray:
    return np.arange(round(seconds * RATE)) / RATE


def _drum() -> np.ndarray:
    """A sine that falls from 160 to 45 Hz."""
    t = _clock(0.35)
    return np.sin(2 * np.pi * (45 * t + 115 / 22 * (1 - np.exp(-22 * t)))) * np.exp(-9 * t)


def _tone(pitch: float, *, seconds: float, fade: float) -> np.ndarray:
    t = _clock(seconds)
    return np.sin(2 * np.pi * pitch * t) * np.exp(-fade * t)


def _hiss(*, seed: int) -> np.ndarray:
    t = _clock(0.12)
    return np.random.RandomState(seed).randn(len(t)) * np.exp(-40 * t)


if __name__ == "__main__":
    write_track(Path(__file__).with_name("track.wav"))
