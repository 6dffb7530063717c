"""Makes a data-set zip of pictures: the stages of `bend package`.

Worker processes, here or on other machines (`bend.cluster.preparing`), turn pictures into encoded images
(`bend.prepare.films`). This process alone decides, in the order of the pictures, what is kept and in which zip
(`bend.prepare.shelves`), and writes it, so that the bytes of the zips do not depend on the number of workers.
"""

import contextlib
import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
from tqdm import tqdm

from bend.errors import PackageError
from bend.prepare.config import PackageConfig
from bend.prepare.discover import Plan, discover
from bend.prepare.films import prepare_source
from bend.prepare.labels import Labels, label_pictures
from bend.prepare.parallel import map_in_order
from bend.prepare.pieces import Prepared
from bend.prepare.report import PackageReport
from bend.prepare.shard_writer import shards_there
from bend.prepare.shelves import Job, Shelves
from stylegan.atomic import temporary_name

__all__ = ["Preparer", "package", "prepare_here"]

_FEW_PICTURES = 8  # with fewer, a second process takes longer to start than it saves
_MOST_THREADS = 16  # FFmpeg advises against more


Preparer: TypeAlias = Callable[[Sequence[Job], PackageConfig], Generator[Prepared]]
"""Prepares pictures and videos, and yields the result of each, in order; closing the generator stops the work."""


def package(config: PackageConfig, preparer: Preparer | None = None) -> PackageReport:
    """Make the data-set zip `config.out`, and those split off, of what is in `config.sources`.

    Progress goes to stderr if that is a terminal. Whatever happens, either all zips are written whole, or none is.

    Args:
        config: the settings.
        preparer: prepares the pictures; processes of this machine if None.

    Raises:
        PackageError: a source is missing or damaged, a zip exists, or no picture can be used.
        ArchiveError, OSError: a zip cannot be written.
    """
    for out in config.outs:
        _refuse_out(out, config)
    plan = discover(config.sources, are_labels_kept=not config.labels_from_folders)
    labels = label_pictures(plan.pictures, from_folders=config.labels_from_folders)
    report = _open_report(config, plan, labels)
    queue = _queue(plan, labels, config)
    with Shelves(config, report) as shelves:
        _fill(shelves, queue, (preparer or prepare_here)(queue, config))
    return report


def _refuse_out(out: Path, config: PackageConfig) -> None:
    if out.is_dir():
        raise PackageError(f"{out}: is a folder; give the zip a name, such as {out / 'data.zip'}")
    is_sharded = config.shard_size is not None
    there = shards_there(out) if is_sharded else [out] if out.exists() else []
    if there and not config.force:
        raise PackageError(f"{there[0]}: exists already; use --force to replace it")


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


def _queue(plan: Plan, labels: Labels, config: PackageConfig) -> list[Job]:
    """The pictures in the order in which they are taken: as found, or at random if not all are wanted."""
    jobs = [Job(*pair) for pair in zip(plan.pictures, labels.values, strict=True)]
    if config.max_images is None:
        return jobs
    return [jobs[i] for i in np.random.default_rng(config.seed).permutation(len(jobs))]


@contextlib.contextmanager
def _scratch(config: PackageConfig, queue: Sequence[Job]) -> Iterator[Path | None]:
    """A hidden folder for the frames of videos, if there are any; beside the zip, where there must be room anyway."""
    if not any(job.picture.is_video for job in queue):
        yield None
        return
    folder = config.out.with_name(temporary_name(f"{config.out.stem}-frames"))
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def prepare_here(queue: Sequence[Job], config: PackageConfig) -> Generator[Prepared]:
    """A `Preparer`: `config.workers` processes of this machine."""
    num_videos = sum(job.picture.is_video for job in queue)
    num_workers = min(config.num_workers, max(1, num_videos + (len(queue) - num_videos) // _FEW_PICTURES))
    with _scratch(config, queue) as scratch:
        work = partial(
            prepare_source,
            config=config,
            scratch=scratch,
            num_threads=min(_MOST_THREADS, max(1, config.num_workers // num_workers)),
        )
        results = map_in_order(work, (job.picture for job in queue), num_workers=num_workers)
        with contextlib.closing(results):
            yield from results


def _fill(shelves: Shelves, queue: Sequence[Job], results: Generator[Prepared]) -> None:
    """Write what is kept of the queued pictures, in order, until there are enough."""
    bar = tqdm(total=len(queue), desc="packaging", unit="picture", disable=None)
    with contextlib.closing(results), bar:
        for done, job in enumerate(queue):
            if shelves.room == 0:
                shelves.report.num_not_needed = len(queue) - done
                break
            shelves.take(job, next(results))
            bar.update()
