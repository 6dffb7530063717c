"""Pictures drawn by several processes: each draws its share, a run of neighbours, and the result is that of one.

Pictures that are files of their own are written by whoever drew them. The frames of one film file are left as PNGs in a
hidden folder beside it, from which the first process encodes them. Who the processes are is `stylegan.distributed`'s.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
from PIL import Image

from bend.picture import Pixels
from stylegan.distributed import Team

__all__ = ["Frames", "drawn_together", "own_share"]

Item = TypeVar("Item")

# Given which frames are wanted, yields (index, uint8 [H, W, 3]) in order; may yield others of the same batch
# too, so that a film taken up again is drawn in the same batches, to the same bytes, as one drawn at once.
Frames: TypeAlias = Callable[[Container[int]], Iterator[tuple[int, Pixels]]]


def own_share(items: Sequence[Item], team: Team) -> Sequence[Item]:
    """The items that this process sees to: neighbours, since those share batches; all shares differ by one at most."""
    start, stop = (-(-len(items) * place // team.size) for place in (team.rank, team.rank + 1))
    return items[start:stop]


@contextlib.contextmanager
def drawn_together(output: Path, frames: Frames, num_frames: int, team: Team) -> Iterator[Frames]:
    """Draw a film's frames in all processes, and yield them as if this one had drawn them all.

    Args:
        output: the film that they are for.
        frames: draws them.
        num_frames: frames in all.
        team: the processes, each of which calls this.

    Raises:
        TeamError: another process is gone.
        OSError: the disk is full or the folder cannot be written.
    """
    folder: Path | None = None
    if team.is_first:
        output.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{output.stem}.", suffix=".frames", dir=output.parent))
    folder = team.first_says(folder)
    assert folder is not None
    try:
        own = own_share(range(num_frames), team)
        for index, frame in frames(own) if own else ():
            if index in own:
                Image.fromarray(frame).save(folder / f"{index}.png", compress_level=1)
        team.wait()
        yield _reader(folder)
    finally:
        if team.is_first:
            shutil.rmtree(folder, ignore_errors=True)


def _reader(folder: Path) -> Frames:
    def frames(wanted: Container[int]) -> Iterator[tuple[int, Pixels]]:
        index = 0
        while (path := folder / f"{index}.png").exists():
            if index in wanted:
                with Image.open(path) as image:
                    yield index, np.asarray(image)
            index += 1

    return frames
