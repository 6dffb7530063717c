"""The folder that a scrape fills: where everything lies, and what an earlier run left in it.

Pictures and `manifest.jsonl` lie in the folder itself; `.scrape/` beside them holds the journal, half-fetched files
and fetched ones whose turn has not come. Deleting `.scrape/` loses nothing but the ability to go on.
"""

import contextlib
import hashlib
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scrapers import manifest
from scrapers.errors import FolderError
from scrapers.journal import Journal
from scrapers.manifest import Entry, Manifest
from scrapers.picture import FORMATS, Picture, thumbnail
from scrapers.source import ImageRef

__all__ = ["FETCHED", "STATE", "ScrapeFolder", "file_name", "key_of", "open_folder"]

STATE = ".scrape"
FETCHED = "fetched"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeFolder:
    """An open folder, locked against other scrapes."""

    path: Path
    journal: Journal
    manifest: Manifest
    waiting: frozenset[str]
    """Names of files that an earlier run fetched or began to fetch."""
    strays: dict[str, Path]
    """Pictures, by name without ending, that an earlier run was about to enter into the manifest."""

    def staged(self, ref: ImageRef, url: str) -> Path:
        """Where the file fetched from `url` waits for its turn."""
        return self.path / STATE / FETCHED / f"{key_of(ref, url)}.bin"

    def part(self, staged: Path) -> Path:
        """Where a file grows until it is whole."""
        return staged.with_suffix(".part")

    def outcome(self, key: str) -> str | None:
        """What an earlier run noted of a fetch whose turn had not come."""
        return self.journal.outcome(key)

    def keep_outcome(self, key: str, facts: str) -> None:
        """Note what came of a fetch."""
        self.journal.keep_outcome(key, facts)

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

    def recover(self, ref: ImageRef, staged: Path) -> bool:
        """Whether an earlier run has fetched the file, which is then at `staged`."""
        if staged.name in self.waiting and staged.exists():
            return True
        stray = self.strays.pop(_stem(ref), None)
        if stray is not None:
            stray.replace(staged)
        return stray is not None

    def place(self, entry: Entry) -> None:
        """Bring a kept picture to its place; its line may then be written."""
        assert entry.file is not None
        self.staged(entry.ref, entry.fetched_url or entry.ref.image_url).replace(self.path / entry.file)
        sys.audit("failpoint", "placed", entry.file)

    def forget(self, entry: Entry) -> None:
        """Remove what is left of a picture now that the manifest has its line."""
        # A picture that came from its first address at once was renamed into place: nothing of it is left.
        is_all_gone = entry.is_kept and entry.fetched_url is None
        for url in filter(None, (entry.ref.image_url, entry.ref.fallback_url)):
            self.journal.forget_outcome(key_of(entry.ref, url))
            if not is_all_gone:
                for suffix in (".bin", ".part", ".note"):
                    self.staged(entry.ref, url).with_suffix(suffix).unlink(missing_ok=True)

    def history(self) -> Iterator[Entry]:
        """What earlier runs wrote into the manifest."""
        return manifest.read_manifest(self.manifest.path)


@contextlib.contextmanager
def open_folder(path: Path) -> Iterator[ScrapeFolder]:
    """Open or make the folder of a scrape; one made in vain is removed again.

    Raises:
        FolderError: it holds something that no scrape made, or another scrape is at work in it.
    """
    manifest_path = path / manifest.NAME
    if path.exists() and not path.is_dir():
        raise FolderError(f"{path}: not a folder; choose another --out")
    if path.is_dir() and not (path / STATE).is_dir() and not manifest_path.exists() and any(path.iterdir()):
        raise FolderError(f"{path}: holds files, but no scrape to continue; choose an empty or a new folder")
    is_new, is_for_nothing = not path.exists(), False
    fetched = path / STATE / FETCHED
    fetched.mkdir(parents=True, exist_ok=True)
    try:
        with Journal(path / STATE / "journal.sqlite") as journal, Manifest(manifest_path) as lines:
            try:
                yield ScrapeFolder(
                    path=path,
                    journal=journal,
                    manifest=lines,
                    waiting=frozenset(file.name for file in fetched.iterdir()),
                    strays=_strays(path),
                )
            finally:
                with contextlib.suppress(OSError, FolderError):  # what ended the scrape is told, not this
                    has_files = any(fetched.iterdir()) or manifest_path.stat().st_size > 0
                    is_for_nothing = is_new and not has_files and journal.is_empty
    finally:
        if is_for_nothing:
            shutil.rmtree(path)


def key_of(ref: ImageRef, url: str) -> str:
    """Names a fetch. By reference too, since two may share an address and must not share a file."""
    text = "\0".join((ref.source, ref.id, url))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def file_name(ref: ImageRef, picture_format: str) -> str:
    """A name that is the same in every run, safe on every file system and unique to source and id."""
    return _stem(ref) + FORMATS[picture_format]


def _strays(path: Path) -> dict[str, Path]:
    """Picture files that no line of the manifest mentions."""
    named = {entry.file for entry in manifest.read_manifest(path / manifest.NAME)}
    endings = tuple(FORMATS.values())
    return {
        file.stem: file for file in path.iterdir() if file.name.endswith(endings) and file.name not in named
    }


def _stem(ref: ImageRef) -> str:
    slug = re.sub(r"[^A-Za-z0-9_-]+", "-", ref.id).strip("-")[:60]
    # Shortened, or at the mercy of a file system that ignores case.
    if slug != ref.id or slug.lower() != slug:
        slug = f"{slug}-{hashlib.blake2b(ref.id.encode(), digest_size=4).hexdigest()}".lstrip("-")
    return f"{ref.source}-{slug}"
