"""A local folder: pictures that are already here, checked, deduplicated and recorded like any others.

Licences come from a `manifest.jsonl` in the folder, so that earlier scrapes can be merged; without one they are
unknown.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from scrapers import manifest
from scrapers.answers import text
from scrapers.api import Api
from scrapers.errors import SourceError
from scrapers.source import Access, HostLimit, ImageRef, SourceInfo, Wanted
from scrapers.walk import walk

__all__ = ["Folder"]

_ENDINGS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif"}
    | {".heic", ".heif"}  # to be refused by name, and not passed over in silence
)


class Folder:
    """Picture files below a folder."""

    info = SourceInfo(
        name="folder",
        summary="pictures in a local folder, with the licences of its manifest.jsonl",
        evidence="none",
        searches=False,
    )
    limits: Mapping[str, HostLimit] = {}

    def __init__(self, api: Api, access: Access) -> None:
        self._out = access.out

    def search(self, query: str, wanted: Wanted) -> Iterator[ImageRef]:
        """Yield the picture files below the folder `query`, sorted by path, but for hidden ones and the one to fill."""
        root = Path(query)
        if not root.is_dir():
            raise SourceError(f"{root}: no such folder; `--source folder` takes the path of one")
        known = _known_refs(root)
        for path in _pictures(root, self._out):
            name = path.relative_to(root).as_posix()
            address = path.resolve().as_uri()
            if name in known:
                yield replace(known[name], source="folder", id=name, image_url=address, fallback_url=None)
            else:
                yield ImageRef(
                    source="folder", id=name, image_url=address, title=text(path.stem), query=query
                )


def _pictures(root: Path, out: Path | None) -> Iterator[Path]:
    """Picture files, in order."""
    return (path for path in walk(root, _refuse, without=out) if path.suffix.lower() in _ENDINGS)


def _refuse(error: OSError) -> None:
    raise SourceError(f"{error.filename}: {error.strerror}; mend its permissions, or move it elsewhere")


def _known_refs(root: Path) -> dict[str, ImageRef]:
    path = root / manifest.NAME
    if not path.exists():
        return {}
    return {entry.file: entry.ref for entry in manifest.read_manifest(path) if entry.file}
