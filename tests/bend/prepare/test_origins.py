"""Manifests: what is carried on, and what cannot be read."""

import json
from pathlib import Path

from bend.prepare.origins import origin_of, read_manifest


def test_lines_become_origins_by_file(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    lines = [
        json.dumps({"file": "a.jpg", "creator": "Ana", "license": "cc0", "width": 10}),
        "",
        "{not json",
        "[1, 2]",
        "[" * 5000,
        json.dumps({"reason": "too-small", "image_url": "http://x"}),
        json.dumps({"file": "sub\\b.jpg", "title": "é" * 5000, "creator": None, "source": ""}),
        json.dumps({"file": "a.jpg", "creator": "Bo"}),
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    origins, num_unreadable = read_manifest(path)
    assert origins == {"a.jpg": {"creator": "Bo"}, "sub/b.jpg": {"title": "é" * 2000}}
    assert num_unreadable == 3


def test_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    path.write_bytes(b'\xff\xfe\x00\n{"file": "a.jpg", "title": "\xff"}\n')
    assert read_manifest(path) == ({"a.jpg": {"title": "\ufffd"}}, 1)


def test_only_what_makes_an_attribution_is_kept() -> None:
    assert origin_of({"file": "x", "sha256": "0", "license": "by", "id": 7}) == {"license": "by", "id": "7"}


def test_halves_of_characters_are_replaced() -> None:
    assert origin_of({"creator": "a\ud800b"}) == {"creator": "a?b"}
