"""A file in a zip's place is reported as what it is, through `Container`, as users meet it."""

import gzip
import pickle
from pathlib import Path

import pytest

from stylegan.archive.container import Container
from stylegan.archive.faults import FaultError
from stylegan.lookalikes import identify
from tests.stylegan.archive.zips import data_set, encoded, noise

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (b"", "empty-file", "empty file"),
        (b"just some words about flowers\n", "text", "a text file, not a zip"),
        ("Übermäßig viele Blüten, ".encode() * 100, "text", "text file"),
        (b"<!DOCTYPE html>\n<html><title>404</title>", "html", "web page"),
        (b"\xef\xbb\xbf  <html lang=en>", "html", "web page"),
        (LFS, "lfs-pointer", "git lfs pull"),
        (gzip.compress(b"tar, presumably", mtime=0), "gzip", "gzip"),
        (encoded(noise(0, 8, 8, 3)), "png", "PNG picture"),
        (encoded(noise(0, 8, 8, 3), "JPEG"), "jpeg", "JPEG picture"),
        (encoded(noise(0, 8, 8, 3), "GIF"), "gif", "GIF picture"),
        (encoded(noise(0, 8, 8, 3), "WEBP"), "webp", "WebP picture"),
        (encoded(noise(0, 8, 8, 3), "AVIF"), "avif", "AVIF picture"),
        (pickle.dumps({"G_ema": 1}), "pickle", "pickle"),
        (pickle.dumps({"G_ema": 1}, protocol=2), "pickle", "pickle"),
        (b"%PDF-1.7\n", "pdf", "PDF"),
        (b'<?xml version="1.0"?><Error/>', "xml", "an XML file"),
        (bytes(257) + b"ustar", "tar", "a tar, not a zip; unpack it first"),
        (b"\0\0\0\x20ftypisom", "media", "a film or picture"),
        (b"\x80", "unknown", "unknown kind"),
        (noise(3, 4000).tobytes(), "unknown", "unknown kind"),
        (bytes(4000), "unknown", "unknown kind"),
    ],
)
def test_impostors_are_named(tmp_path: Path, content: bytes, kind: str, words: str) -> None:
    path = tmp_path / "data.zip"
    path.write_bytes(content)
    with pytest.raises(FaultError, match=words) as caught:
        Container(path)
    assert caught.value.fault.kind == kind
    assert "\n" not in str(caught.value.fault)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_download_is_named(tmp_path: Path, kept: float) -> None:
    path = data_set(tmp_path / "cut.zip", 10)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(FaultError, match="truncated"):
        Container(path)


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(FaultError, match="no such file"):
        Container(tmp_path / "none.zip")
    with pytest.raises(FaultError, match="bend package"):
        Container(tmp_path)


def test_a_character_cut_in_half_is_still_text() -> None:
    head = "ü".encode() * 512
    assert identify(head[:-1]).kind == "text"
    assert identify(b"\xff" + head).kind == "unknown"
