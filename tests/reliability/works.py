"""The commands that are interrupted, what they make, and whether anything bad lies under a final name."""

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import av
import torch
from PIL import Image

from stylegan.archive import check_archive
from stylegan.checkpoint import load_network
from tests.bend.models.shop import Shop
from tests.bend.prepare.pictures import photos
from tests.bend.tiny import save_tiny
from tests.fakes.openverse import FakeOpenverse
from tests.stylegan.checkpoint.legacy.writers import generator, write_official
from tests.stylegan.training.tiny import write_zip

__all__ = ["WORKS", "Work", "World", "faults", "leftovers"]

Content = dict[str, str]
SIZE = ["--batch", "4", "--channel-base", "256", "--channel-max", "16", "--w-dim", "16", "--mirror"]
BUSY_BLOCKS = 12  # pieces that a pulled network comes in, at least


class World:
    """What the commands work on: servers, pictures, a data set, a network; a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Self:
        self.photos = photos(self.folder / "photos", 8)
        self.data = write_zip(self.folder / "rocks.zip")
        self.network = save_tiny(self.folder / "net.safetensors")
        official = write_official(self.folder / "net.pkl", {"G_ema": generator()}).read_bytes()
        with ExitStack() as stack:
            self.openverse = stack.enter_context(FakeOpenverse())
            self.shop = stack.enter_context(Shop(official))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._stack.__exit__(*exc_info)

    def environ(self, folder: Path) -> dict[str, str]:
        """What a command run in `folder` finds in its environment."""
        return {
            "BEND_OPENVERSE_URL": self.openverse.url,
            "RELIABILITY_SHOP": self.shop.address,
            "BEND_CACHE": str(folder / "cache"),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A command that is interrupted and run again.

    Attributes:
        name: of the command.
        first: what is typed in an empty folder.
        content: a digest of each thing that it made in a folder.
        again: what is typed to go on; the same.
    """

    name: str
    first: Callable[[World], list[str]]
    content: Callable[[Path], Content]
    again: Callable[[World, Path], list[str]] | None = None

    def arguments(self, world: World, folder: Path) -> list[str]:
        """What a person would type next in this folder."""
        return self.first(world) if self.again is None else self.again(world, folder)


def _scrape(world: World) -> list[str]:
    words = "-o out --source openverse --count 12 --min-size 64 --workers 4 --allow-private-hosts"
    return ["scrape", "rocks", *words.split()]


def _package(world: World) -> list[str]:
    words = "-o out/rocks.zip --resolution 16 --crop tiles:4 --min-size 8 --workers 1"
    return ["package", str(world.photos), *words.split()]


def _finetune(world: World) -> list[str]:
    words = "--base none --device cpu --kimg 0.04 --snapshots 0,0.016 -o runs --no-score --workers 1"
    return ["finetune", "--data", str(world.data), *SIZE, *words.split()]


def _finetune_again(world: World, folder: Path) -> list[str]:
    if any((folder / "runs").glob("*/state-*.pt")):
        return ["finetune", "--resume", "latest", "-o", "runs"]
    return _finetune(world)


def _film(world: World) -> list[str]:
    words = "--seeds 0-2 --seconds 1 --fps 12 --device cpu"
    return ["render", "latent-walk", "--network", str(world.network), *words.split()]


def _pull(world: World) -> list[str]:
    return ["models", "pull", "ffhq256"]


def _files(folder: Path, *patterns: str) -> Content:
    found = sorted(path for pattern in patterns for path in folder.glob(pattern) if path.is_file())
    return {str(path.relative_to(folder)): _digest(path.read_bytes()) for path in found}


def _trained(folder: Path) -> Content:
    """Of the last run, under whichever number: its pictures, snapshots and all of its state but the time it took."""
    states = sorted((folder / "runs").glob("*/state-latest.pt"))
    if not states:
        return {}
    content = torch.load(states[-1], weights_only=True)
    del content["extra"]
    run = states[-1].parent
    pictures = {path.name: _digest(_pixels(path)) for path in run.glob("*.png")}
    return _files(run, "snapshot-*") | pictures | {"state": _digest(repr(_plain(content)).encode())}


def _pixels(path: Path) -> bytes:
    """Without the note, which tells the folder's number."""
    with Image.open(path) as image:
        return image.tobytes()


def _plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return _digest(value.contiguous().numpy().tobytes())
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _pulled(folder: Path) -> Content:
    record = folder / "cache" / "networks" / "ffhq256.json"
    known = json.loads(record.read_text()) if record.exists() else {}
    return _files(folder, "cache/networks/*.pkl") | {"record": str(known.get("sha256"))}


WORKS = {
    "scrape": Work(name="scrape", first=_scrape, content=lambda folder: _files(folder, "out/*")),
    "package": Work(name="package", first=_package, content=lambda folder: _files(folder, "out/*")),
    "finetune": Work(name="finetune", first=_finetune, content=_trained, again=_finetune_again),
    "frames": Work(
        name="render",
        first=lambda world: [*_film(world), "-o", "out"],
        content=lambda folder: _files(folder, "out/*"),
    ),
    "film": Work(
        name="render",
        first=lambda world: [*_film(world), "-o", "film.mp4"],
        content=lambda folder: _files(folder, "film.mp4"),
    ),
    "pull": Work(name="models pull", first=_pull, content=_pulled),
}


def faults(folder: Path) -> list[str]:
    """What lies in `folder` under a final name and is not whole."""
    return [f"{path.relative_to(folder)}: {fault}" for path in _final(folder) for fault in _faults_of(path)]


def leftovers(folder: Path) -> list[str]:
    """Temporary files and folders in `folder`."""
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if ".tmp" in path.name]


def _final(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root) / name
            is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
            if not is_hidden and path.suffix not in (".part", ".txt", ".jsonl") and ".part." not in name:
                yield path


def _faults_of(path: Path) -> list[str]:
    try:
        _look_at(path)
    except Exception as error:  # noqa: BLE001 - whatever it is, the file is not whole
        return [f"{type(error).__name__}: {error}"]
    return []


def _look_at(path: Path) -> None:
    """Open a file and look at all of it."""
    match path.suffix:
        case ".zip":
            assert check_archive(path) == []
        case ".pt":
            assert zipfile.ZipFile(path).testzip() is None
        case ".safetensors" | ".pkl":
            load_network(path)
        case ".png" | ".jpg":
            with Image.open(path) as image:
                image.load()
        case ".json":
            json.loads(path.read_text())
        case ".mp4":
            with av.open(str(path)) as film:
                assert sum(1 for _ in film.decode(video=0)) == 12
        case suffix:
            assert "tfevents" in path.name, f"unexpected {suffix}"
