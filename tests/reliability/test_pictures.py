"""Forty odd pictures in one folder, through the command: right pixels or a named reason, and never a crash.

What each decoder makes of each is tested with the decoders (`tests/bend/prepare`, `tests/scrapers/test_picture.py`);
the scoreboard counts those too.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from stylegan.archive import DatasetZip
from tests.bend.prepare.pictures import photo, png16, quadrants
from tests.fakes.pictures import claiming_png
from tests.reliability.conftest import Bench
from tests.stylegan.archive.zips import encoded, noise, write_zip

pytestmark = pytest.mark.slow
SIDE = 64
NUM = 44


def corpus(folder: Path) -> dict[str, tuple[bytes, bool]]:
    """Name -> (bytes, whether a picture is to come of it)."""
    base = photo(1, SIDE, SIDE)
    jpeg, png = encoded(base, "JPEG", quality=95), encoded(base)
    found: dict[str, tuple[bytes, bool]] = {
        "plain.jpg": (jpeg, True),
        "cmyk.jpg": (encoded(photo(2, SIDE, SIDE).convert("CMYK"), "JPEG"), True),
        "grey.png": (encoded(photo(3, SIDE, SIDE).convert("L")), True),
        "la.png": (encoded(photo(4, SIDE, SIDE).convert("LA")), True),
        "palette.png": (encoded(photo(5, SIDE, SIDE).quantize(16), transparency=0), True),
        "deep.png": (png16(np.asarray(photo(6, SIDE, SIDE), np.uint16) * 257), True),
        "one bit.png": (encoded(photo(7, SIDE, SIDE).convert("1")), True),
        "bad icc.jpg": (encoded(photo(8, SIDE, SIDE), "JPEG", icc_profile=b"no profile"), True),
        "bad exif.jpg": (encoded(photo(9, SIDE, SIDE), "JPEG", exif=b"Exif\0\0" + b"\xff" * 40), True),
        "trailing.jpg": (encoded(photo(10, SIDE, SIDE), "JPEG") + b"<html>", True),
        "wrong name.gif": (encoded(photo(11, SIDE, SIDE), "JPEG"), True),
        "p\u0131cture \u202e\u0301.png": (encoded(photo(12, SIDE, SIDE)), True),
        "polyglot.jpg": (encoded(photo(13, SIDE, SIDE), "JPEG") + zip_bytes(folder), True),
        "tiff.tif": (encoded(photo(14, SIDE, SIDE), "TIFF"), True),
        "webp.webp": (encoded(photo(15, SIDE, SIDE), "WEBP"), True),
        "bmp.bmp": (encoded(photo(16, SIDE, SIDE), "BMP"), True),
        "half.jpg": (jpeg[: len(jpeg) // 2], False),
        "cut.png": (png[:-2000], False),
        "head.jpg": (jpeg[:200], False),
        "bomb.png": (claiming_png(60_000, 60_000), False),
        "bomb2.png": (claiming_png(2**31 - 1, 2**31 - 1), False),
        "bomb3.png": (claiming_png(12_000, 12_000), False),
        "lies.png": (claiming_png(500, 700), False),
        "dot.png": (encoded(noise(0, 1, 1, 3)), False),
        "line.png": (encoded(noise(1, 1, 900, 3)), False),
        "page.jpg": (b"<!doctype html><title>403</title>", False),
        "drawing.png": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', False),
        "paper.jpg": (b"%PDF-1.7 \xff\xfe", False),
        "empty.jpg": (b"", False),
        "zeros.jpg": (bytes(5000), False),
        "random.png": (noise(2, 5000).tobytes(), False),
        "binary.png": (b"\x7fELF" + bytes(500), False),
        "zip.png": (zip_bytes(folder), False),
        "moving.gif": (encoded(base, "GIF", save_all=True, append_images=[photo(17, SIDE, SIDE)]), False),
        "moving.webp": (encoded(base, "WEBP", save_all=True, append_images=[photo(18, SIDE, SIDE)]), False),
        "again.jpg": (jpeg, True),
    }
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        turned = encoded(photo(20 + orientation, SIDE, SIDE), "JPEG", exif=exif.tobytes())
        found[f"turned {orientation}.jpg"] = (turned, True)
    return found


def zip_bytes(folder: Path) -> bytes:
    """A zip with a picture in it."""
    return write_zip(folder / "z.zip", {"a.png": encoded(quadrants())}).read_bytes()


@pytest.fixture(scope="module")
def outcome(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[dict[str, Any], set[str]]]:
    """What the command said, and the pictures that it took, by name."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, (data, _) in corpus(folder).items():
        (folder / "in" / name).parent.mkdir(exist_ok=True)
        (folder / "in" / name).write_bytes(data)
    words = "-o a.zip --resolution 32 --min-size 16 --workers 1 --dedupe exact --json"
    ended = bench.zygote.run("package", "in", *words.split(), folder=folder)
    assert ended.status == 0, ended
    assert "Traceback" not in ended.err
    data = DatasetZip(folder / "a.zip")
    for index in range(len(data)):
        assert data.image(index).shape == (3, 32, 32)
    yield json.loads(ended.out), {source["parent"] for source in data.sources}


@pytest.mark.parametrize("number", range(NUM))
def test_a_picture(outcome: tuple[dict[str, Any], set[str]], tmp_path: Path, number: int) -> None:
    name, (_, is_picture) = list(corpus(tmp_path).items())[number]
    told = name.replace("\u202e", "\\u202e")  # what turns a terminal's text around is told, not done
    assert (told in outcome[1]) == is_picture or name == "plain.jpg", name  # one of the two that are the same


def test_every_picture_is_accounted_for(outcome: tuple[dict[str, Any], set[str]], tmp_path: Path) -> None:
    facts, taken = outcome
    assert len(corpus(tmp_path)) == NUM == facts["num_found"]
    assert facts["num_used"] == len(taken)
    assert len(taken) + sum(reason["count"] for reason in facts["refused"].values()) == NUM
    assert len(facts["refused"]) >= 5
