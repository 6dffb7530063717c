"""The networks that have a name: those that come with bend, and those that can be pulled."""

import dataclasses
from collections.abc import Iterator

from bend.info import figures
from stylegan.checkpoint import outline_network
from stylegan.checkpoint.cache import networks_folder, read_record
from stylegan.checkpoint.known import KNOWN
from stylegan.checkpoint.load import EMBEDDED

__all__ = ["Row", "rows", "table"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A network that has a name."""

    name: str
    """What `--base` and `--network` take."""
    resolution: int
    """Side of its pictures, in pixels."""
    num_bytes: int | None
    """Size of its file; None if it was not downloaded."""
    approximate_mb: int
    """Size in megabytes: of the file if it is there, else as expected."""
    licence: str
    """Licence of the weights."""
    state: str
    """`embedded`, `downloaded` or `not downloaded`."""
    about: str
    """What it draws."""
    url: str
    """Where it comes from; empty for an embedded one."""
    sha256: str
    """Checksum of the downloaded file; empty if it was not downloaded."""


def rows() -> Iterator[Row]:
    """The embedded networks, then the known ones.

    Raises:
        CheckpointError: an embedded network is missing or damaged.
    """
    for name, path in EMBEDDED.items():
        network = outline_network(name)
        size = path.stat().st_size
        yield Row(
            name=name,
            resolution=network.generator().img_resolution,
            num_bytes=size,
            approximate_mb=round(size / 1e6),
            licence=network.meta.licence,
            state="embedded",
            about="faces, small; comes with bend",
            url="",
            sha256="",
        )
    for name, known in KNOWN.items():
        record = read_record(name)
        there = record is not None and (networks_folder() / record.file).is_file()
        size_there = record.num_bytes if record is not None and there else None
        yield Row(
            name=name,
            resolution=known.resolution,
            num_bytes=size_there,
            approximate_mb=known.approximate_mb if size_there is None else round(size_there / 1e6),
            licence=known.licence,
            state="downloaded" if there else "not downloaded",
            about=known.about,
            url=known.url,
            sha256=record.sha256 if record is not None else "",
        )


def table(found: list[Row]) -> list[str]:
    """The rows as aligned lines; a size with ~ is an estimate."""
    cells = []
    for row in found:
        about = "~" if row.num_bytes is None else ""
        size = f"{about}{row.approximate_mb} MB"
        cells.append((row.name, str(row.resolution), size, row.state, row.about, row.licence))
    return figures.table(("NAME", "PIXELS", "SIZE", "STATE", "DRAWS", "LICENCE"), cells)
