"""Files that are not networks: each is refused by a line that says what it is."""

import gzip
import io
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from stylegan.checkpoint import load_network, read_meta
from stylegan.errors import CheckpointError


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("00000/img00000000.png", b"x")
    return buffer.getvalue()


def _empty_zip() -> bytes:
    buffer = io.BytesIO()
    zipfile.ZipFile(buffer, "w").close()
    return buffer.getvalue()


def _torch(is_zip: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save({"g_ema": torch.zeros(3)}, buffer, _use_new_zipfile_serialization=is_zip)
    return buffer.getvalue()


def _picture(format: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, format)
    return buffer.getvalue()


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        file.addfile(tarfile.TarInfo("a"))
    return buffer.getvalue()


def _numpy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


FOREIGN = {
    "empty": (b"", "an empty file"),
    "text": (b"not a network at all\n" * 20, "a text file"),
    "short-text": (b"hi", "a text file"),
    "umlauts": (("größer " * 300).encode(), "a text file"),
    "json": (b'{"G": 1}', "a text file"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "a git-lfs pointer.*git lfs pull"),
    "html": (b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "a web page"),
    "html-bare": (b"\xef\xbb\xbf<HTML>", "a web page"),
    "xml": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an XML file"),
    "pickle-2": (pickle.dumps({"G": 1}, protocol=2), "a pickle"),
    "pickle-4": (pickle.dumps({"G": "x" * 1000}, protocol=4), "a pickle"),
    "torch-old": (_torch(False), "a (PyTorch file|pickle)"),
    "torch-zip": (_torch(True), "a (PyTorch file|zip)"),
    "data-set": (_zip(), "a zip"),
    "zip-empty": (_empty_zip(), "an empty zip"),
    "png": (_picture("PNG"), "a PNG picture"),
    "jpeg": (_picture("JPEG"), "a JPEG picture"),
    "film": (b"\0\0\0\x20ftypisom" + bytes(100), "a film or picture"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file"),
    "gzip": (gzip.compress(b"x" * 1000), "a gzip file, not a network; unpack it first"),
    "tar": (_tar(), "a tar, not a network"),
    "npy": (_numpy(), "no network file"),
    "zeros": (bytes(4096), "no network file"),
    "noise": (np.random.RandomState(0).bytes(4096), "no network file"),
    "one-byte": (b"\x80", "no network file"),
}  # fmt: skip


@pytest.mark.parametrize("suffix", [".pkl", ".safetensors"])
@pytest.mark.parametrize("kind", FOREIGN)
def test_says_what_it_is(kind: str, suffix: str, tmp_path: Path) -> None:
    data, what = FOREIGN[kind]
    path = tmp_path / f"net{suffix}"
    path.write_bytes(data)
    for read in (load_network, read_meta):
        with pytest.raises(CheckpointError, match=rf"^net\{suffix}: {what}") as caught:
            read(path)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 200


def test_other_safetensors_are_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    for metadata in (None, {"format": "pt"}):
        save_file({"weight": torch.zeros(3)}, path, metadata=metadata)
        with pytest.raises(CheckpointError, match="a safetensors file, but not a network of ours"):
            load_network(path)


@pytest.mark.parametrize("size", [7, 8, 9, 100, 1000, -1, -1000])
def test_a_cut_file_is_refused(good: Path, tmp_path: Path, size: int) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes(good.read_bytes()[:size])
    with pytest.raises(
        CheckpointError, match=r"^cut\.safetensors: (no network|not a readable safetensors) file.*again"
    ):
        load_network(path)


def test_every_flipped_byte_of_a_header_is_survived(good: Path, tmp_path: Path) -> None:
    """Whatever comes of it, the file loads or is refused in one line."""
    data = bytearray(good.read_bytes())
    path = tmp_path / "x.safetensors"
    refused = 0
    positions = [*range(16), *range(16, 6000, 131)]
    for position in positions:
        flipped = data.copy()
        flipped[position] ^= 0x15
        path.write_bytes(flipped)
        try:
            load_network(path)
        except CheckpointError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > len(positions) // 2
