"""The pictures of `bend package` prepared on a cluster; a preparer as `bend.prepare.packing` describes it.

The queue of pictures is cut into shards; a video is a shard by itself. Workers write the results of a shard into a
hidden folder beside the zip, which all machines must share. The packing process reads the shards in order and decides
what is kept, so that the zip's bytes are the same as from one machine. The folder is removed when the zip is there. If
the command is killed before, another one with the same settings goes on with the shards that are done.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bend import __version__
from bend.cluster.connection import Cluster
from bend.cluster.runner import Runner
from bend.cluster.shards import Shard, ShardFolder, shard_name
from bend.errors import PackageError
from bend.prepare import PackageConfig, PackageReport
from bend.prepare.discover import SourcePicture
from bend.prepare.films import prepare_source
from bend.prepare.packing import package
from bend.prepare.pieces import Prepared
from bend.prepare.records import decoded, encoded
from bend.prepare.shelves import Job
from stylegan.errors import LockHeldError
from stylegan.lock import FileLock

__all__ = ["package_on"]

_SHARD_SIZE = 64
_CHUNK_BYTES = 1 << 20


def package_on(
    cluster: Cluster, config: PackageConfig, warn: Callable[[str], None], *, shard_size: int = _SHARD_SIZE
) -> PackageReport:
    """Do what `bend.prepare.package` does, with the pictures prepared by the workers of a cluster.

    Args:
        cluster: where.
        config: what is wanted.
        warn: called with a message when a worker was lost.
        shard_size: pictures in a shard.

    Raises:
        PackageError: as `package`, or the same zip is being made already.
        ClusterError: the cluster cannot do it.
        ArchiveError, OSError: as `package`.
    """
    out = config.out.absolute()
    folder = ShardFolder(path=out.with_name(f".{out.stem}.shards"))

    def preparer(queue: Sequence[Job], config: PackageConfig) -> Generator[Prepared]:
        folder.path.mkdir(parents=True, exist_ok=True)
        plan = _plan(queue, config, shard_size)
        runner = Runner(cluster, _PrepareJob(config=config, folder=folder.path), folder, warn=warn)
        with _locked(folder.path, config.out), contextlib.closing(runner):
            folder.keep_only(shard.name for shard in plan)
            for shard in runner.in_order(plan):
                yield from _read(folder, shard)

    report = package(config, preparer)
    folder.remove()
    return report


@dataclass(frozen=True, slots=True, kw_only=True)
class _PrepareJob:
    """A `bend.cluster.runner.Job`."""

    config: PackageConfig
    folder: Path

    def results(self, items: Sequence[SourcePicture], holder: str) -> Iterator[bytes]:
        for picture in items:
            prepared = prepare_source(picture, self.config, self.folder)
            if prepared.failure is not None:
                raise prepared.failure
            if prepared.frames is None:
                yield encoded(prepared)
            else:
                yield from _with_frames(prepared, prepared.frames.path)


def _with_frames(prepared: Prepared, spool: Path) -> Iterator[bytes]:
    try:
        yield encoded(prepared, spool.stat().st_size)
        with spool.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk
    finally:
        spool.unlink(missing_ok=True)


def _plan(queue: Sequence[Job], config: PackageConfig, shard_size: int) -> list[Shard]:
    """The queue in shards of neighbours; a video is one by itself, since it may take as long as all others."""
    # Only settings that change the results count: the same shards serve a zip of another name.
    settings = repr(
        dataclasses.replace(
            config,
            sources=(Path(),),
            out=Path("out.zip"),
            force=False,
            workers=None,
            max_images=None,
            shard_size=None,
        )
    )
    runs: list[list[SourcePicture]] = [[]]
    for job in queue:
        picture = dataclasses.replace(job.picture, path=job.picture.path.absolute(), origin={}, label=None)
        is_full = len(runs[-1]) == shard_size
        if runs[-1] and (is_full or picture.is_video or runs[-1][-1].is_video):
            runs.append([])
        runs[-1].append(picture)
    return [
        Shard(name=shard_name(number, __version__, settings, *map(_facts, run)), items=tuple(run))
        for number, run in enumerate(runs)
    ]


def _facts(picture: SourcePicture) -> str:
    """What identifies a picture and its present content."""
    with contextlib.suppress(OSError):
        status = picture.path.stat()
        return repr((picture.name, str(picture.path), picture.member, status.st_size, status.st_mtime_ns))
    return repr((picture.name, str(picture.path), picture.member))


def _read(folder: ShardFolder, shard: Shard) -> Iterator[Prepared]:
    path = folder.results(shard.name)
    with folder.open(path) as file:
        for _ in shard.items:
            prepared = decoded(file, path)
            assert prepared is not None
            yield prepared


@contextlib.contextmanager
def _locked(folder: Path, out: Path) -> Iterator[None]:
    try:
        lock = FileLock(folder / ".lock")
    except LockHeldError as held:
        raise PackageError(f"{out}: process {held.holder} is making it; let it end first") from None
    try:
        yield
    finally:
        lock.release()
