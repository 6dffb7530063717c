"""Describes a data set, one zip or shards: its pictures, labels, creators and licences; draws a contact sheet."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from bend.errors import BendError
from bend.grid import sheet, square
from bend.info.figures import table, with_unit
from bend.info.report import Information
from bend.picture import Pixels
from scrapers.licences import family_of
from stylegan.archive import PictureSet, open_dataset

__all__ = ["contact_sheet", "describe_archive"]

_MOST_ROWS = 12
_MOST_PICTURES = 100
_CELL = 96  # pixels of a picture on the sheet


def describe_archive(path: str) -> Information:
    """Everything about a data set that is known without decoding its pictures.

    Raises:
        ArchiveError: no data set that can be trained on.
    """
    data = open_dataset(path)
    origins = _origins_of(data)
    labels = _label_counts(data)
    channels = {1: "grey", 3: "RGB"}.get(data.num_channels, f"{data.num_channels} channels")
    num_bytes, num_parents = data.num_bytes, len(origins.parents)
    lines = [
        f"data set: {path}",
        f"pictures: {len(data):,} of {data.resolution}×{data.resolution}, {channels}, {with_unit(num_bytes)}"
        + (f" in {data.num_shards:,} shards" if data.num_shards > 1 else "")
        + (f", cut from {num_parents:,} originals" if num_parents else ""),
        f"fingerprint: {data.fingerprint()}",
        f"labels: {_label_text(data, labels)}",
    ]
    named = (("licence", origins.licences), ("creator", origins.creators), ("source", origins.services))
    for name, counts in named:
        lines += ["", *_count_lines(name, counts)]
    record = {
        "kind": "data set",
        "path": str(path),
        "num_images": len(data),
        "resolution": data.resolution,
        "num_channels": data.num_channels,
        "num_bytes": num_bytes,
        "num_shards": data.num_shards,
        "num_originals": num_parents,
        "sha256": data.fingerprint(),
        "label_dim": data.label_dim,
        "labels": labels,
        "licences": dict(origins.licences.most_common()),
        "unknown_licences": sum(n for name, n in origins.licences.items() if family_of(name) == "unknown"),
        "creators": dict(origins.creators.most_common()),
        "sources": dict(origins.services.most_common()),
    }
    return Information(lines=tuple(lines), record=record)


def contact_sheet(path: str) -> Pixels:
    """Up to a hundred pictures, spread evenly over the data set, on one surface, uint8 `[H, W, 3]`.

    Raises:
        ArchiveError: no data set, or a picture in it is damaged.
    """
    data = open_dataset(path, max_images=_MOST_PICTURES)
    if not len(data):
        raise BendError(f"{path}: holds no pictures")
    return sheet((_cell(data, i) for i in range(len(data))), *square(len(data)))


def _cell(data: PictureSet, index: int) -> Pixels:
    pixels = data.image(index).transpose(1, 2, 0)  # [H, W, C]
    rgb = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    method = Image.Resampling.NEAREST if data.resolution < _CELL else Image.Resampling.LANCZOS
    return np.asarray(Image.fromarray(np.ascontiguousarray(rgb)).resize((_CELL, _CELL), method))


@dataclass(frozen=True, slots=True)
class _Origins:
    """Where the pictures come from: how many of each licence, creator and service, and their original pictures."""

    licences: Counter[str] = field(default_factory=Counter)
    creators: Counter[str] = field(default_factory=Counter)
    services: Counter[str] = field(default_factory=Counter)
    parents: set[str] = field(default_factory=set)


def _origins_of(data: PictureSet) -> _Origins:
    origins = _Origins()
    counters = {"license": origins.licences, "creator": origins.creators, "source": origins.services}
    for source in data.iterate_sources():
        if parent := source.get("parent"):
            origins.parents.add(str(parent))
        for key, counter in counters.items():
            counter[str(source.get(key) or "unknown")] += 1
    if (num_unsaid := len(data) - origins.licences.total()) > 0:
        for counter in counters.values():
            counter["unknown"] += num_unsaid
    return origins


def _label_counts(data: PictureSet) -> dict[str, int] | None:
    """How many pictures each class has; None if there are no labels, or where they are not classes."""
    if not data.has_labels:
        return None
    counts = data.label_counts()
    return None if counts is None else {str(number): count for number, count in counts.items()}


def _label_text(data: PictureSet, counts: dict[str, int] | None) -> str:
    if not data.has_labels:
        return "none"
    if counts is None:
        return f"vectors of {data.label_dim} numbers"
    shown = ", ".join(f"{number}: {count:,}" for number, count in list(counts.items())[:_MOST_ROWS])
    return f"{data.label_dim} classes ({shown}{', …' if len(counts) > _MOST_ROWS else ''})"


def _count_lines(name: str, counts: Counter[str]) -> list[str]:
    rows = [[what, f"{number:,}"] for what, number in counts.most_common(_MOST_ROWS)]
    more = len(counts) - _MOST_ROWS
    return [*table([name, "pictures"], rows, right=(1,)), *([f"and {more:,} more"] if more > 0 else [])]
