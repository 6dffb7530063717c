"""What the augmentation pipe may do to an image and how strongly, and the named sets of the paper.

Names and defaults are those of the official release (arXiv 2006.06676, appendix B), so that a saved
`augment_kwargs` is understood. Every transform has a probability multiplier, 0 by default: the transform
happens with probability `multiplier * p`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import chain

from stylegan.errors import ConfigError

__all__ = ["AUGMENT_PIPES", "AugmentSettings"]

_BLIT = ("xflip", "rotate90", "xint")
_GEOM = ("scale", "rotate", "aniso", "xfrac")
_COLOR = ("brightness", "contrast", "lumaflip", "hue", "saturation")
_NUM_BANDS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentSettings:
    """Multipliers and strengths of the pipe's transforms; everything is 0 (off) or the paper's strength.

    Attributes:
        xflip: multiplier of mirroring.
        rotate90: multiplier of rotation by quarter turns.
        xint: multiplier of translation by whole pixels.
        xint_max: range of that translation, a fraction of the image's size.
        scale: multiplier of isotropic scaling.
        rotate: multiplier of free rotation.
        aniso: multiplier of anisotropic scaling.
        xfrac: multiplier of fractional translation.
        scale_std: deviation of log2 of the isotropic scale.
        rotate_max: range of the rotation, a fraction of a half turn.
        aniso_std: deviation of log2 of the anisotropic scale.
        xfrac_std: deviation of the fractional translation, a fraction of the image's size.
        brightness: multiplier of brightness.
        contrast: multiplier of contrast.
        lumaflip: multiplier of turning luma upside down.
        hue: multiplier of hue rotation.
        saturation: multiplier of saturation.
        brightness_std: deviation of brightness, in units of the image (whose range is [-1, 1]).
        contrast_std: deviation of log2 of contrast.
        hue_max: range of the hue rotation, a fraction of a half turn.
        saturation_std: deviation of log2 of saturation.
        imgfilter: multiplier of filtering in frequency bands.
        imgfilter_bands: multipliers of the four bands, from low to high.
        imgfilter_std: deviation of log2 of a band's gain.
        noise: multiplier of additive Gaussian noise.
        cutout: multiplier of blanking a square.
        noise_std: deviation of the noise's own deviation, in units of the image.
        cutout_size: side of the blanked square, a fraction of the image's size.
    """

    xflip: float = 0
    rotate90: float = 0
    xint: float = 0
    xint_max: float = 0.125
    scale: float = 0
    rotate: float = 0
    aniso: float = 0
    xfrac: float = 0
    scale_std: float = 0.2
    rotate_max: float = 1
    aniso_std: float = 0.2
    xfrac_std: float = 0.125
    brightness: float = 0
    contrast: float = 0
    lumaflip: float = 0
    hue: float = 0
    saturation: float = 0
    brightness_std: float = 0.2
    contrast_std: float = 0.5
    hue_max: float = 1
    saturation_std: float = 1
    imgfilter: float = 0
    imgfilter_bands: tuple[float, ...] = (1, 1, 1, 1)
    imgfilter_std: float = 1
    noise: float = 0
    cutout: float = 0
    noise_std: float = 0.1
    cutout_size: float = 0.5

    def __post_init__(self) -> None:
        # Saved options are JSON, where the bands are a list.
        object.__setattr__(self, "imgfilter_bands", tuple(self.imgfilter_bands))
        if len(self.imgfilter_bands) != _NUM_BANDS:
            raise ConfigError(
                f"imgfilter_bands takes {_NUM_BANDS} multipliers, not {len(self.imgfilter_bands)}"
            )
        for field in fields(self):
            value = getattr(self, field.name)
            for number in value if isinstance(value, tuple) else (value,):
                if not (math.isfinite(number) and number >= 0):
                    raise ConfigError(
                        f"augmentation {field.name} is {number}; give a finite number from 0 up"
                    )

    @property
    def moves_pixels(self) -> bool:
        """Whether any geometric transform is on."""
        return any(getattr(self, name) > 0 for name in _BLIT + _GEOM)

    @property
    def changes_colour(self) -> bool:
        """Whether any colour transform is on."""
        return any(getattr(self, name) > 0 for name in _COLOR)


def _switch_on(*groups: tuple[str, ...]) -> dict[str, float]:
    return dict.fromkeys(chain(*groups), 1.0)


AUGMENT_PIPES: Mapping[str, Mapping[str, float]] = {
    "blit": _switch_on(_BLIT),
    "geom": _switch_on(_GEOM),
    "color": _switch_on(_COLOR),
    "filter": _switch_on(("imgfilter",)),
    "noise": _switch_on(("noise",)),
    "cutout": _switch_on(("cutout",)),
    "bg": _switch_on(_BLIT, _GEOM),
    "bgc": _switch_on(_BLIT, _GEOM, _COLOR),
    "bgcf": _switch_on(_BLIT, _GEOM, _COLOR, ("imgfilter",)),
    "bgcfn": _switch_on(_BLIT, _GEOM, _COLOR, ("imgfilter", "noise")),
    "bgcfnc": _switch_on(_BLIT, _GEOM, _COLOR, ("imgfilter", "noise", "cutout")),
}
"""Named sets, as keyword arguments of `AugmentPipe`; `bgc` is what the paper recommends."""
