"""Pictures made up from a seed: any two look different to a perceptual hash, the same seed is the same bytes."""

import functools
import io
import struct
import zlib

import numpy as np
from PIL import Image


def pixels(seed: int, side: int = 320) -> Image.Image:
    """Soft blotches of colour with some grain."""
    rng = np.random.default_rng(seed)
    blotches = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    return blotches.resize((side, side), Image.Resampling.BICUBIC)


@functools.lru_cache(maxsize=4096)
def encoded(seed: int, side: int = 320, kind: str = "JPEG", quality: int = 85) -> bytes:
    """A picture file."""
    buffer = io.BytesIO()
    pixels(seed, side).save(buffer, kind, quality=quality)
    return buffer.getvalue()


def jpeg(seed: int, side: int = 320) -> bytes:
    """A JPEG file."""
    return encoded(seed, side)


def claiming_png(width: int, height: int) -> bytes:
    """A small PNG whose header claims a size."""
    png = bytearray(encoded(0, 8, "PNG"))
    png[16:24] = struct.pack(">II", width, height)
    png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
    return bytes(png)
