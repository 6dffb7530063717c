"""The zips being filled: decides which pictures are kept, how they are counted, and to which zip they go.

Everything that depends on earlier pictures is decided here, by one process that sees them in order: duplicates, the
split, and when there are enough. The zips get their names only when all of them are whole.
"""

from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bend.errors import PackageError
from bend.prepare.config import PackageConfig
from bend.prepare.dedupe import Seen
from bend.prepare.discover import SourcePicture
from bend.prepare.pieces import Piece, Prepared
from bend.prepare.progress import reading_bar
from bend.prepare.records import read_frames
from bend.prepare.report import PackageReport, SplitOff
from bend.prepare.shard_writer import ShardWriter
from bend.prepare.split import Splitter
from stylegan.archive import ArchiveWriter, DatasetZip
from stylegan.archive.metadata import Label

__all__ = ["Job", "Shelves"]

_TORN = "looks like pictures on both sides of the split"


@dataclass(frozen=True, slots=True)
class Job:
    """A picture or video, and the label its images get."""

    picture: SourcePicture
    label: Label | None


class Shelves:
    """The zips of one packaging; a context manager, after which either all of them are there, whole, or none is.

    Args:
        config: the settings.
        report: counts what is kept and refused.

    Raises:
        PackageError: on leaving, one of the zips would be empty.
        ArchiveError, OSError: on leaving, a zip cannot be written.
    """

    def __init__(self, config: PackageConfig, report: PackageReport) -> None:
        self.report = report
        self._config = config
        self._seen = Seen()
        self._splitter = Splitter(config.splits, config.seed)
        self._num_used = [0] * len(config.outs)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._archives: list[ArchiveWriter | ShardWriter] = []
            for out in self._config.outs:
                writer = _open_writer(out, self._config)
                stack.enter_context(writer)
                self._archives.append(writer)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, trace)
            return
        fresh: list[ArchiveWriter | ShardWriter] = []
        try:
            with self._stack:  # leaving it renames the zips, the main one last: if that is there, all are
                self._refuse_empty()
                for archive in self._archives:
                    archive.finish()
                fresh = [archive for archive in self._archives if not archive.path.exists()]
        except FileExistsError as there:
            for archive in fresh:
                if archive.is_named:  # the others were made by another process
                    archive.path.unlink(missing_ok=True)
            raise PackageError(
                f"{there.filename}: was made by another process in the meantime; use --force to replace it"
            ) from None
        except BaseException:
            for archive in fresh:
                archive.path.unlink(missing_ok=True)
            raise
        self._count()

    @property
    def room(self) -> int | None:
        """How many more images are wanted; None for no limit."""
        wanted = self._config.max_images
        return None if wanted is None else wanted - sum(map(len, self._archives))

    def take(self, job: Job, prepared: Prepared) -> None:
        """Write the images of a picture or video, or count why they are refused.

        Raises:
            OSError: the disk is full.
        """
        name = job.picture.name
        if prepared.failure is not None:
            raise prepared.failure
        if prepared.reason is not None:
            self.report.refuse(name, prepared.reason, prepared.message)
            return
        twin = self._twin(name, prepared)
        side = self._side(job, prepared)
        if twin is not None:
            self.report.refuse(name, "duplicate", f"the same as {twin}")
        elif prepared.frames is not None:
            with closing(read_frames(prepared.frames)) as frames:
                self._take_frames(job, frames, side)
        elif self._splitter.is_torn(prepared.looks, side):
            self.report.refuse(name, "torn", _TORN)
        else:
            self._put(job, prepared, side)
            self._num_used[side] += 1
        self.report.notes.update(prepared.notes if prepared.frames else ())

    def _take_frames(self, job: Job, frames: Iterable[Prepared], side: int) -> None:
        name = job.picture.name
        num_before = len(self._archives[side])
        last_twin = None
        for frame in frames:
            if self.room == 0:
                break
            twin = self._twin(f"{name} at {frame.time_s:.2f} s", frame)
            if twin is not None:
                last_twin = twin
                self.report.notes["same-frames"] += 1
            elif self._splitter.is_torn(frame.looks, side):
                self.report.notes["torn-frames"] += 1
            else:
                self._put(job, frame, side)
                self.report.num_frames += 1
        if len(self._archives[side]) > num_before:
            self._num_used[side] += 1
        elif last_twin is not None:
            self.report.refuse(
                name, "duplicate", f"every frame the same as an earlier one, such as {last_twin}"
            )
        else:
            self.report.refuse(name, "torn", _TORN)

    def _twin(self, name: str, prepared: Prepared) -> str | None:
        kind = self._config.dedupe
        digest = None if kind == "none" else prepared.digest
        return self._seen.twin(name, digest, prepared.looks if kind == "near" else None)

    def _side(self, job: Job, prepared: Prepared) -> int:
        parent = job.picture.origin.get("parent")
        key = f"bytes {prepared.digest}" if parent is None else f"parent {parent}"
        looks = prepared.all_looks if prepared.looks is None else (prepared.looks,)
        return self._splitter.side(key, looks)

    def _put(self, job: Job, prepared: Prepared, side: int) -> None:
        pieces = prepared.pieces[: self.room]
        for piece in pieces:
            source = _source(job.picture, piece, prepared.time_s)
            self._archives[side].add_encoded(piece.png, label=job.label, source=source)
        self._splitter.remember(prepared.looks, side)
        self.report.notes.update(prepared.notes)
        if self.report.classes and job.picture.folder is not None:
            self.report.classes[job.picture.folder] += len(pieces)

    def _refuse_empty(self) -> None:
        if not any(map(len, self._archives)):
            raise PackageError(f"no picture can be used: {self.report.refusals_in_a_line()}")
        for archive, text in zip(self._archives, ("", *self._config.split), strict=True):
            if not len(archive):
                words = f"--split {text}: none" if text else f"{archive.path}: with this --split, none"
                raise PackageError(
                    f"{words} of the {sum(self._num_used):,} pictures fell to it; "
                    "change the share, take another --seed, or add pictures"
                )

    def _count(self) -> None:
        report = self.report
        report.num_used = sum(self._num_used)
        sizes = [sum(path.stat().st_size for path in archive.paths) for archive in self._archives]
        if self._config.shard_size is not None:
            num_shards = len(self._archives[0].paths)
            stem, suffix = report.out.stem, report.out.suffix
            report.out = report.out.with_name(
                f"{stem}-{{00000..{num_shards - 1:05d}}}-of-{num_shards:05d}{suffix}"
            )
        report.num_images, report.num_bytes = len(self._archives[0]), sizes[0]
        for i, split in enumerate(self._config.splits, start=1):
            report.splits[split.name] = SplitOff(
                out=self._archives[i].path,
                num_used=self._num_used[i],
                num_images=len(self._archives[i]),
                num_bytes=sizes[i],
            )
        if report.splits:
            dims = [DatasetZip(archive.path).label_dim for archive in self._archives]
            if fewer := sum(dim < max(dims) for dim in dims):
                report.notes["split-classes"] = fewer


def _open_writer(out: Path, config: PackageConfig) -> ArchiveWriter | ShardWriter:
    progress = reading_bar("verifying")
    if config.shard_size is None:
        return ArchiveWriter(out, replace=config.force, progress=progress)
    return ShardWriter(out, shard_size=config.shard_size, replace=config.force, progress=progress)


def _source(picture: SourcePicture, piece: Piece, time_s: float | None) -> dict[str, Any]:
    """The origin of an image for the data set; a picture that was cut before keeps its first parent."""
    if "parent" in picture.origin:
        return dict(picture.origin)
    time = {} if time_s is None else {"time": round(time_s, 3)}
    return {**picture.origin, "parent": picture.name, "crop": list(piece.box)} | time
