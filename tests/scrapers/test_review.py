"""Filters at work in a scrape, and the sheet that shows what they refused."""

import base64
import io
import json
import re
from pathlib import Path

from PIL import Image, ImageFilter

from bend.bundled import sample_folder
from scrapers.gather import gather
from scrapers.review import write_review
from tests.fakes.pictures import claiming_png
from tests.scrapers.conftest import scrape_config


def make_folder(folder: Path) -> None:
    """A photograph, the same out of focus, an empty wall, a strip, a title that is HTML."""
    folder.mkdir()
    photos = sorted(sample_folder().glob("*.jpg"))
    photo = Image.open(photos[0])
    photo.save(folder / "a-sharp.jpg", quality=90)
    Image.open(photos[4]).filter(ImageFilter.GaussianBlur(4)).save(folder / "b-blurred.jpg", quality=90)
    Image.effect_noise((400, 300), 2).filter(ImageFilter.BLUR).save(folder / "c-wall.jpg", quality=95)
    photo.crop((0, 0, 900, 100)).save(folder / "d-strip.jpg", quality=90)
    Image.open(photos[1]).save(folder / "e-<script>alert(1)<.jpg", quality=90)
    (folder / "f.jpg").write_bytes(b"<html>")


def test_filters_refuse_by_name_and_the_review_shows_it(tmp_path: Path) -> None:
    make_folder(tmp_path / "photos")
    out = tmp_path / "out"
    config = scrape_config(
        out,
        str(tmp_path / "photos"),
        sources=("folder",),
        licenses=("unknown",),
        filters=("blur", "flat", "text"),
        max_aspect=3.0,
        review=True,
    )
    summary = gather(config, environ={})
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert [line.get("reason") for line in lines] == [None, "blur", "flat", "aspect", None, "html"]
    assert lines[0]["sharpness"] > 0.45
    assert summary.num_kept == 2
    sheet = (out / "review.html").read_text("utf-8")
    assert "<h2>Kept (2)</h2>" in sheet
    assert "<h2>Refused: aspect (1)</h2>" in sheet
    assert "&lt;script&gt;" in sheet
    assert "<script" not in sheet
    shown = re.findall(r"base64,([A-Za-z0-9+/=]+)", sheet)
    assert len(shown) == 5  # the web page has nothing to show
    assert max(Image.open(io.BytesIO(base64.b64decode(shown[0]))).size) == 160


def test_a_review_shows_the_folder_as_it_is(tmp_path: Path) -> None:
    make_folder(tmp_path / "photos")
    out = tmp_path / "out"
    gather(
        scrape_config(out, str(tmp_path / "photos"), sources=("folder",), licenses=("unknown",)), environ={}
    )
    next(out.glob("*.jpg")).unlink()
    assert "<h2>Kept (4)</h2>" in write_review(out).read_text("utf-8")
    assert "not seen" in (out / "review.html").read_text("utf-8")


def test_what_a_person_changed_in_the_folder_is_not_seen(tmp_path: Path) -> None:
    make_folder(tmp_path / "photos")
    out = tmp_path / "out"
    config = scrape_config(
        out, str(tmp_path / "photos"), sources=("folder",), licenses=("unknown",), review=True
    )
    gather(config, environ={})
    junk, bomb, folder, cut, _ = sorted(out.glob("*.jpg"))
    junk.write_bytes(b"no picture")
    bomb.write_bytes(claiming_png(9_500, 9_500))
    folder.unlink()
    folder.mkdir()
    cut.write_bytes(cut.read_bytes()[:-5000])
    gather(config, environ={})
    kept = (out / "review.html").read_text("utf-8").partition("<h2>Refused")[0]
    assert "<h2>Kept (5)</h2>" in kept
    assert kept.count("not seen") == 4
