"""Work cut into shards, and a folder in which a shard's results are whole or absent.

A shard is a run of neighbouring items. Its name is made of its number and of a digest of all that its results depend
on, so the plan cannot change under it: other settings or other pictures are another shard. Its results are one file,
which grows under a temporary name, is flushed and then renamed (`stylegan.atomic`): that it is there is the mark that
the shard is done. So a shard may be done twice, by a worker that was thought dead and by another, and nobody notices;
and a command that was killed goes on with the shards that are missing. Whoever merges reads the files in the order of
the plan.
"""

import hashlib
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylegan.atomic import atomic_path

__all__ = ["Shard", "ShardFolder", "shard_name"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A piece of the plan.

    Attributes:
        name: number and digest.
        items: what is to be done.
    """

    name: str
    items: Sequence[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardFolder:
    """Where the results lie, on a file system that all machines share.

    Attributes:
        path: the folder, absolute.
    """

    path: Path

    def results(self, name: str) -> Path:
        """The file of a shard that is done."""
        return self.path / f"{name}.done"

    def is_done(self, name: str) -> bool:
        """Whether a shard is done."""
        return self.results(name).exists()

    def write(self, name: str, results: Iterable[bytes], attempt: str) -> None:
        """Write a shard's results, whole or not at all.

        Raises:
            OSError: the disk is full.
        """
        with atomic_path(self.results(name)) as temporary, temporary.open("wb") as file:
            for result in results:
                file.write(result)
                sys.audit("failpoint", "item", f"{name}.{attempt}")

    def others(self, names: Iterable[str]) -> Iterator[Path]:
        """What lies here of shards that are not of this plan."""
        wanted = set(names)
        for path in sorted(self.path.iterdir()):
            if not path.name.startswith(".") and path.name.partition(".")[0] not in wanted:
                yield path

    def remove(self) -> None:
        """Delete the folder and all in it."""
        shutil.rmtree(self.path, ignore_errors=True)


def shard_name(number: int, *facts: str) -> str:
    """Number, and a digest of what the results depend on."""
    digest = hashlib.blake2b("\0".join(facts).encode("utf-8", "surrogatepass"), digest_size=8)
    return f"{number:06d}-{digest.hexdigest()}"
