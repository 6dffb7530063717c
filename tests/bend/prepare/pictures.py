"""Pictures with known pixels for the tests of `bend.prepare`, and colour profiles made by hand."""

import functools
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from tests.stylegan.archive.zips import encoded

Pixels = npt.NDArray[np.uint8]

RED, GREEN, BLUE, GREY = (220, 30, 40), (20, 200, 60), (40, 50, 210), (128, 128, 128)


def quadrants(width: int = 48, height: int = 32) -> Pixels:
    """Red and green above, blue and grey below: every turn and mirroring of it looks different."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = RED
    pixels[: height // 2, width // 2 :] = GREEN
    pixels[height // 2 :, : width // 2] = BLUE
    pixels[height // 2 :, width // 2 :] = GREY
    return pixels


@functools.cache
def photo(seed: int, width: int = 96, height: int = 64) -> Image.Image:
    """Coloured clouds with detail at every scale, different for each seed; drawn once, so leave it as it is."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for octave in range(width.bit_length() - 2):
        cells = 2 ** (octave + 1)
        coarse = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        total += np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.float64) / (
            octave + 1.5
        )
    return Image.fromarray((total * (255 / total.max())).astype(np.uint8))


def photos(folder: Path, count: int, **options: int) -> Path:
    """A folder of `count` JPEG photos."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        (folder / f"{i:03d}.jpg").write_bytes(encoded(photo(i, **options), "JPEG", quality=90))
    return folder


def png16(values: npt.NDArray[np.uint16]) -> bytes:
    """A PNG of 16 bits a channel, [H, W] or [H, W, 3], which Pillow cannot write in colour."""
    height, width = values.shape[:2]
    rows = values.astype(">u2").reshape(height, -1).view(np.uint8).reshape(height, -1)
    raw = np.hstack([np.zeros((height, 1), np.uint8), rows]).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 16, 2 if values.ndim == 3 else 0, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )


_PRIMARIES = {  # of sRGB, adapted to D50
    "r": (0.43607, 0.22249, 0.01392),
    "g": (0.38515, 0.71687, 0.09708),
    "b": (0.14307, 0.06061, 0.71410),
}


def linear_profile(space: str = "RGB ", order: str = "rgb", name: str = "linear test") -> bytes:
    """An ICC profile (version 2) with gamma 1 and sRGB's primaries, perhaps in another order.

    Under it, the value 128 is far lighter than in sRGB, namely what 188 is there.
    """
    curve = b"curv" + struct.pack(">II", 0, 0)
    tags = {
        b"desc": _description(name.encode()),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": _xyz(0.9642, 1.0, 0.8249),
    }
    if space == "GRAY":
        tags[b"kTRC"] = curve
    else:
        for channel, primary in zip("rgb", order, strict=True):
            tags[channel.encode() + b"XYZ"] = _xyz(*_PRIMARIES[primary])
            tags[channel.encode() + b"TRC"] = curve
    return _profile(space.encode(), tags)


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    table, data = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    size = 128 + len(table) + len(data)
    header = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02400000, b"mntr", space, b"XYZ ")
    header += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    header += struct.pack(">3I", 63190, 65536, 54061)  # D50 in 15.16 fixed point
    return header + bytes(128 - len(header)) + table + data


def _xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def _description(text: bytes) -> bytes:
    return b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + b"\0" + bytes(4 + 4 + 2 + 1 + 67)
