"""Decides whether a bend is alive: it has changed the pictures, and they still show something.

Pictures are compared as in `bend.score`, by features of the network's own discriminator or, without one, by the
pictures themselves at low resolution. Noise is recognised by the low correlation of neighbouring pixels.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bend.picture import Pixels
from bend.score.features import Ruler, feature_maps
from bend.score.measures import diversity, paired_distance
from stylegan.discriminator import Discriminator

__all__ = ["Judge", "Verdict"]

_LEAST_CHANGE = 0.3  # of the mean distance between two unbent pictures
_LEAST_DIVERSITY = 1 / 3
_LEAST_SPREAD = 8.0  # standard deviation of the grey levels of a picture; with less, it is blank
_MOST_CLIPPED = 0.6  # share of pixels that are black or white
_LEAST_LIKENESS = 0.25  # correlation of neighbouring pixels; with less, a picture is noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The judgement of a bend's pictures.

    Attributes:
        distance: from the unbent pictures, in units of the unbent pictures' diversity.
        diversity: of the bent pictures, in the same units.
        fault: `unchanged`, `blank`, `noise`, `alike`; empty for a bend that is alive.
    """

    distance: float
    diversity: float
    fault: str = ""


class Judge:
    """Compares pictures with those of the unbent network, on the same seeds.

    Args:
        pictures: of the unbent network, uint8 `[N, H, W, 3]`, N at least 3.
        D: the discriminator whose features are compared; None for the pixels themselves.
    """

    def __init__(self, pictures: Pixels, D: Discriminator | None) -> None:
        self._D = D
        maps = self._maps(pictures)
        self._ruler = Ruler.of([maps])
        self._unit = max(diversity(self._ruler.places(maps)).value, 1e-9)

    def judge(self, pictures: Pixels, home: Pixels) -> Verdict:
        """Judge bent pictures.

        Args:
            pictures: uint8 `[N, H, W, 3]`.
            home: of the unbent network, the same seeds in the same order.
        """
        places, at_home = (self._ruler.places(self._maps(some)) for some in (pictures, home))
        distance = paired_distance(places, at_home).value / self._unit
        varied = diversity(places).value / self._unit
        return Verdict(distance=distance, diversity=varied, fault=_fault(pictures, distance, varied))

    def _maps(self, pictures: Pixels) -> Tensor:
        images = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
        if self._D is None:
            small = torch.nn.functional.adaptive_avg_pool2d(images, 16)
            return small.reshape(len(small), -1, 16)
        if self._D.img_channels == 1:
            images = images[:, :1]
        device = next(self._D.parameters()).device
        return feature_maps(self._D, images.to(device))


def _fault(pictures: Pixels, distance: float, varied: float) -> str:
    if distance < _LEAST_CHANGE:
        return "unchanged"
    grey = pictures.mean(axis=3)
    clipped = float(((grey < 3) | (grey > 252)).mean())
    if float(np.median(grey.std(axis=(1, 2)))) < _LEAST_SPREAD or clipped > _MOST_CLIPPED:
        return "blank"
    if _likeness(grey) < _LEAST_LIKENESS:
        return "noise"
    return "alike" if varied < _LEAST_DIVERSITY else ""


def _likeness(grey: np.ndarray) -> float:
    """Correlation of each pixel with its right and lower neighbour, the mean over pictures `[N, H, W]`."""
    centred = grey - grey.mean(axis=(1, 2), keepdims=True)
    power = (centred**2).mean(axis=(1, 2)) + 1e-9
    across = (centred[:, :, 1:] * centred[:, :, :-1]).mean(axis=(1, 2))
    down = (centred[:, 1:] * centred[:, :-1]).mean(axis=(1, 2))
    return float(((across + down) / 2 / power).mean())
