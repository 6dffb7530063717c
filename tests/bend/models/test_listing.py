"""The list of networks that have a name."""

from pathlib import Path

import pytest

from bend.models.listing import rows, table
from stylegan.checkpoint.cache import CacheRecord, networks_folder
from stylegan.checkpoint.known import KNOWN


def test_embedded_known_and_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEND_CACHE", str(tmp_path))
    networks_folder().mkdir()
    (networks_folder() / "ffhq256.pkl").write_bytes(b"x" * 5_000_000)
    record = CacheRecord(
        file="ffhq256.pkl", url="https://x", sha256="ab" * 32, num_bytes=5_000_000, mtime_ns=1
    )
    record.save("ffhq256")
    found = {row.name: row for row in rows()}
    assert list(found) == ["faces64", "faces128", *KNOWN]
    faces = found["faces64"]
    assert (faces.resolution, faces.licence, faces.state) == (64, "MIT", "embedded")
    assert faces.num_bytes is not None
    pulled, absent = found["ffhq256"], found["ffhq1024"]
    assert (pulled.state, pulled.num_bytes, pulled.sha256) == ("downloaded", 5_000_000, "ab" * 32)
    assert (absent.state, absent.num_bytes, absent.resolution) == ("not downloaded", None, 1024)
    assert "non-commercial" in absent.licence
    text = table(list(found.values()))
    assert text[0].split() == ["NAME", "PIXELS", "SIZE", "STATE", "DRAWS", "LICENCE"]
    assert any(line.startswith("ffhq256 ") and " 5 MB" in line for line in text)
    assert any(line.startswith("ffhq1024 ") and "~381 MB" in line for line in text)
