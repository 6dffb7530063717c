"""A take: a performance as it was played, recorded so that it can be rendered again at full quality.

Every frame records the point in w and the value of every parameter. At the end, the points become a path, and each
parameter that was moved becomes keyframes; a parameter that only an oscillator moved keeps its oscillator. A bend that
came or went in the middle is in the film throughout, but mixed in only while it was on. What is fixed within a film (a
network, a class) ends the take when it changes: `recording` goes on with another.
"""

import dataclasses
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bend.automation import Automation, Constant, Keyframes
from bend.bends.grammar import BendSpec
from bend.dial.amount import Amount
from bend.studio.patch import DialSetting, Module, Patch
from bend.studio.shelf import Opened

__all__ = ["LONGEST", "Take", "Track"]

LONGEST = 600.0
"""The greatest length of a take, in seconds."""
_SHORTEST = 0.1
_FRAME = 1 / 24
_STEP = 0.001
_IDLE = 0.15
"""If frames are further apart than this, in seconds, nothing moved in between: what stands still is not drawn."""
_SAME = {
    "network": "network",
    "weights": "set of weights",
    "noise_mode": "kind of noise",
    "class_index": "class",
}
"""The attributes of a patch that are fixed within a film, and their names for the player."""


@dataclass(slots=True)
class Track:
    """One parameter over a take.

    Attributes:
        is_stepped: whether it jumps from value to value, as a seed does.
    """

    is_stepped: bool = False
    _automations: list[Automation] = field(default_factory=list)
    _frames: list[tuple[float, float]] = field(default_factory=list)

    def add(self, seconds: float, automation: Automation) -> None:
        """Record its value in a frame, later than the one before."""
        if not self._automations or self._automations[-1] != automation:
            self._automations.append(automation)
        value = automation.at(seconds)
        if self._frames:
            before, last = self._frames[-1]
            hold = seconds - (_STEP if self.is_stepped else _FRAME)
            stood = self.is_stepped or seconds - before > _IDLE
            if value != last and stood and hold > before + _STEP:
                self._frames.append((hold, last))
        if not self._frames or seconds > self._frames[-1][0] + _STEP / 2:
            if len(self._frames) > 1 and self._frames[-1][1] == self._frames[-2][1] == value:
                self._frames.pop()
            self._frames.append((seconds, value))

    def automation(self) -> Automation:
        """Its course over the take."""
        if len(self._automations) == 1:
            return self._automations[0]
        frames = _rounded(_thinned(self._frames))
        if len(frames) == 1:
            return Constant(frames[0][1])
        return Keyframes(tuple(t for t, _ in frames), tuple(value for _, value in frames))


class Take:
    """A performance while it is being played.

    Args:
        resolution: of the network's pictures.
        last_kimg: training time of a run's last snapshot, which a patch without `kimg` plays; None for a plain network.

    Attributes:
        resolution: as given.
        patch: the first one; None while nothing has been played.
        seconds: its length, once it has ended.
    """

    def __init__(self, *, resolution: int, last_kimg: float | None = None) -> None:
        self.resolution = resolution
        self.patch: Patch | None = None
        self.seconds = 0.0
        self._last_kimg = last_kimg
        self._opened: Opened | None = None
        self._is_timed = False
        self._base: str | None = None
        self._trunc = Track()
        self._kimg = Track()
        self._dial: dict[str, Track] = {}
        self._modules: dict[tuple[str, str], _ModuleTracks] = {}
        self._times: list[float] = []
        self._points: list[NDArray[np.float32]] = []
        self._seen = 0.0

    @property
    def opened(self) -> Opened:
        """The networks that draw it."""
        assert self._opened is not None
        return self._opened

    def uses(self, opened: Opened) -> None:
        """These networks have drawn a frame; a base stays although the dial goes back to none."""
        before = None if self._opened is None else self._opened.base
        self._opened = dataclasses.replace(opened, base=opened.base or before)

    def other(self, patch: Patch) -> str | None:
        """What of a patch differs from the take but is fixed within its film, in words; None if nothing does."""
        if self.patch is None:
            return None
        for name, words in _SAME.items():
            if getattr(patch, name) != getattr(self.patch, name):
                return words
        bases = {self._base, patch.dial.base} - {None}
        return "base" if len(bases) > 1 else None

    def add(self, seconds: float, patch: Patch, w: NDArray[np.float32]) -> None:
        """Record a frame.

        Args:
            seconds: since the take began, more than before.
            patch: as it was played; `other` gives None for it.
            w: the point `[w_dim]`, before truncation.
        """
        self.patch = self.patch or patch
        self._base = self._base or patch.dial.base
        self._trunc.add(seconds, patch.trunc)
        if self._last_kimg is not None:
            self._is_timed |= patch.kimg is not None
            self._kimg.add(seconds, Constant(self._last_kimg) if patch.kimg is None else patch.kimg)
        _add_amount(self._dial, seconds, Amount() if patch.dial.base is None else patch.dial.parsed())
        heard = {_identity(module): module for module in patch.modules if module.on}
        for key, module in heard.items():
            if key not in self._modules:
                self._modules[key] = _ModuleTracks.of(module, seconds)
        for key, tracks in self._modules.items():
            tracks.add(seconds, heard.get(key))
        self._add_point(seconds, w)

    def end(self, seconds: float) -> None:
        """End the take at this length."""
        self.seconds = max(min(seconds, LONGEST), _SHORTEST)

    def path(self) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """The path of the point: times `[K]` and points `[K, w_dim]`, K at least 2, the last one at the end."""
        times, points = list(self._times), list(self._points)
        times.append(max(self.seconds, times[-1] + _STEP))
        points.append(points[-1])
        return np.asarray(times, np.float64), np.stack(points)

    def played(self) -> Patch:
        """The patch with every parameter as it was moved, but for its bends."""
        assert self.patch is not None
        kimg = self._kimg.automation() if self._is_timed else None
        dial = DialSetting(base=self._base, amount=_amount_text(self._dial))
        return dataclasses.replace(self.patch, trunc=self._trunc.automation(), kimg=kimg, dial=dial)

    def bends(self) -> tuple[BendSpec, ...]:
        """All bends that were on at any time, as they were moved."""
        return tuple(tracks.spec() for tracks in self._modules.values())

    def _add_point(self, seconds: float, w: NDArray[np.float32]) -> None:
        seen, self._seen = self._seen, seconds
        if self._points:
            if np.array_equal(self._points[-1], w):
                return
            stood_until = seconds - _FRAME if seconds - seen > _IDLE else seen
            if stood_until > self._times[-1] + _STEP:
                self._times.append(stood_until)
                self._points.append(self._points[-1])
            if seconds <= self._times[-1] + _STEP / 2:
                return
        self._times.append(seconds)
        self._points.append(np.array(w, np.float32))


@dataclass(slots=True, kw_only=True)
class _ModuleTracks:
    """A bend over a take."""

    module: Module
    values: list[Track]
    mix: Track

    @classmethod
    def of(cls, module: Module, seconds: float) -> "_ModuleTracks":
        """A bend that is first on at `seconds`."""
        values = [Track(is_stepped=parameter.is_whole) for parameter in module.spec.row.parameters]
        tracks = cls(module=module, values=values, mix=Track(is_stepped=True))
        if seconds > _FRAME:
            tracks.mix.add(0.0, Constant(0.0))
        return tracks

    def add(self, seconds: float, module: Module | None) -> None:
        self.mix.add(seconds, Constant(0.0) if module is None else module.spec.mix)
        for track, value in zip(self.values, module.spec.values if module else (), strict=False):
            track.add(seconds, value)

    def spec(self) -> BendSpec:
        return dataclasses.replace(
            self.module.spec,
            values=tuple(track.automation() for track in self.values),
            mix=self.mix.automation(),
        )


def _identity(module: Module) -> tuple[str, str]:
    """The part of a bend that cannot vary over time: if it changes, this is another bend."""
    spec = module.spec
    return module.key, f"{spec.name}@{spec.tap}/{spec.channels}/{spec.mask}/{spec.soft}/{spec.edge}"


def _add_amount(tracks: dict[str, Track], seconds: float, amount: Amount) -> None:
    # An amount is written either as one number or by layer, so a take with both is recorded by layer.
    if not amount.layers:
        if not tracks or list(tracks) == [""]:
            tracks.setdefault("", Track()).add(seconds, amount.overall)
            return
        for track in tracks.values():
            track.add(seconds, amount.overall)
        return
    whole = tracks.pop("", None)
    for name, automation in amount.layers:
        if name not in tracks:
            tracks[name] = _begun_as(whole)
        tracks[name].add(seconds, automation)


def _begun_as(track: Track | None) -> Track:
    """A new track that begins with the history of another."""
    if track is None:
        return Track()
    return Track(
        is_stepped=track.is_stepped, _automations=list(track._automations), _frames=list(track._frames)
    )


def _amount_text(tracks: dict[str, Track]) -> str:
    if list(tracks) == [""]:
        return str(tracks[""].automation())
    return ",".join(f"{name}={track.automation()}" for name, track in tracks.items())


def _thinned(frames: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Without the frames that lie on a straight line between their neighbours; times are whole milliseconds."""
    values = [value for _, value in frames]
    slack = (max(values) - min(values)) * 1e-3
    kept: list[tuple[float, float]] = []
    for t, value in frames:
        while len(kept) > 1 and _on_line(kept[-2], kept[-1], (t, value), slack):
            kept.pop()
        at = round(t, 3)
        if kept and at <= kept[-1][0]:
            continue
        kept.append((at, value))
    return kept


def _rounded(frames: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """With no more digits than make a difference: sound moves a parameter in every frame, and all that is text."""
    values = [value for _, value in frames]
    low, high = min(values), max(values)
    if low == high:
        return frames
    digits = 4 - math.floor(math.log10(high - low))
    return [(t, min(max(round(value, digits), low), high)) for t, value in frames]  # none beyond those played


def _on_line(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float], slack: float) -> bool:
    if c[0] <= a[0]:
        return False
    expected = a[1] + (c[1] - a[1]) * (b[0] - a[0]) / (c[0] - a[0])
    return abs(expected - b[1]) <= slack
