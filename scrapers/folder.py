"""The folder that a scrape fills: where everything lies, and what an earlier run left in it.

Pictures and `manifest.jsonl` lie in the folder itself; `.scrape/` beside them holds the journal, half-fetched files
and fetched ones whose turn has not come. Deleting `.scrape/` loses nothing but the ability to go on.
"""

import contextlib
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scrapers import manifest
from scrapers.errors import FolderError
from scrapers.journal import Journal
from scrapers.manifest import Entry, Manifest
from scrapers.picture import FORMATS, Picture, thumbnail
from scrapers.source import ImageRef

__all__ = ["STATE", "ScrapeFolder", "file_name", "key_of", "open_folder"]

STATE = ".scrape"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeFolder:
    """An open folder, locked against other scrapes."""

    path: Path
    journal: Journal
    manifest: Manifest

    def staged(self, ref: ImageRef, url: str) -> Path:
        """Where the file fetched from `url` waits for its turn."""
        return self.path / STATE / "fetched" / f"{key_of(ref, url)}.bin"

    def final(self, ref: ImageRef, picture: Picture) -> Path:
        """Where a kept picture goes."""
        return self.path / file_name(ref, picture.format)

    def thumbnail(self, ref: ImageRef) -> Path:
        """Where a small copy of a refused picture lies, for the review."""
        return self.path / STATE / "refused" / f"{key_of(ref, ref.image_url)}.jpg"

    def keep_thumbnail(self, entry: Entry) -> None:
        """Make the small copy of a picture that is about to be refused, where there is one to be seen."""
        staged = self.staged(entry.ref, entry.fetched_url or entry.ref.image_url)
        if entry.picture is None or not staged.exists():
            return
        target = self.thumbnail(entry.ref)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(thumbnail(staged))

    def settle(self, entry: Entry) -> None:
        """Bring a kept picture to its place, and remove what a refused one left."""
        staged = self.staged(entry.ref, entry.fetched_url or entry.ref.image_url)
        if entry.file is not None and staged.exists():
            staged.replace(self.path / entry.file)
            if entry.fetched_url is None:
                return
        for url in filter(None, (entry.ref.image_url, entry.ref.fallback_url)):
            waiting = self.staged(entry.ref, url)
            for path in (waiting, waiting.with_suffix(".part"), waiting.with_suffix(".note")):
                path.unlink(missing_ok=True)

    def forget(self, entry: Entry) -> None:
        """The manifest knows about the picture now; the journal need not."""
        for url in filter(None, (entry.ref.image_url, entry.ref.fallback_url)):
            self.journal.forget_outcome(key_of(entry.ref, url))

    def history(self) -> Iterator[Entry]:
        """What earlier runs wrote into the manifest."""
        return manifest.read_manifest(self.manifest.path)


@contextlib.contextmanager
def open_folder(path: Path) -> Iterator[ScrapeFolder]:
    """Open or make the folder of a scrape.

    Raises:
        FolderError: it holds something that no scrape made, or another scrape is at work in it.
    """
    manifest_path = path / manifest.NAME
    if path.exists() and not path.is_dir():
        raise FolderError(f"{path}: not a folder; choose another --out")
    if path.is_dir() and not (path / STATE).is_dir() and not manifest_path.exists() and any(path.iterdir()):
        raise FolderError(
            f"{path}: holds files, but no scrape to go on with; choose an empty or a new folder"
        )
    (path / STATE / "fetched").mkdir(parents=True, exist_ok=True)
    with Journal(path / STATE / "journal.sqlite") as journal, Manifest(manifest_path) as lines:
        yield ScrapeFolder(path=path, journal=journal, manifest=lines)


def key_of(ref: ImageRef, url: str) -> str:
    """Names a fetch. By reference too, since two may share an address and must not share a file."""
    text = "\0".join((ref.source, ref.id, url))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def file_name(ref: ImageRef, picture_format: str) -> str:
    """A name that is the same in every run, safe on every file system and unique to source and id."""
    slug = re.sub(r"[^A-Za-z0-9_-]+", "-", ref.id).strip("-")[:60]
    if (
        slug != ref.id or slug.lower() != slug
    ):  # shortened, or at the mercy of a file system that ignores case
        slug = f"{slug}-{hashlib.blake2b(ref.id.encode(), digest_size=4).hexdigest()}".lstrip("-")
    return f"{ref.source}-{slug}{FORMATS[picture_format]}"
