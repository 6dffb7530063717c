"""Pictures in, data-set zip out: the stages of `bend package`.

Worker processes turn pictures into encoded images (`bend.prepare.pieces`); this process alone decides, in the
pictures' order, what is kept, and writes it. So the zip's bytes do not depend on how many workers there were.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from tqdm import tqdm

from bend.errors import PackageError
from bend.prepare.config import PackageConfig
from bend.prepare.dedupe import Seen
from bend.prepare.discover import Plan, SourcePicture, discover
from bend.prepare.labels import Labels, label_pictures
from bend.prepare.parallel import map_in_order
from bend.prepare.pieces import Piece, Prepared, prepare
from bend.prepare.progress import reading_bar
from bend.prepare.report import PackageReport
from stylegan.archive import ArchiveWriter
from stylegan.archive.metadata import Label

__all__ = ["package"]

_FEW_PICTURES = 8  # with fewer, a second process takes longer to start than it saves


def package(config: PackageConfig) -> PackageReport:
    """Make the data-set zip `config.out` of the pictures in `config.sources`.

    Progress goes to stderr where that is a terminal. Whatever happens, `config.out` is whole, or as it was.

    Raises:
        PackageError: a source is missing or damaged, `out` exists, or no picture can be used.
        ArchiveError, OSError: the zip cannot be written.
    """
    if config.out.is_dir():
        raise PackageError(
            f"{config.out}: is a folder; give the zip a name, such as {config.out / 'data.zip'}"
        )
    if config.out.exists() and not config.force:
        raise PackageError(f"{config.out}: exists already; use --force to replace it")
    plan = discover(config.sources)
    labels = label_pictures(plan.pictures, from_folders=config.labels_from_folders)
    report = _open_report(config, plan, labels)
    queue = _queue(plan, labels, config)
    with ArchiveWriter(config.out, progress=reading_bar("verifying")) as archive:
        _Packing(archive=archive, config=config, report=report).fill(queue)
        if not len(archive):
            raise PackageError(f"no picture can be used: {report.refusals_in_a_line()}")
    report.num_images = len(archive)
    report.num_bytes = config.out.stat().st_size
    return report


def _open_report(config: PackageConfig, plan: Plan, labels: Labels) -> PackageReport:
    report = PackageReport(
        out=config.out,
        resolution=config.resolution,
        num_channels=1 if config.colour == "grey" else 3,
        num_found=len(plan.pictures),
        classes=dict.fromkeys(labels.classes, 0),
    )
    if plan.num_manifest_faults:
        report.notes["bad-manifest-line"] = plan.num_manifest_faults
    if labels.are_dropped:
        report.notes["labels-dropped"] = 1
    return report


def _queue(plan: Plan, labels: Labels, config: PackageConfig) -> list["_Job"]:
    """The pictures in the order they are to be taken: as found, or drawn at random if not all are wanted."""
    jobs = [_Job(*pair) for pair in zip(plan.pictures, labels.values, strict=True)]
    if config.max_images is None:
        return jobs
    return [jobs[i] for i in np.random.default_rng(config.seed).permutation(len(jobs))]


@dataclass(frozen=True, slots=True)
class _Job:
    """A picture, and the label its images get."""

    picture: SourcePicture
    label: Label | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Packing:
    """The part that sees the pictures one after another: what is kept, counted and written."""

    archive: ArchiveWriter
    config: PackageConfig
    report: PackageReport
    seen: Seen = field(default_factory=Seen)

    def fill(self, queue: Sequence[_Job]) -> None:
        """Prepare the queued pictures and write what is kept, in order, until there is enough."""
        config = self.config
        num_workers = min(config.num_workers, max(1, len(queue) // _FEW_PICTURES))
        pictures = (job.picture for job in queue)
        results = map_in_order(partial(prepare, config=config), pictures, num_workers=num_workers)
        bar = tqdm(total=len(queue), desc="packaging", unit="picture", disable=None)
        with contextlib.closing(results), bar:
            for done, job in enumerate(queue):
                if config.max_images is not None and len(self.archive) >= config.max_images:
                    self.report.num_not_needed = len(queue) - done
                    break
                self._take(job, next(results))
                bar.update()

    def _take(self, job: _Job, prepared: Prepared) -> None:
        name = job.picture.name
        if prepared.reason is not None:
            self.report.refuse(name, prepared.reason, prepared.message)
        elif twin := self.seen.twin(name, prepared.digest, prepared.looks):
            self.report.refuse(name, "duplicate", f"the same as {twin}")
        else:
            self._keep(job, prepared)

    def _keep(self, job: _Job, prepared: Prepared) -> None:
        room = None if self.config.max_images is None else self.config.max_images - len(self.archive)
        pieces = prepared.pieces[:room]
        for piece in pieces:
            self.archive.add_encoded(piece.png, label=job.label, source=_source(job.picture, piece))
        self.report.num_used += 1
        self.report.notes.update(prepared.notes)
        if self.report.classes and job.picture.folder is not None:
            self.report.classes[job.picture.folder] += len(pieces)


def _source(picture: SourcePicture, piece: Piece) -> dict[str, Any]:
    """What the data set says of an image's origin; one cut before keeps its first parent."""
    if "parent" in picture.origin:
        return dict(picture.origin)
    return {**picture.origin, "parent": picture.name, "crop": list(piece.box)}
