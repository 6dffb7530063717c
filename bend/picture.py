"""Pictures on the disk: written as PNG, JPEG or WebP with their provenance inside, whole or not at all.

Also finds out what a folder already holds, so that a resumed render draws only what is missing and never overwrites a
picture of other work. `bend.render` draws the pictures, `bend.grid` lays sheets out.
"""

import base64
import io
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from bend.errors import RenderError, made_meanwhile
from bend.provenance import EXIF_DESCRIPTION, KEY, Provenance, png_is_whole, read_provenance
from bend.ranks import leave_to_first
from stylegan.atomic import atomic_path

__all__ = [
    "PICTURE_SUFFIXES",
    "Pixels",
    "Rendered",
    "check_num_pixels",
    "check_picture_output",
    "check_sheet_size",
    "data_url",
    "encode_webp",
    "enlarge",
    "exif_note",
    "is_picture",
    "missing",
    "one_picture",
    "refuse_existing",
    "save_picture",
]

Pixels: TypeAlias = NDArray[np.uint8]  # [H, W, 3]
Name = TypeVar("Name", bound=Hashable)

# suffix -> greatest side in pixels that the format can hold
PICTURE_SUFFIXES = {".png": 2**31 - 1, ".jpg": 65_535, ".jpeg": 65_535, ".webp": 16_383}
_MOST_PIXELS = 1 << 32  # of a sheet or frame, 12 GiB
_JPEG_COMMENT = 65_533  # bytes of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The result of a render.

    Attributes:
        output: the file or folder.
        num_pictures: how many pictures or frames it holds.
        num_drawn: how many of them were drawn now; the others were there already.
        size: width and height in pixels; None if nothing was drawn.
    """

    output: Path
    num_pictures: int
    num_drawn: int
    size: tuple[int, int] | None


def one_picture(output: Path, surface: Pixels) -> Rendered:
    """The result of a render of a single picture, uint8 `[H, W, 3]`."""
    height, width = surface.shape[:2]
    return Rendered(output=output, num_pictures=1, num_drawn=1, size=(width, height))


def enlarge(pixels: Pixels, scale: int, scale_filter: str) -> Pixels:
    """The picture `[H, W, 3]` at a whole multiple of its size, by `nearest` or `lanczos`."""
    if scale == 1:
        return pixels
    if scale_filter == "nearest":
        return pixels.repeat(scale, axis=0).repeat(scale, axis=1)
    height, width = pixels.shape[:2]
    image = Image.fromarray(pixels).resize((width * scale, height * scale), Image.Resampling.LANCZOS)
    return np.asarray(image)


def save_picture(path: Path, pixels: Pixels, provenance: Provenance, *, replace: bool = True) -> None:
    """Write `[H, W, 3]` to `path`, format by its suffix, whole or not at all.

    Args:
        path: the file.
        pixels: the picture.
        provenance: written inside.
        replace: whether a picture of other work is replaced.

    Raises:
        RenderError: a suffix that is not a picture format, a picture or note too big for it, or other work there.
        OSError: the folder cannot be written or the disk is full.
    """
    suffix = _known_suffix(path)
    height, width = pixels.shape[:2]
    _check_size(path, width, height)
    note = provenance.to_json()
    if suffix in (".jpg", ".jpeg") and len(note) > _JPEG_COMMENT:
        raise RenderError(
            f"{path}: its note of {len(note)} bytes is too long for {suffix}; write a .png or fewer pictures"
        )
    try:
        with atomic_path(path, replace=replace) as temporary:
            _encode(temporary, suffix, Image.fromarray(pixels), note)
    except FileExistsError:
        if not _holds(path, provenance):
            raise made_meanwhile(path) from None


def encode_webp(pixels: Pixels, *, quality: int, method: int = 4) -> bytes:
    """`[H, W, 3]` as a WebP for a page, without provenance.

    Args:
        pixels: the picture.
        quality: 0 to 100.
        method: 0 is the quickest, 6 the smallest.
    """
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=quality, method=method)
    return file.getvalue()


def data_url(picture: bytes) -> str:
    """A WebP as text that a page can hold in itself."""
    return f"data:image/webp;base64,{base64.b64encode(picture).decode()}"


def exif_note(note: str) -> bytes:
    """An EXIF block whose image description is the note."""
    exif = Image.Exif()
    exif[EXIF_DESCRIPTION] = note
    return exif.tobytes()


def is_picture(path: Path) -> bool:
    """Whether a path has the suffix of a picture that `save_picture` writes."""
    return path.suffix.lower() in PICTURE_SUFFIXES


def check_picture_output(path: Path, force: bool) -> None:
    """Refuse, before any work, a path where a picture cannot go; of several processes, only the first goes on.

    Raises:
        RenderError: a suffix that is not a picture format, or a file exists there without `force`.
    """
    leave_to_first()
    _refuse_folder(path)
    _known_suffix(path)
    refuse_existing(path, force)


def check_sheet_size(path: Path, width: int, height: int) -> None:
    """Refuse a sheet of so many pixels that its format or memory cannot hold.

    Raises:
        RenderError: it is too big.
    """
    _check_size(path, width, height)
    check_num_pixels(path, width, height, "sheet")


def check_num_pixels(path: Path, width: int, height: int, what: str) -> None:
    """Refuse a sheet or frame that memory cannot hold; `what` is to be smaller.

    Raises:
        RenderError: it is too big.
    """
    if width * height > _MOST_PIXELS:
        raise RenderError(
            f"{path}: {width}×{height} is more than {_MOST_PIXELS >> 20} megapixels; ask for a smaller {what}"
        )


def _check_size(path: Path, width: int, height: int) -> None:
    suffix = _known_suffix(path)
    if max(width, height) > PICTURE_SUFFIXES[suffix]:
        other = "" if suffix == ".png" else "write a .png, or "
        raise RenderError(f"{path}: {width}×{height} is too big for {suffix}; {other}ask for a smaller one")


def refuse_existing(path: Path, force: bool) -> None:
    """Refuse to overwrite a file, unless forced, or a folder; or to write below a file.

    Raises:
        RenderError: `path` is a folder, or a file exists there without `force`, or in place of a folder of it.
    """
    _refuse_folder(path)
    above = next((folder for folder in path.parents if folder.exists()), None)
    if above is not None and not above.is_dir():
        raise RenderError(f"{above} is a file; give another folder with -o")
    if path.exists() and not force:
        raise RenderError(f"{path} exists; give another name, or --force to overwrite it")


def missing(wanted: Mapping[Path, tuple[Name, Provenance]], force: bool) -> list[Name]:
    """Which of the wanted PNGs are still to be drawn: those that are not there, or not whole and of the same work.

    Args:
        wanted: for each path the caller's name for it (a seed, a frame) and its provenance.
        force: overwrite pictures of other work.

    Raises:
        RenderError: another file is in the way, and not `force`.
    """
    todo = []
    for path, (name, provenance) in wanted.items():
        if not path.exists():
            todo.append(name)
        elif not _holds(path, provenance):
            refuse_existing(path, force)
            todo.append(name)
    return todo


def _refuse_folder(path: Path) -> None:
    if path.is_dir():
        raise RenderError(f"{path}: is a folder; name a file in it")


def _holds(path: Path, provenance: Provenance) -> bool:
    """Whether a path holds a whole PNG of that work."""
    return png_is_whole(path) and provenance.same_work(read_provenance(path))


def _encode(path: Path, suffix: str, image: Image.Image, note: str) -> None:
    if suffix == ".png":
        text = PngImagePlugin.PngInfo()
        text.add_text(KEY, note)
        image.save(path, pnginfo=text)
    elif suffix == ".webp":
        image.save(path, quality=92, method=4, exif=exif_note(note))
    else:
        image.save(path, quality=92, subsampling=0, comment=note.encode())


def _known_suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in PICTURE_SUFFIXES:
        known = ", ".join(PICTURE_SUFFIXES)
        raise RenderError(f"{path}: {suffix or 'no suffix'} is not a picture format; choose from {known}")
    return suffix
