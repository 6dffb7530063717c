"""The demo's page: one HTML file with its pictures and film inside, which needs no other files."""

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bend.prepare.origins import read_manifest
from stylegan.atomic import write_atomic

__all__ = ["Exhibit", "write_page"]

_TYPES = {".png": "image/png", ".mp4": "video/mp4", ".html": "text/html"}
_STYLE = """
:root { color-scheme: light dark; --paper: #fbfaf7; --ink: #1b1a18; --dim: #6f6a62; --rule: #ddd8ce; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #121110; --ink: #ece8e1; --dim: #99938a; --rule: #34312d; }
}
body { margin: 0 auto; padding: 2rem 1rem 4rem; max-width: 72rem; background: var(--paper); color: var(--ink);
  font: 1.05rem/1.55 ui-serif, Georgia, serif; }
h1 { font-size: 2.6rem; margin: 0; letter-spacing: -.02em; }
h2 { font-size: 1.4rem; margin: 2.6rem 0 .2rem; }
p { margin: .3rem 0 .8rem; max-width: 44rem; }
figure { margin: 0; overflow-x: auto; }
img, video { display: block; max-width: 100%; height: auto; }
iframe { display: block; width: 100%; height: min(52rem, 92vh); border: 1px solid var(--rule); }
code { display: block; overflow-x: auto; margin-top: .6rem; padding: .5rem .7rem; border-left: 3px solid var(--rule);
  color: var(--dim); font: .85rem/1.4 ui-monospace, monospace; white-space: pre; }
footer { margin-top: 3rem; border-top: 1px solid var(--rule); color: var(--dim); font-size: .9rem; }
footer li { margin: .2rem 0; }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """One thing to show."""

    file: Path
    """A PNG, an MP4, or a page of its own."""
    title: str
    text: str
    command: str
    """The command line that makes it."""


def write_page(page: Path, exhibits: Sequence[Exhibit], *, kimg: float, photos: Path) -> None:
    """Write the page, whole or not at all.

    Args:
        page: the HTML file.
        exhibits: what it shows, from top to bottom.
        kimg: length of the training.
        photos: folder of the photos it was trained on, with their `manifest.jsonl`.
    """
    body = "\n".join(_section(exhibit) for exhibit in exhibits)
    credit = "\n".join(f"<li>{line}</li>" for line in _credits(photos / "manifest.jsonl"))
    write_atomic(
        page,
        f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>bend: faces into rock</title>
<style>{_STYLE}</style>
<h1>bend</h1>
<p>A generator of faces was trained for {kimg:g} thousand looks at photographs of rock, trees and leaves: just long
enough to break it. It makes no real person, and by now hardly a person.</p>
{body}
<footer>
<p>Trained on tiles of:</p>
<ul>
{credit}
</ul>
</footer>
</html>
""",
    )


def _section(exhibit: Exhibit) -> str:
    kind = _TYPES[exhibit.file.suffix]
    title = html.escape(exhibit.title)
    data = "" if kind == "text/html" else base64.b64encode(exhibit.file.read_bytes()).decode()
    if kind == "text/html":
        page = html.escape(exhibit.file.read_text("utf-8"), quote=True)
        shown = f'<iframe title="{title}" sandbox="allow-scripts" srcdoc="{page}"></iframe>'
    elif kind.startswith("video"):
        shown = f'<video controls autoplay loop muted playsinline src="data:{kind};base64,{data}"></video>'
    else:
        shown = f'<img alt="{title}" src="data:{kind};base64,{data}">'
    return (
        f"<h2>{title}</h2>\n<p>{html.escape(exhibit.text)}</p>\n<figure>{shown}</figure>\n"
        f"<code>{html.escape(exhibit.command)}</code>"
    )


def _credits(manifest: Path) -> list[str]:
    """A line a photo that was kept: title, creator, licence."""
    origins, _ = read_manifest(manifest)
    said = {
        file: origin.get("attribution") or f"{origin.get('title', '')} by {origin.get('creator', 'unknown')}"
        for file, origin in origins.items()
    }
    return [f"{html.escape(file)}: {html.escape(line)}" for file, line in said.items()]
