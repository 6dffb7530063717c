"""The work of `bend info`: finds out what kind of thing a path is, describes it, and draws the pictures asked for."""

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from bend.errors import InfoError
from bend.info.report import Information
from bend.picture import PICTURE_SUFFIXES, refuse_existing
from bend.picture_kind import picture_kind
from stylegan.archive.shard_names import is_shard_set
from stylegan.atomic import atomic_path, write_atomic

if TYPE_CHECKING:
    from bend.info.drawing import Drawing

__all__ = ["Request", "inspect"]

_GRAPHS = (".svg", ".png")
_SHEETS = tuple(PICTURE_SUFFIXES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the command line asked for."""

    path: str
    """A network (name, file, `RUN@KIMG`), a data-set zip or its shards, a run folder, or a folder of those."""
    part: str | None = None
    """Only the generator (`G`) or the discriminator (`D`) of a network."""
    graph: Path | None = None
    """Where the graph of a network goes."""
    sheet: Path | None = None
    """Where the contact sheet of a data set goes."""
    force: bool = False
    """Write over what is there."""


def inspect(request: Request) -> Information:
    """Describe what is at a path, and draw what is asked for.

    Raises:
        InfoError: there is no such picture of a thing of this kind, or not in that format.
        RenderError: a picture is there already.
        StyleganError: it cannot be read.
    """
    kind = _kind(request.path)
    _check_picture(
        request.graph, _GRAPHS, request, is_possible=kind in ("network", "run"), wanted="a network or run"
    )
    _check_picture(request.sheet, _SHEETS, request, is_possible=kind == "data set", wanted="a data-set zip")
    if request.part and kind != "network" and request.graph is None:
        raise InfoError(f"{request.path}: a {kind} has no --part; give a network file, or RUN@KIMG")
    found = _describe(kind, request)
    if request.graph is not None:
        from bend.info.network import draw_network

        _save_graph(request.graph, draw_network(request.path, request.part or "G"))
    if request.sheet is not None:
        from bend.info.archive import contact_sheet

        surface = Image.fromarray(contact_sheet(_expanded(request.path)))
        with atomic_path(request.sheet) as temporary:
            surface.save(temporary)
    return found


def _kind(text: str) -> str:
    """`run`, `folder of runs`, `data set`, or else `network`.

    Raises:
        InfoError: it is a picture.
    """
    path = Path(os.path.expanduser(text))  # noqa: PTH111 - of a user that there is not, it stays as it is
    if path.is_dir():
        from bend.info.run import holds_runs, is_run

        if is_run(path):
            return "run"
        if holds_runs(path):
            return "folder of runs"
    if is_shard_set(str(path)):
        return "data set"
    if path.is_file() and zipfile.is_zipfile(path) and not _is_torch_file(path):
        return "data set"
    if path.is_file() and (picture := picture_kind(path)):
        raise InfoError(
            f"{text}: a {picture} picture, not a network, data set or run; if bend drew it, see `bend credits`"
        )
    return "network"


def _expanded(text: str) -> str:
    return str(Path(text).expanduser())


def _is_torch_file(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as opened:
            return any(name.endswith("/data.pkl") for name in opened.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def _describe(kind: str, request: Request) -> Information:
    path = Path(request.path)
    if kind == "run":
        from bend.info.run import describe_run

        return describe_run(path.expanduser())
    if kind == "folder of runs":
        from bend.info.run import describe_runs

        return describe_runs(path.expanduser())
    if kind == "data set":
        from bend.info.archive import describe_archive

        return describe_archive(_expanded(request.path))
    from bend.info.network import describe_network

    return describe_network(request.path, request.part)


def _check_picture(
    output: Path | None, suffixes: tuple[str, ...], request: Request, *, is_possible: bool, wanted: str
) -> None:
    """Refuse, before any work, a picture that cannot be made or has no place to go."""
    if output is None:
        return
    if not is_possible:
        option = "--graph" if suffixes is _GRAPHS else "--sheet"
        raise InfoError(f"{request.path}: {option} is for {wanted}; leave it out")
    if output.suffix.lower() not in suffixes:
        raise InfoError(f"{output}: write one of {', '.join(suffixes)}")
    refuse_existing(output, request.force)


def _save_graph(output: Path, drawing: "Drawing") -> None:
    if output.suffix.lower() == ".svg":
        from bend.info.svg import to_svg

        write_atomic(output, to_svg(drawing))
        return
    from bend.info.raster import to_image

    with atomic_path(output) as temporary:
        to_image(drawing).save(temporary, optimize=True)
