"""Divides pictures among several processes; the result is the same as that of one.

Each process draws a run of neighbours. Pictures in separate files are written by the process that drew them, into a
folder that all hosts share. The frames of a film file are kept as PNGs in a hidden folder of each process, and sent to
the first process when it encodes them, so that hosts need no shared disk. `stylegan.distributed` connects the
processes.
"""

import contextlib
import io
import shutil
import tempfile
import uuid
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
from PIL import Image

from bend.errors import RenderError
from bend.picture import Pixels
from bend.provenance import Provenance
from stylegan.distributed import Team

__all__ = ["Frames", "drawn_together", "own_share", "refuse_other_work", "refuse_unshared"]

Item = TypeVar("Item")

# Given the indices of the wanted frames, yields (index, uint8 [H, W, 3]) in order. It may also yield others of the same
# batch, so that a resumed film is drawn in the same batches, to the same bytes, as one drawn at once.
Frames: TypeAlias = Callable[[Container[int]], Iterator[tuple[int, Pixels]]]


def own_share(items: Sequence[Item], team: Team, rank: int | None = None) -> Sequence[Item]:
    """The items that this process, or process `rank`, is to draw.

    They are neighbours, since those share batches; shares differ in size by one at most.
    """
    place = team.rank if rank is None else rank
    start, stop = (-(-len(items) * bound // team.size) for bound in (place, place + 1))
    return items[start:stop]


def refuse_other_work(provenance: Provenance, team: Team) -> None:
    """Refuse to mix pictures of different works: files of the same name may differ from host to host.

    Raises:
        RenderError: this process would draw other pictures than the first one.
    """
    if not provenance.same_work(team.first_says(provenance)):
        raise RenderError(
            "bend, the network or a file is not the same as in the first process; "
            "copy the same to every host, under the same names"
        )


def refuse_unshared(folder: Path, team: Team) -> None:
    """Refuse a folder that is not shared by all processes: the pictures would be scattered over the hosts.

    Args:
        folder: created if need be.
        team: the processes, each of which calls this.

    Raises:
        RenderError: another host has a folder of its own there.
        TeamError: another process has, and is gone.
    """
    if team.launch is None or not team.launch.is_spread:
        return
    probe = folder / team.first_says(f".{uuid.uuid4().hex}.tmp")
    if team.is_first:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
    team.wait()
    try:
        is_shared = team.is_first or not team.is_first_here or _is_there(probe)
    finally:
        team.wait()
        if team.is_first:
            probe.unlink()
    if not is_shared:
        raise RenderError(
            f"{folder}: not the folder of the first process; share a disk among the hosts for pictures in a folder, "
            "or give a film file, which needs none"
        )
    team.wait()


def _is_there(probe: Path) -> bool:
    """Whether another process has made `probe`; tries to create it, since network disks cache everything else."""
    made = [folder for folder in probe.parents if not folder.exists()]
    probe.parent.mkdir(parents=True, exist_ok=True)
    try:
        probe.touch(exist_ok=False)
    except FileExistsError:
        return True
    probe.unlink()
    for folder in made:
        folder.rmdir()
    return False


@contextlib.contextmanager
def drawn_together(output: Path, frames: Frames, num_frames: int, team: Team) -> Iterator[Frames]:
    """Draw a film's frames in all processes; in the first, yields a reader of all of them.

    The reader gives each frame once, in order. All frames are drawn by then.

    Args:
        output: the film file.
        frames: draws frames.
        num_frames: of the whole film.
        team: the processes, each of which calls this.

    Raises:
        TeamError: another process is gone.
        OSError: the disk is full or the folder cannot be written.
    """
    shares = [own_share(range(num_frames), team, rank) for rank in range(team.size)]
    with _hidden_folder(output, team) as folder:
        own = shares[team.rank]
        for index, frame in frames(own) if own else ():
            if index in own:
                Image.fromarray(frame).save(folder / f"{index}.png", compress_level=1)
        team.wait()
        if not team.is_first:
            for index in own:
                team.give_first((folder / f"{index}.png").read_bytes())
        yield _reader(folder, shares, team)


@contextlib.contextmanager
def _hidden_folder(output: Path, team: Team) -> Iterator[Path]:
    """A folder for this process's frames: beside the film or, on a host without that folder, in the temporary one."""
    if team.is_first:
        output.parent.mkdir(parents=True, exist_ok=True)
    parent = output.parent if output.parent.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix=f".{output.stem}.", suffix=".frames", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _reader(folder: Path, shares: Sequence[Sequence[int]], team: Team) -> Frames:
    def frames(wanted: Container[int]) -> Iterator[tuple[int, Pixels]]:
        for rank, share in enumerate(shares):
            for index in share:
                path = folder / f"{index}.png"
                file = path if rank == team.rank else io.BytesIO(team.take_from(rank))
                if index in wanted:
                    with Image.open(file) as image:
                        yield index, np.asarray(image)

    return frames
