"""Analyses a track: how strong a feature of its sound is at any moment, from 0 to 1.

The level of a band is in decibels, scaled so that the loudest twentieth of the track is 1, and 0 the quietest one or
what is 60 decibels below the loudest. Onsets are rises of the spectrum (spectral flux; Bello et al., IEEE TSAP 13(5),
2005), the strongest being 1, each of which fades out. PyAV decodes the files. Parameters follow a track by `audio(…)`,
see `bend.automation`.
"""

import contextlib
import functools
import itertools
import re
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bend.errors import SettingsError
from bend.media import media_url

__all__ = [
    "FEATURES",
    "Track",
    "check_feature",
    "heard_track",
    "hearing",
    "is_sound",
    "length_of",
    "level",
    "load_track",
]

Floats: TypeAlias = NDArray[np.float32]

RATE = 22050
"""Samples a second that tracks are analysed at."""
_WINDOW = 2048
_HOP = 441  # 50 analyses a second
_EARLY = round(_WINDOW / 4 / _HOP)
"""Analyses by which a strike is seen early: what enters a Hann window rises fastest a quarter before its middle."""
_BANDS = {"bass": (20.0, 150.0), "mid": (150.0, 2000.0), "treble": (2000.0, 10000.0)}
FEATURES = (*_BANDS, "loudness", "onset")
"""The named features; any band can also be given by its bounds."""
_BAND = re.compile(r"(\d+)-(\d+)hz", re.IGNORECASE)
_MOST_SECONDS = 4 * 3600
_PADDING_S = 0.1  # of codecs, at the ends of a track: packets hold it, headers leave it out
_LOUDEST = 1e6  # where full scale is 1
_FLOOR = 1e-10
_MOST_DECIBELS = 60.0
"""The range from 0 to 1, so that a pause, which may be infinitely quiet, does not leave the music without any."""
_CHUNK = 1024  # analyses at once


@dataclass(frozen=True, eq=False, slots=True)
class Track:
    """A decoded track.

    Attributes:
        path: the file.
        samples: mono, `[num_samples]` in [-1, 1] at `RATE`.
    """

    path: Path
    samples: Floats = field(repr=False)

    @property
    def seconds(self) -> float:
        """Length."""
        return len(self.samples) / RATE


def load_track(path: Path) -> Track:
    """Decode the first audio stream of a file, mixed to one channel.

    Raises:
        SettingsError: no audio in it, damaged, or longer than four hours.
        OSError: it cannot be read.
    """
    import av

    path.stat()  # for a clear error if the file is missing
    parts: list[Floats] = []
    try:
        with av.open(media_url(path)) as container:
            if not container.streams.audio:
                raise SettingsError(f"{path}: no sound in it; give a WAV, MP3, FLAC, OGG or M4A")
            resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
            num_samples = 0
            for frame in itertools.chain(container.decode(audio=0), [None]):
                for part in resampler.resample(frame):
                    num_samples += part.samples
                    if num_samples > _MOST_SECONDS * RATE:
                        raise SettingsError(f"{path}: longer than four hours; cut it")
                    parts.append(part.to_ndarray()[0])
    except av.error.FFmpegError as error:
        raise SettingsError(
            f"{path}: cannot be decoded as sound ({error.strerror}); give another file"
        ) from None
    samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    if not len(samples):
        raise SettingsError(f"{path}: no sound in it; give a WAV, MP3, FLAC, OGG or M4A")
    if not is_sound(samples):
        raise SettingsError(f"{path}: holds samples that are NaN or absurdly loud; give another file")
    return Track(path, samples)


def is_sound(samples: NDArray[Any]) -> bool:
    """Whether samples are numbers of a plausible size: a file of floats may hold anything."""
    return bool(np.abs(samples).max(initial=0) < _LOUDEST)  # false for nan


def length_of(path: Path) -> float | None:
    """Seconds of a track by its header, or by its packets if that only guesses, as for raw AAC; None for no track."""
    import av

    try:
        with av.open(media_url(path)) as container:
            packets = container.demux(audio=0) if container.streams.audio else ()
            ends = [
                float((one.pts + (one.duration or 0)) * one.time_base)
                for one in packets
                if one.pts is not None
            ]
            told = (container.duration or 0) / av.time_base
    except (OSError, av.error.FFmpegError):
        return None
    if not ends:
        return None
    return told if abs(told - ends[-1]) < _PADDING_S else ends[-1]


_HEARD: ContextVar[Track | None] = ContextVar("track", default=None)


@contextlib.contextmanager
def hearing(track: Track | None) -> Iterator[None]:
    """Have `audio(…)` follow a track for as long as the context lasts."""
    token = _HEARD.set(track)
    try:
        yield
    finally:
        _HEARD.reset(token)


def heard_track() -> Track | None:
    """The track of the innermost `hearing`; None outside of any."""
    return _HEARD.get()


def check_feature(feature: str) -> None:
    """Refuse an unknown feature.

    Raises:
        SettingsError: it is neither a name of `FEATURES` nor a band.
    """
    band = _BAND.fullmatch(feature)
    if feature not in FEATURES and band is None:
        raise SettingsError(
            f"audio: {feature!r} is unknown; choose from {', '.join(FEATURES)}, or a band such as 200-800hz"
        )
    if band and not 0 < float(band[1]) < float(band[2]) <= RATE / 2:
        raise SettingsError(f"audio: {feature} is not a band; give 1 to {RATE // 2} hz, the lower end first")


def level(track: Track, feature: str, smooth: float, t: float) -> float:
    """How strong a feature is at `t` seconds, from 0 to 1.

    Args:
        track: what is heard.
        feature: a name of `FEATURES` or a band, see `check_feature`.
        smooth: seconds to average over; of onsets, in which a strike fades to a third.
        t: seconds from the track's start.
    """
    curve = _curve(track, feature, smooth)
    return float(np.interp(t * RATE / _HOP, np.arange(len(curve)), curve))


@functools.lru_cache(maxsize=64)
def _curve(track: Track, feature: str, smooth: float) -> Floats:
    """The feature from 0 to 1 at every analysis, `[num_analyses]`."""
    if feature == "onset":
        return _ring(_onsets(track), smooth)
    return _stretched(_smoothed(_levels(track, feature), smooth))


def _spectra(track: Track) -> Iterator[Floats]:
    """Magnitudes `[n, bins]` around every hop, in chunks; the first analysis is centred on time 0."""
    padded = np.pad(track.samples, (_WINDOW // 2, _WINDOW))
    count = len(track.samples) // _HOP + 1
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP][:count]
    hann = np.hanning(_WINDOW).astype(np.float32)
    for start in range(0, count, _CHUNK):
        yield np.abs(np.fft.rfft(windows[start : start + _CHUNK] * hann, axis=1)).astype(np.float32)


def _levels(track: Track, feature: str) -> Floats:
    """Energy of the feature's band in decibels."""
    low, high = _range(feature)
    frequencies = np.fft.rfftfreq(_WINDOW, 1 / RATE)
    inside = (frequencies >= low) & (frequencies <= high)
    if not inside.any():  # a band narrower than the analysis: take the nearest bin
        inside[np.argmin(np.abs(frequencies - (low + high) / 2))] = True
    energy = np.concatenate([(part[:, inside] ** 2).mean(axis=1) for part in _spectra(track)])
    return (10 * np.log10(energy + _FLOOR)).astype(np.float32)


def _range(feature: str) -> tuple[float, float]:
    if feature == "loudness":
        return 0.0, RATE / 2
    if band := _BAND.fullmatch(feature):
        return float(band[1]), float(band[2])
    return _BANDS[feature]


def _onsets(track: Track) -> Floats:
    """How much the spectrum rises at every analysis, relative to the strongest rise."""
    flux: list[Floats] = []
    before = None
    for part in _spectra(track):
        logs = np.log1p(part)
        first = logs[:1] if before is None else before
        flux.append(np.maximum(np.diff(logs, axis=0, prepend=first), 0).sum(axis=1))
        before = logs[-1:]
    rises = np.concatenate([np.zeros(_EARLY, np.float32), *flux])[:-_EARLY]
    # A slow swell is not an onset: the mean rise of the second around is subtracted.
    usual = _smoothed(rises, 1.0)
    strikes: Floats = np.maximum(rises - usual, 0)
    return strikes / max(float(strikes.max()), _FLOOR)


def _ring(strikes: Floats, seconds: float) -> Floats:
    """Let every strike fade to a third in `seconds`."""
    if seconds == 0:
        return strikes
    decay = (1 / 3) ** (_HOP / RATE / seconds)
    ringing = np.empty_like(strikes)
    level = 0.0
    for index, strike in enumerate(strikes):
        level = max(float(strike), level * decay)
        ringing[index] = level
    return ringing


def _smoothed(values: Floats, seconds: float) -> Floats:
    """A moving average, centred so that it does not lag."""
    width = round(seconds * RATE / _HOP) | 1
    if width <= 1 or len(values) < 2:
        return values
    padded = np.pad(values, width // 2, mode="edge")
    return np.convolve(padded, np.full(width, 1 / width, np.float32), mode="valid").astype(np.float32)


def _stretched(levels: Floats) -> Floats:
    quiet, loud = np.percentile(levels, [5, 95])
    quiet = max(quiet, loud - _MOST_DECIBELS)
    if loud - quiet < 1e-3:
        return np.zeros_like(levels)
    return ((levels - quiet) / (loud - quiet)).clip(0, 1).astype(np.float32)
