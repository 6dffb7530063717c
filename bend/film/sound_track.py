"""The sound of a film: a track is decoded, cut to the length of the film, and encoded as AAC beside the pictures.

Sample k of the track is sample k of the film, so that sound and pictures stay together to a frame. The analysis of a
track, for parameters that follow it, is in `bend.sound`.
"""

from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from bend.errors import SettingsError
from bend.media import media_url
from bend.sound import is_sound

__all__ = ["SoundTrack"]

_RATE = 48000
_BITS_PER_SECOND = 192_000
_FRAME = 1024  # samples of an AAC frame


class SoundTrack:
    """Encodes a track into a container.

    Args:
        path: the track.
    """

    def __init__(self, path: Path) -> None:
        self._frames = _frames(path)
        self._container: Any = None
        self._stream: Any = None
        self._position = 0

    def join(self, container: Any) -> None:
        """Add a stream to a container that is open for writing and has no packets yet."""
        self._container = container
        self._stream = container.add_stream("aac", rate=_RATE, layout="stereo")
        self._stream.bit_rate = _BITS_PER_SECOND

    def play_until(self, seconds: Fraction) -> None:
        """Encode up to `seconds` of the film, rounded up to an AAC frame."""
        end = round(seconds * _RATE)
        while self._position < end:
            frame = next(self._frames, None)
            if frame is None:
                return
            self._encode(frame)

    def end(self) -> None:
        """Write what the encoder still holds."""
        self._container.mux(self._stream.encode(None))
        self._frames.close()

    def _encode(self, frame: av.AudioFrame) -> None:
        frame.pts, frame.time_base = self._position, Fraction(1, _RATE)
        self._position += frame.samples
        self._container.mux(self._stream.encode(frame))


def _frames(path: Path) -> Generator[av.AudioFrame, None, None]:
    """The track as frames of 1024 samples, stereo, 48 kHz."""
    try:
        with av.open(media_url(path)) as container:
            resampler = av.AudioResampler(format="fltp", layout="stereo", rate=_RATE, frame_size=_FRAME)
            for frame in container.decode(audio=0):
                yield from map(_sound, resampler.resample(frame))
            yield from map(_sound, resampler.resample(None))
    except (av.error.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(f"{path}: cannot be decoded as sound ({reason}); give another file") from None


def _sound(frame: av.AudioFrame) -> av.AudioFrame:
    """The frame; refuses samples that an encoder cannot take."""
    if not is_sound(frame.to_ndarray()):
        raise ValueError("it holds samples that are NaN or absurdly loud")
    return frame
