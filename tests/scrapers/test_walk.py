"""Walking a folder: order, hidden files, and links that lead elsewhere, back, and round in circles."""

from pathlib import Path

import pytest

from scrapers.walk import walk


def refuse(error: OSError) -> None:
    raise error


def test_files_come_in_order_and_hidden_ones_do_not(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/1.png", "a/3.png", "0.png", ".hidden/4.png", ".5.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "broken.png").symlink_to("nowhere")
    found = [path.relative_to(tmp_path).as_posix() for path in walk(tmp_path, refuse)]
    assert found == ["0.png", "broken.png", "a/3.png", "b/1.png", "b/2.png"]


def test_each_folder_is_walked_once_whichever_links_lead_to_it(tmp_path: Path) -> None:
    elsewhere, root = tmp_path / "elsewhere", tmp_path / "root"
    for folder in (elsewhere, root):
        folder.mkdir()
        (folder / f"{folder.name}.png").touch()
    (root / "a").symlink_to(elsewhere)
    (root / "b").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(root)
    found = [path.relative_to(root).as_posix() for path in walk(root, refuse)]
    assert found == ["root.png", "a/elsewhere.png"]


def test_a_folder_that_cannot_be_listed_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(walk(tmp_path / "nowhere", refuse))
    assert list(walk(tmp_path / "nowhere", lambda error: None)) == []
