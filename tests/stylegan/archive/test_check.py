"""Every fault found in one go, each with its member's name."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylegan.archive import Fault, check_archive
from tests.stylegan.archive.zips import data_set, encoded, noise, write_zip


def test_a_sound_zip_has_no_faults(tmp_path: Path) -> None:
    seen = []
    assert check_archive(data_set(tmp_path / "a.zip", 3), progress=lambda *pair: seen.append(pair)) == []
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_all_faults_are_found(tmp_path: Path) -> None:
    good = encoded(noise(0, 8, 8, 3))
    members = {
        "00.png": good,
        "01.png": encoded(noise(0, 16, 16, 3)),
        "02.png": encoded(noise(0, 8, 8)),
        "03.png": encoded(Image.new("RGBA", (8, 8))),
        "04.png": encoded(Image.fromarray(np.zeros((8, 8), np.uint16))),
        "05.png": good[:-40],
        "06.png": b"not a picture",
        "07.png": good,
        "../evil.png": good,
        "C:\\evil.png": good,
        "/etc/evil.png": good,
        "dataset.json": json.dumps({"labels": [["00.png", 0]]}).encode(),
    }
    path = write_zip(tmp_path / "a.zip", members)
    data = path.read_bytes()
    start = data.rindex(good[20:60])  # in the last good one, /etc/evil.png
    path.write_bytes(data[:start] + bytes(40) + data[start + 40 :])
    found = {(fault.member, fault.kind) for fault in check_archive(path)}
    assert found == {
        ("../evil.png", "unsafe-name"),
        ("C:\\evil.png", "unsafe-name"),
        ("/etc/evil.png", "unsafe-name"),
        ("/etc/evil.png", "damaged"),
        ("01.png", "mixed-size"),
        ("02.png", "mixed-size"),
        ("03.png", "channels"),
        ("04.png", "mode"),
        ("05.png", "unreadable"),
        ("06.png", "unreadable"),
        ("dataset.json", "labels-missing"),
    }


@pytest.mark.parametrize(("side", "kind"), [((8, 16), "not-square"), ((12, 12), "not-power-of-two")])
def test_a_wrong_shape_is_told_once(tmp_path: Path, side: tuple[int, int], kind: str) -> None:
    path = write_zip(tmp_path / "a.zip", {f"{i}.png": encoded(noise(i, *side, 3)) for i in range(5)})
    assert [(fault.kind, fault.member) for fault in check_archive(path)] == [(kind, "0.png")]


def test_what_is_no_data_set_is_one_fault(tmp_path: Path) -> None:
    text = tmp_path / "notes.zip"
    text.write_text("notes")
    assert [fault.kind for fault in check_archive(text)] == ["text"]
    assert [fault.kind for fault in check_archive(tmp_path / "none.zip")] == ["missing"]
    assert [fault.kind for fault in check_archive(write_zip(tmp_path / "e.zip", {"a.txt": b""}))] == ["empty"]


def test_names_twice_in_the_zip_are_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        for _ in range(2):
            archive.writestr("a.png", encoded(noise(0, 8, 8, 3)))
    assert [fault.kind for fault in check_archive(path)] == ["duplicate-name"]


def test_names_cannot_play_with_the_terminal() -> None:
    fault = Fault(kind="x", message="bad", member="a\x1b[31m\n.png" + "b" * 500)
    assert "\x1b" not in str(fault)
    assert "\n" not in str(fault)
    assert len(str(fault)) < 150
