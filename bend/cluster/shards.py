"""Work cut into shards, and a folder in which a shard's results are whole or absent.

A shard is a run of neighbouring items. Its name consists of its number and a digest of everything that its results
depend on: with other settings or other pictures it is another shard. Its results are one file, written under a
temporary name, flushed and then renamed (`stylegan.atomic`), so that a shard is done if and only if its file is there.
It does no harm if a shard is done twice, as when a worker was wrongly thought dead, and a command that was killed goes
on with the missing shards. The results are read in the order of the plan.
"""

import hashlib
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from bend.errors import ClusterError
from stylegan.atomic import atomic_path

__all__ = ["DONE", "Shard", "ShardFolder", "shard_name"]

DONE = ".done"
_SEEN_S = 60.0  # a network file system may take that long to show a file renamed on another machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A piece of the plan.

    Attributes:
        name: number and digest.
        items: the work in it.
    """

    name: str
    items: Sequence[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardFolder:
    """Where the results go, on a file system that all machines share.

    Attributes:
        path: the folder, absolute.
    """

    path: Path

    def results(self, name: str) -> Path:
        """The file of a shard that is done."""
        return self.path / f"{name}{DONE}"

    def is_done(self, name: str) -> bool:
        """Whether a shard is done."""
        return self.results(name).exists()

    def open(self, path: Path) -> BinaryIO:
        """Open the file of a shard that a worker says is done.

        Raises:
            ClusterError: it does not appear on this machine.
        """
        until = time.monotonic() + _SEEN_S
        while True:
            try:
                return path.open("rb")
            except FileNotFoundError:
                if time.monotonic() > until:
                    raise ClusterError(
                        f"{path}: a worker has written it, but it is not visible here; --engine ray needs a folder "
                        "that all machines share"
                    ) from None
                time.sleep(0.2)

    def write(self, name: str, results: Iterable[bytes], attempt: str) -> None:
        """Write a shard's results, whole or not at all.

        Raises:
            OSError: the disk is full.
        """
        with atomic_path(self.results(name)) as temporary, temporary.open("wb") as file:
            for result in results:
                file.write(result)
                sys.audit("failpoint", "item", f"{name}.{attempt}")

    def keep_only(self, names: Iterable[str]) -> None:
        """Remove the results of all other shards."""
        wanted = {self.results(name) for name in names}
        for path in self.path.glob(f"*{DONE}"):
            if path not in wanted:
                path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete the folder and all in it."""
        shutil.rmtree(self.path, ignore_errors=True)


def shard_name(number: int, *facts: str) -> str:
    """Number, and a digest of what the results depend on."""
    digest = hashlib.blake2b("\0".join(facts).encode("utf-8", "surrogatepass"), digest_size=8)
    return f"{number:06d}-{digest.hexdigest()}"
