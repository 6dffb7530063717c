"""The bundled photos: they are found, they are pictures, and each has a maker and a clean licence."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bend import bundled
from bend.errors import BendError
from scrapers.manifest import Entry, read_manifest
from scrapers.picture import inspect

CLEAN = {
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
}
PHOTOS = sorted(bundled.sample_folder().glob("*.jpg"))


def manifest() -> list[Entry]:
    return list(read_manifest(bundled.sample_folder() / "manifest.jsonl"))


def test_sample_is_a_dozen_photos_of_two_megabytes() -> None:
    assert 10 <= len(PHOTOS) <= 16
    assert 1.0e6 < sum(photo.stat().st_size for photo in PHOTOS) < 2.3e6


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda photo: photo.stem)
def test_photo_has_enough_texture_to_cut_tiles_from(photo: Path) -> None:
    with Image.open(photo) as image:
        assert image.format == "JPEG"
        assert image.mode == "RGB"
        assert 320 <= min(image.size) <= max(image.size) <= 1200
        assert not image.getexif()
        grey = np.asarray(image.convert("L").resize((256, 256)), np.float32)
    assert grey.std() > 15


def test_manifest_names_every_photo_once_with_a_clean_licence() -> None:
    entries = manifest()
    assert [entry.file for entry in entries] == [photo.name for photo in PHOTOS]
    for entry, photo in zip(entries, PHOTOS, strict=True):
        assert entry.picture == inspect(photo)
        assert CLEAN[entry.ref.license] == entry.ref.license_url
        assert entry.ref.license_evidence == "per-image"
        assert entry.ref.page_url
        assert entry.ref.attribution
        assert f'"{entry.ref.title}" by {entry.ref.creator}, {entry.ref.license}' in entry.ref.attribution


def test_attribution_agrees_with_the_manifest() -> None:
    text = (bundled.sample_folder() / "ATTRIBUTION.md").read_text("utf-8")
    rows = [row for row in text.splitlines() if row.startswith("| ")]
    for entry in manifest():
        row = next(row for row in rows if row.startswith(f"| {entry.file} "))
        assert f"| {entry.ref.title} | {entry.ref.creator}" in row
        assert f"| {entry.ref.license.replace('CC-BY-', 'CC BY ').replace('CC0-', 'CC0 ')} |" in row
        assert entry.ref.license_url
        assert entry.ref.license_url in text
        in_package = entry.ref.image_url.partition("#")[2]
        assert any(row.startswith(f"| {entry.ref.title} |") and in_package in row for row in rows)


def test_folder_is_found_inside_an_installed_package_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = tmp_path / "bend" / "datasets" / "sample"
    sample.mkdir(parents=True)
    (sample / "manifest.jsonl").write_text("")
    monkeypatch.setattr(bundled, "__file__", str(tmp_path / "bend" / "bundled.py"))
    assert bundled.sample_folder() == sample


def test_missing_folder_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled, "__file__", str(tmp_path / "bend" / "bundled.py"))
    with pytest.raises(BendError, match="install bend-gan again"):
        bundled.datasets_folder()
