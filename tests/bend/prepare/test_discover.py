"""What is found in folders, zips and files, in which order, under which names."""

import json
import os
import sys
from pathlib import Path

import pytest

from bend.errors import PackageError
from bend.prepare.discover import discover
from stylegan.archive import write_archive
from tests.stylegan.archive.zips import encoded, noise, write_zip

PICTURE = encoded(noise(0, 8, 8, 3))


def _fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(PICTURE)
    return folder


def _names(*sources: Path) -> list[str]:
    return [picture.name for picture in discover(sources).pictures]


def test_folders_are_walked_in_sorted_order(tmp_path: Path) -> None:
    root = _fill(
        tmp_path / "r", "b.jpg", "a.jpg", "c/z.png", "c/d/y.txt", "c/a.png", ".hidden.jpg", ".git/x.jpg"
    )
    _fill(root, "Thumbs.db", "manifest.jsonl")
    assert _names(root) == ["a.jpg", "b.jpg", "c/a.png", "c/z.png", "c/d/y.txt"]


def test_class_folders_are_the_uppermost(tmp_path: Path) -> None:
    root = _fill(tmp_path / "r", "cat/a.jpg", "dog/x/b.jpg", "c.jpg")
    folders = {picture.name: picture.folder for picture in discover((root,)).pictures}
    assert folders == {"cat/a.jpg": "cat", "dog/x/b.jpg": "dog", "c.jpg": "r"}


def test_names_of_several_sources_do_not_clash(tmp_path: Path) -> None:
    one, two = _fill(tmp_path / "one", "a.jpg"), _fill(tmp_path / "two", "a.jpg")
    assert _names(one, two) == ["one/a.jpg", "two/a.jpg"]


def test_a_single_file_is_a_source(tmp_path: Path) -> None:
    _fill(tmp_path, "a.jpg")
    (picture,) = discover((tmp_path / "a.jpg",)).pictures
    assert (picture.name, picture.folder, picture.member) == ("a.jpg", None, None)


def test_files_are_called_the_same_wherever_they_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _fill(tmp_path / "rocks", "a.jpg", "b\n.jpg")
    names = ["rocks/a.jpg", "rocks/b\\n.jpg"]
    assert _names(folder / "a.jpg", folder / "b\n.jpg") == names
    monkeypatch.chdir(folder)
    assert _names(Path("a.jpg"), Path("b\n.jpg")) == names


def test_a_file_keeps_what_the_manifest_beside_it_says(tmp_path: Path) -> None:
    folder = _fill(tmp_path / "rocks", "a.jpg", "b.jpg")
    (folder / "manifest.jsonl").write_text(json.dumps({"file": "a.jpg", "creator": "Ana"}) + "\n")
    pictures = discover((folder / "a.jpg", folder / "b.jpg")).pictures
    assert [picture.origin for picture in pictures] == [{"creator": "Ana"}, {}]


def test_videos_are_known_by_their_names(tmp_path: Path) -> None:
    root = _fill(tmp_path / "r", "a.mp4", "b.MOV", "mp4", "mp4.jpg", "c.mkv.png", "d/e.webm")
    found = {picture.name: picture.is_video for picture in discover((root,)).pictures}
    assert [name for name, is_video in found.items() if is_video] == ["a.mp4", "b.MOV", "d/e.webm"]
    members = write_zip(tmp_path / "z.zip", {"x.avi": PICTURE, "y.png": PICTURE})
    assert [picture.is_video for picture in discover((members,)).pictures] == [True, False]


def test_pipes_are_passed_over_and_dead_links_are_not(tmp_path: Path) -> None:
    root = _fill(tmp_path / "r", "a.jpg")
    os.mkfifo(root / "pipe.jpg")
    (root / "dead.jpg").symlink_to(root / "gone.jpg")
    (root / "alive.jpg").symlink_to(root / "a.jpg")
    (root / "manifest.jsonl").symlink_to(root / "gone.jsonl")
    assert _names(root) == ["a.jpg", "alive.jpg", "dead.jpg"]  # to be refused by name
    with pytest.raises(PackageError, match=r"pipe\.jpg: neither a file nor a folder; leave it out"):
        discover((root / "a.jpg", root / "pipe.jpg"))


def test_linked_folders_are_walked_once_and_never_in_a_circle(tmp_path: Path) -> None:
    root = _fill(tmp_path / "r", "a.jpg", "dogs/b.jpg")
    (root / "cats").symlink_to(_fill(tmp_path / "elsewhere", "c.jpg", "kittens/d.jpg"))
    (root / "dogs" / "up").symlink_to(root)
    (root / "felines").symlink_to(tmp_path / "elsewhere" / "kittens")
    pictures = discover((root,)).pictures
    assert [picture.name for picture in pictures] == [
        "a.jpg",
        "cats/c.jpg",
        "cats/kittens/d.jpg",
        "dogs/b.jpg",
    ]
    assert [picture.folder for picture in pictures] == ["r", "cats", "cats", "dogs"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_no_text_are_shown_somehow(tmp_path: Path) -> None:
    root = _fill(tmp_path / "r", os.fsdecode(b"\xff.jpg"))
    assert _names(root) == ["\\xff.jpg"]


def test_names_are_told_in_one_line(tmp_path: Path) -> None:
    root = _fill(tmp_path / "r", "a\nb.jpg", "c\x1b[2J.jpg", "ü.jpg")
    assert _names(root) == ["a\\nb.jpg", "c\\x1b[2J.jpg", "ü.jpg"]


def test_manifests_of_any_folder_above_are_found(tmp_path: Path) -> None:
    root = _fill(tmp_path / "r", "a.jpg", "sub/b.jpg", "sub/c.jpg", "d.jpg")
    (root / "manifest.jsonl").write_text(
        json.dumps({"file": "a.jpg", "creator": "Ana"})
        + "\n"
        + json.dumps({"file": "sub/b.jpg", "creator": "Bo"})
    )
    (root / "sub" / "manifest.jsonl").write_text(
        json.dumps({"file": "c.jpg", "creator": "Cy"}) + "\nnonsense\n"
    )
    plan = discover((root,))
    creators = {picture.name: picture.origin.get("creator") for picture in plan.pictures}
    assert creators == {"a.jpg": "Ana", "sub/b.jpg": "Bo", "sub/c.jpg": "Cy", "d.jpg": None}
    assert plan.num_manifest_faults == 1


def test_zips_are_listed(tmp_path: Path) -> None:
    names = ["b.jpg", "x/a.jpg", "x/notes.txt", "__MACOSX/._a.jpg", ".b.jpg", "dataset.json", "x/Thumbs.db"]
    members = dict.fromkeys(names, PICTURE) | {"dataset.json": b"{}"}
    plan = discover((write_zip(tmp_path / "r.zip", members),))
    assert [(picture.name, picture.member, picture.folder) for picture in plan.pictures] == [
        ("b.jpg", "b.jpg", "r"),
        ("x/a.jpg", "x/a.jpg", "x"),
        ("x/notes.txt", "x/notes.txt", "x"),
    ]


def test_a_data_set_brings_its_labels_and_sources(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    sources = [{"creator": "Ana", "parent": "p.jpg", "crop": [0, 0, 8, 8], "odd": 1}, {}]
    write_archive(path, [noise(i, 8, 8, 3) for i in range(2)], labels=[1, 0], sources=sources)
    first, second = discover((path,)).pictures
    assert (first.label, first.origin) == (1, {"creator": "Ana", "parent": "p.jpg"})
    assert (second.label, second.origin) == (0, {})


def test_a_folder_that_was_zipped_keeps_its_manifest(tmp_path: Path) -> None:
    line = json.dumps({"file": "a.jpg", "creator": "Ana", "title": "one\u2028two"}, ensure_ascii=False)
    members = {
        "rocks/a.jpg": PICTURE,
        "rocks/b.jpg": PICTURE,
        "rocks/manifest.jsonl": f"{line}\nnonsense\n".encode(),
        "rocks/.scrape/manifest.jsonl": b'{"file": "b.jpg", "creator": "nobody"}\n',
        "__MACOSX/rocks/._manifest.jsonl": b"\0",
    }
    plan = discover((write_zip(tmp_path / "r.zip", members),))
    assert {picture.name: picture.origin for picture in plan.pictures} == {
        "rocks/a.jpg": {"creator": "Ana", "title": "one\u2028two"},
        "rocks/b.jpg": {},
    }
    assert plan.num_manifest_faults == 1


def test_wrong_labels_do_not_matter_where_labels_come_from_folders(tmp_path: Path) -> None:
    members = {"a/1.png": PICTURE, "b/2.png": PICTURE, "dataset.json": b'{"labels": [["a/1.png", 3]]}'}
    path = write_zip(tmp_path / "r.zip", members)
    with pytest.raises(
        PackageError, match=r"no label for 1 of 2 images: b/2\.png; label all of them, or none"
    ):
        discover((path,))
    found = discover((path,), are_labels_kept=False).pictures
    assert [(picture.folder, picture.label) for picture in found] == [("a", None), ("b", None)]


def test_members_without_a_name_are_no_pictures(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "r.zip", {"a.jpg": PICTURE, ".": PICTURE})
    assert _names(path) == ["a.jpg"]


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="no such file or folder"):
        discover((tmp_path / "none",))
    (tmp_path / "empty").mkdir()
    with pytest.raises(PackageError, match="no pictures in it"):
        discover((tmp_path / "empty",))
    text = tmp_path / "notes.zip"
    text.write_text("some notes")
    with pytest.raises(PackageError, match=r"notes\.zip: a text file, not a zip"):
        discover((text,))
    broken = write_zip(tmp_path / "b.zip", {"a.png": PICTURE, "dataset.json": b"{"})
    with pytest.raises(PackageError, match=r"b\.zip: dataset\.json: not valid JSON"):
        discover((broken,))
    with pytest.raises(PackageError, match="no pictures in it"):
        discover((write_zip(tmp_path / "e.zip", {}),))
