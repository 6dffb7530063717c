"""Manifest lines: there and back, appended, and cut short by a crash."""

import json
from pathlib import Path

import pytest

from scrapers.errors import FolderError
from scrapers.manifest import Entry, Manifest, read_manifest
from scrapers.picture import Picture
from scrapers.source import ImageRef

REF = ImageRef(
    source="commons",
    id="12",
    image_url="https://upload.example/a.jpg",
    width=4000,
    height=3000,
    license="CC-BY-4.0",
    license_evidence="per-image",
    creator="Zoë",
    page_url="https://example.org/12",
    query="rocks",
)
PICTURE = Picture(
    sha256="ab" * 32, phash="0123456789abcdef", format="JPEG", width=1280, height=960, num_bytes=9
)
KEPT = Entry(ref=REF, file="commons-12.jpg", picture=PICTURE)
REFUSED = Entry(ref=REF, reason="not-found", detail="404 Not Found")


def test_lines_are_flat_and_say_what_was_measured() -> None:
    line = json.loads(KEPT.to_json())
    assert (line["status"], line["file"], line["width"], line["height"]) == (
        "kept",
        "commons-12.jpg",
        1280,
        960,
    )
    assert (line["license"], line["creator"], line["sha256"]) == ("CC-BY-4.0", "Zoë", "ab" * 32)
    refused = json.loads(REFUSED.to_json())
    assert (refused["status"], refused["reason"], refused["width"]) == ("refused", "not-found", 4000)
    assert "file" not in refused


@pytest.mark.parametrize("entry", [KEPT, REFUSED])
def test_there_and_back(entry: Entry) -> None:
    assert Entry.from_json(entry.to_json()).to_json() == entry.to_json()


def test_halves_of_characters_that_a_service_sends_do_not_stop_a_scrape(tmp_path: Path) -> None:
    strange = ImageRef(
        source="commons", id="1", image_url="https://a.example/1", title=json.loads('"a\\ud800"')
    )
    with Manifest(tmp_path / "manifest.jsonl") as manifest:
        manifest.append(Entry(ref=strange, reason="not-found"))
    [entry] = read_manifest(tmp_path / "manifest.jsonl")
    assert entry.ref.title == "a\\ud800"


def test_an_entry_is_kept_or_refused() -> None:
    for both in ({}, {"file": "a.jpg", "reason": "blur"}):
        with pytest.raises(ValueError, match="either kept under a file name or refused"):
            Entry(ref=REF, **both)


@pytest.mark.parametrize("torn", [b'{"status": "ke', b"x" * 9000, b"\xc3"])
def test_a_line_cut_short_is_dropped(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "manifest.jsonl"
    with Manifest(path) as manifest:
        manifest.append(KEPT)
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    assert len(list(read_manifest(path))) == 1
    with Manifest(path) as manifest:
        manifest.append(REFUSED)
    assert path.read_bytes() == whole + REFUSED.to_json().encode() + b"\n"


def test_only_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    path.write_bytes(b'{"sta')
    with Manifest(path):
        pass
    assert path.read_bytes() == b""


@pytest.mark.parametrize("line", ["[]", "{}", "no", '{"source": "a", "id": "b", "image_url": "c"}'])
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "manifest.jsonl"
    path.write_text(f"{KEPT.to_json()}\n{line}\n")
    with pytest.raises(FolderError, match=r"manifest\.jsonl: line 2 is not readable"):
        list(read_manifest(path))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("file", 5),
        ("file", "../secret/private.png"),
        ("file", "a/../../private.png"),
        ("file", "..\\private.png"),
        ("file", "/etc/passwd"),
        ("file", "C:\\private.png"),
        ("file", "a\0.jpg"),
        ("file", ".."),
        ("id", 5),
        ("source", 9),
        ("image_url", [1]),
        ("license", 5),
        ("query", 7),
        ("width", "9"),
        ("sha256", "zz"),
        ("phash", "zz"),
        ("phash", "f" * 5000),
        ("format", "EXE"),
    ],
)
def test_a_line_of_wrong_values_is_named(tmp_path: Path, field: str, value: object) -> None:
    path = tmp_path / "manifest.jsonl"
    path.write_text(json.dumps({**json.loads(KEPT.to_json()), field: value}) + "\n")
    with pytest.raises(FolderError, match=r"line 1 is not readable .*; delete that line"):
        list(read_manifest(path))


def test_null_is_as_good_as_nothing() -> None:
    line = json.loads(KEPT.to_json())
    assert Entry.from_json(json.dumps({**line, "license": None, "reason": None})).ref.license == "unknown"


def test_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="no such file; give a folder that `bend scrape` made"):
        list(read_manifest(tmp_path / "manifest.jsonl"))
