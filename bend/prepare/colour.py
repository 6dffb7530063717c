"""Converts any colours that a picture file can hold to plain 8-bit sRGB.

Sixteen bits, floats, grey, palettes, CMYK, Lab and alpha become RGB as a colour-managed viewer shows them. An embedded
ICC profile is followed; one that is unusable is ignored, and noted. LittleCMS, through Pillow, converts between
profiles.
"""

import functools
import io

import numpy as np
from PIL import Image, ImageCms

__all__ = ["to_rgb"]

_PROFILE_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}


def to_rgb(image: Image.Image, background: tuple[int, int, int]) -> tuple[Image.Image, tuple[str, ...]]:
    """`image`, loaded, as RGB; transparent parts show `background`.

    Returns:
        The RGB image, and notes to be counted: `bad-icc` where a profile could not be followed.

    Raises:
        ValueError: a mode that Pillow itself cannot convert.
    """
    profile = image.info.get("icc_profile")
    alpha = _alpha(image)
    image = _to_8_bit(image)
    colours = _without_alpha(image)
    notes: tuple[str, ...] = ()
    try:
        converted = _managed(colours, profile)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        converted, notes = _plain_rgb(colours), ("bad-icc",)
    if alpha is None:
        return converted, notes
    return Image.composite(converted, Image.new("RGB", converted.size, background), alpha), notes


def _alpha(image: Image.Image) -> Image.Image | None:
    """How much of each pixel is seen; None where all of all is."""
    if not image.has_transparency_data:
        return None
    if image.mode.startswith("I;16"):  # one grey is transparent; Pillow would round it first
        return Image.fromarray((np.asarray(image) != image.info["transparency"]).astype(np.uint8) * 255)
    return image.convert("RGBA").getchannel("A")


def _to_8_bit(image: Image.Image) -> Image.Image:
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.nan_to_num(np.asarray(image).astype(np.float64), posinf=0.0, neginf=0.0)
    top = 65535.0 if image.mode.startswith("I;16") else _white_level(values, is_float=image.mode == "F")
    return Image.fromarray((values * (255.0 / top)).round().clip(0, 255).astype(np.uint8))


def _white_level(values: np.ndarray, *, is_float: bool) -> float:
    """The value of white in a format that does not state it: the smallest usual range that holds all values."""
    highest = float(values.max(initial=0.0))
    usual = (1.0, 255.0, 65535.0) if is_float else (255.0, 65535.0)
    return next((top for top in usual if highest <= top), highest)


def _without_alpha(image: Image.Image) -> Image.Image:
    """`image` in a mode that a profile may describe, its alpha dropped: L, RGB, CMYK or LAB."""
    match image.mode:
        case "L" | "RGB" | "CMYK" | "LAB":
            return image
        case "1":
            return image.convert("L")
        case "LA":
            return image.getchannel("L")
        case "RGBa":
            return image.convert("RGBA").convert("RGB")
        case _:
            return image.convert("RGB")


def _managed(image: Image.Image, profile: bytes | None) -> Image.Image:
    if image.mode == "LAB":
        converted = ImageCms.applyTransform(image, _lab_to_srgb())
    elif profile and (transform := _to_srgb(profile, image.mode)) is not None:
        converted = ImageCms.applyTransform(image, transform)
    else:
        return _plain_rgb(image)
    assert converted is not None
    return converted


def _plain_rgb(image: Image.Image) -> Image.Image:
    # Not `convert` alone: it copies what is RGB already, and 12 megapixels cost as much as a crop.
    return image if image.mode == "RGB" else image.convert("RGB")


@functools.lru_cache(maxsize=32)  # photos of one camera share a profile
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform from `profile` to sRGB; None if it is sRGB already."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if source.profile.xcolor_space.strip() != _PROFILE_SPACES[mode]:
        raise ValueError(f"a profile for {source.profile.xcolor_space} in a picture of mode {mode}")
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    return None if mode == "RGB" and _changes_nothing(transform) else transform


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether it leaves colours as they are, but for rounding: profiles called sRGB may be of linear light."""
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    changed = ImageCms.applyTransform(Image.fromarray(colours), transform)
    return bool(np.abs(np.asarray(changed, np.int16) - colours).max() <= 1)


@functools.cache
def _lab_to_srgb() -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(
        ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB"
    )
