"""Where in the plane a bend acts: a rectangle, an ellipse, or a picture, with a soft edge.

    rect:X,Y,W,H         left, top, width, height, as shares of the sides
    ellipse:X,Y,RX,RY    centre and half axes, as shares of the sides
    image:FILE           white is in; black and transparent are out
    left                 the left half; also right, top, bottom
    ~ellipse:…           everywhere else

The four numbers may vary over time, so that a mask can move.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor

from bend.automation import Automation, parse, split
from bend.errors import SettingsError, UnreadableError
from bend.nearest import meant
from bend.prepare.colour import to_rgb
from stylegan.archive.picture import DECODER_ERRORS

__all__ = ["Mask", "parse_mask"]

_NUMBERS = {"rect": "X,Y,WIDTH,HEIGHT", "ellipse": "X,Y,RX,RY"}
# Only the edge in the middle is soft: the picture's own border is not an edge.
_HALVES = {
    "left": "rect:-9,-9,9.5,19",
    "right": "rect:.5,-9,9.5,19",
    "top": "rect:-9,-9,19,9.5",
    "bottom": "rect:-9,.5,19,9.5",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """A part of the plane; `parse_mask` reads `str()` of it back.

    Attributes:
        kind: `rect`, `ellipse` or `image`.
        numbers: four shares of the sides, for `rect` and `ellipse`.
        file: for `image`.
        is_outside: the mask is everything but this part.
    """

    kind: str
    numbers: tuple[Automation, ...] = ()
    file: str = ""
    is_outside: bool = False

    @property
    def varies(self) -> bool:
        """Whether it changes over time."""
        return any(number.varies for number in self.numbers)

    @property
    def files(self) -> tuple[str, ...]:
        """Its picture, if it is one."""
        return (self.file,) if self.kind == "image" else ()

    def at(self, t: float, height: int, width: int, soft: float) -> Tensor:
        """The mask `t` seconds from the start.

        Args:
            t: seconds.
            height: of the signal in pixels.
            width: of the signal in pixels.
            soft: width of the edge as a share of the sides.

        Returns:
            float32 `[H, W]`, 0 to 1, on the CPU.
        """
        numbers = tuple(number.at(t) for number in self.numbers)
        mask = _drawn(self.kind, numbers, self.file, height, width, soft)
        return 1 - mask if self.is_outside else mask

    def __str__(self) -> str:
        sign = "~" if self.is_outside else ""
        if self.kind == "image":
            return f"{sign}image:{self.file}"
        return f"{sign}{self.kind}:{','.join(_grouped(number) for number in self.numbers)}"


def parse_mask(text: str) -> Mask:
    """Read what follows `mask=`.

    Raises:
        SettingsError: it is not a mask.
        UnreadableError: its picture cannot be read.
    """
    is_outside = text.startswith("~")
    name = text.removeprefix("~")
    kind, _, rest = _HALVES.get(name, name).partition(":")
    kind = {"rectangle": "rect"}.get(kind, kind)
    if kind == "image":
        _picture(rest)
        return Mask(kind=kind, file=rest, is_outside=is_outside)
    if kind in _HALVES:
        raise SettingsError(f"mask {text}: {kind} takes no numbers")
    if kind not in _NUMBERS:
        raise SettingsError(f"{kind!r} is not a mask; {meant(kind, [*_NUMBERS, 'image', *_HALVES])}")
    parts = split(rest)
    if len(parts) != 4:
        raise SettingsError(f"mask {text}: {kind} takes {_NUMBERS[kind]}, such as {kind}:.5,.4,.2,.3")
    numbers = tuple(parse(part) for part in parts)
    if any(number.bounds()[0] < 0 for number in numbers[2:]):
        raise SettingsError(f"mask {text}: its size must not be negative")
    return Mask(kind=kind, numbers=numbers, is_outside=is_outside)


def _grouped(number: Automation) -> str:
    text = str(number)
    return f"({text})" if len(split(text)) > 1 else text


@functools.lru_cache(maxsize=32)
def _drawn(kind: str, numbers: tuple[float, ...], file: str, height: int, width: int, soft: float) -> Tensor:
    with torch.inference_mode(False):  # a training may use the cached tensors later
        if kind == "image":
            return _of_picture(file, height, width, soft)
        v = (torch.arange(height) + 0.5) / height
        u = (torch.arange(width) + 0.5) / width
        distance = _DISTANCES[kind](u[None, :], v[:, None], numbers)
        if soft == 0:
            return (distance <= 0).float()
        ramp = (0.5 - distance / soft).clamp(0, 1)
        return ramp * ramp * (3 - 2 * ramp)


def _to_rectangle(u: Tensor, v: Tensor, numbers: tuple[float, ...]) -> Tensor:
    """Signed distance to the edge, negative inside."""
    x, y, wide, high = numbers
    across = (u - x - wide / 2).abs() - wide / 2
    down = (v - y - high / 2).abs() - high / 2
    outside = torch.hypot(across.clamp(min=0), down.clamp(min=0))
    return outside + torch.maximum(across, down).clamp(max=0)


def _to_ellipse(u: Tensor, v: Tensor, numbers: tuple[float, ...]) -> Tensor:
    """Roughly the signed distance to the edge, negative inside."""
    x, y, rx, ry = numbers
    tiny = 1e-9
    relative = torch.hypot((u - x) / max(rx, tiny), (v - y) / max(ry, tiny))
    return (relative - 1) * min(rx, ry) if min(rx, ry) > 0 else torch.ones_like(relative)


_DISTANCES: dict[str, Callable[[Tensor, Tensor, tuple[float, ...]], Tensor]] = {
    "rect": _to_rectangle,
    "ellipse": _to_ellipse,
}


def _of_picture(file: str, height: int, width: int, soft: float) -> Tensor:
    picture = _picture(file).resize((width, height), Image.Resampling.BOX)
    if radius := soft * math.sqrt(height * width) / 2:
        picture = picture.filter(ImageFilter.GaussianBlur(radius))
    return torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255)


def _picture(file: str) -> Image.Image:
    try:
        with Image.open(Path(file)) as image:
            image.load()
            colours, _ = to_rgb(image, background=(0, 0, 0))
            return colours.convert("L")
    except (*DECODER_ERRORS, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or "not a picture that can be read"
        raise UnreadableError(f"mask image:{file}: {reason}; give a PNG or JPEG") from None
