"""`review.html`: a contact sheet of a scrape, what was kept and what was refused for which reason.

One file that any browser opens, its thumbnails inside, each picture linked to its page. It is for looking a set over
before hours of training: what does not belong is deleted from the folder, and the next run makes up for it.
"""

import base64
import html
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from scrapers.errors import DownloadError
from scrapers.folder import STATE, key_of
from scrapers.manifest import NAME, Entry, read_manifest
from scrapers.picture import thumbnail

__all__ = ["REVIEW_NAME", "write_review"]

REVIEW_NAME = "review.html"
_MOST_SHOWN = 2_000  # of a group; a page of more is more than a browser and a person can take
_STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 2em; background: #181818; color: #ddd }
a { color: inherit } h2 { margin-top: 2em }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(160px, 1fr)); gap: 10px }
figure { margin: 0 } figcaption { font-size: 11px; overflow-wrap: anywhere; color: #999 }
.picture { height: 160px; display: flex; align-items: center; justify-content: center; background: #222 }
img { max-width: 160px; max-height: 160px }
"""


def write_review(folder: Path) -> Path:
    """Write the sheet of a scrape's folder, in place of an earlier one; returns its path.

    Raises:
        FolderError: the folder holds no scrape.
    """
    last = {
        (entry.ref.source, entry.ref.id, entry.ref.query): entry for entry in read_manifest(folder / NAME)
    }
    groups: dict[str, list[Entry]] = {}
    for entry in last.values():
        if entry.file is None or (folder / entry.file).exists():
            groups.setdefault(entry.reason or "", []).append(entry)
    path = folder / REVIEW_NAME
    fresh = path.with_suffix(".tmp")
    with fresh.open("w", encoding="utf-8") as file:
        file.writelines(_page(folder, groups))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    return path


def _page(folder: Path, groups: dict[str, list[Entry]]) -> Iterator[str]:
    name = html.escape(folder.resolve().name)
    yield f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
    yield f"<style>{_STYLE}</style></head><body><h1>{name}</h1>\n"
    # Kept first, then the commonest reason.
    for reason, entries in sorted(
        groups.items(), key=lambda group: (group[0] != "", -len(group[1]), group[0])
    ):
        title = f"Refused: {html.escape(reason)}" if reason else "Kept"
        more = f", the first {_MOST_SHOWN:,} shown" if len(entries) > _MOST_SHOWN else ""
        yield f'<h2>{title} ({len(entries):,}{more})</h2><div class="sheet">\n'
        yield from _figures(folder, islice(entries, _MOST_SHOWN))
        yield "</div>\n"
    yield "</body></html>\n"


def _figures(folder: Path, entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        said = entry.file or entry.detail or entry.reason or ""
        title = html.escape(entry.ref.title or entry.ref.id)
        address = html.escape(entry.ref.page_url or entry.ref.image_url)
        if address.startswith(("http://", "https://")):
            title = f'<a href="{address}" rel="noreferrer">{title}</a>'
        credit = html.escape(", ".join(filter(None, (entry.ref.creator, entry.ref.license))))
        yield (
            f'<figure><div class="picture">{_image(folder, entry)}</div>'
            f"<figcaption>{title}<br>{credit}<br>{html.escape(said)}</figcaption></figure>\n"
        )


def _image(folder: Path, entry: Entry) -> str:
    """The thumbnail, where there is anything to be seen."""
    try:
        if entry.file is not None:
            content = thumbnail(folder / entry.file)
        else:
            name = f"{key_of(entry.ref, entry.ref.image_url)}.jpg"
            content = (folder / STATE / "refused" / name).read_bytes()
    except (OSError, DownloadError):  # a person may have removed or changed it
        return "not seen"
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(content).decode()}">'
