"""Describes a run folder: its data and settings, how far it is, its curves, and its suggested moments.

The training that writes the files may still be running, or may have been killed: what is missing or half-written is
left out.
"""

import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bend.info.figures import sparkline, table
from bend.info.report import Information
from bend.info.run_files import number_in, parse_object, read_object, table_in
from bend.run_names import SCORE
from bend.stores.marker import holds_state
from stylegan.checkpoint import list_snapshots
from stylegan.run_names import OPTIONS, STATS

__all__ = ["describe_run", "describe_runs", "holds_runs", "is_run"]

_CURVES = {
    "D loss": "Loss/D/loss",
    "G loss": "Loss/G/loss",
    "R1 penalty": "Loss/r1_penalty",
    "reals known": "Loss/signs/real",
    "augmentation": "Progress/augment",
    "sec/kimg": "Timing/sec_per_kimg",
}
_ASKED = ("kimg", "batch", "snapshots", "aug", "mirror", "freeze_d", "freeze_g", "seed")


def is_run(path: Path) -> bool:
    """Whether a folder looks like one that `bend finetune` wrote."""
    return path.is_dir() and ((path / OPTIONS).is_file() or bool(list_snapshots(path)))


def holds_runs(path: Path) -> bool:
    """Whether a folder has run folders in it."""
    return path.is_dir() and any(map(is_run, path.iterdir()))


def describe_runs(folder: Path) -> Information:
    """The runs in a folder, and how far each is.

    Raises:
        OSError: one cannot be read.
    """
    records = [describe_run(run).record for run in sorted(folder.iterdir()) if is_run(run)]
    lines = [f"{record['path']}: {_state(record)}" for record in records]
    return Information(lines=tuple(lines), record={"kind": "runs", "path": str(folder), "runs": records})


def describe_run(run: Path) -> Information:
    """Everything about a run folder.

    Args:
        run: a folder of which `is_run` is true.

    Raises:
        OSError: it cannot be read.
    """
    options, ticks = read_object(run / OPTIONS), _read_ticks(run / STATS)
    config = table_in(options, "config")
    snapshots = [kimg for kimg, _ in list_snapshots(run)]
    wanted, reached = number_in(config.get("kimg")), _reached(ticks, snapshots)
    can_resume = holds_state(run)
    moments = _moments(read_object(run / SCORE))
    record: dict[str, Any] = {
        "kind": "run",
        "path": str(run),
        "data": table_in(options, "data"),
        "base": config.get("base"),
        "config": config,
        "kimg": reached,
        "kimg_wanted": wanted,
        "is_done": wanted is not None and reached >= wanted,
        "can_resume": can_resume,
        "last_tick": ticks[-1].get("timestamp") if ticks else None,
        "snapshots": snapshots,
        "curves": {name: _curve(ticks, key) for name, key in _CURVES.items()},
        "moments": moments,
    }
    lines = [f"run: {run}", *_header(record), "", *_snapshot_lines(run, snapshots), *_curve_lines(ticks)]
    return Information(lines=(*lines, *_moment_lines(run, moments)), record=record)


def _header(record: Mapping[str, Any]) -> list[str]:
    data, config = record["data"], record["config"]
    state = _state(record)
    if not record["is_done"] and record["can_resume"]:
        state += f"; continue with `bend finetune --resume {shlex.quote(record['path'])}`"
    lines = [f"state: {state}{_age(record['last_tick'])}"]
    if data:
        num = data.get("num_images")
        lines.append(f"data: {data.get('name')}" + (f", {num:,} pictures" if isinstance(num, int) else ""))
    if record["base"]:
        lines.append(f"base: {record['base']}")
    asked = [f"{name} {config[name]}" for name in _ASKED if config.get(name) not in (None, False, 0)]
    return [*lines, f"settings: {', '.join(asked)}"] if asked else lines


def _state(record: Mapping[str, Any]) -> str:
    wanted = "" if record["kimg_wanted"] is None else f" of {record['kimg_wanted']:g}"
    return f"{record['kimg']:g}{wanted} kimg, {'done' if record['is_done'] else 'not done'}"


def _age(timestamp: object) -> str:
    moment = number_in(timestamp)
    if moment is None:
        return ""
    minutes = max(time.time() - moment, 0) / 60
    for size, unit in ((1440, "days"), (60, "hours"), (1, "minutes")):
        if minutes >= 2 * size:
            return f"; last tick {minutes / size:.0f} {unit} ago"
    return "; last tick just now"


def _snapshot_lines(run: Path, snapshots: Sequence[float]) -> list[str]:
    if not snapshots:
        return ["snapshots: none"]
    shown = [f"{kimg:g}" for kimg in snapshots]
    if len(shown) > 24:
        shown = [*shown[:12], "…", *shown[-11:]]
    return [
        f"snapshots at kimg: {', '.join(shown)}",
        f"`bend info {shlex.quote(f'{run}@{snapshots[-1]:g}')}` shows the layers of the last one",
    ]


def _curve_lines(ticks: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = []
    for name, key in _CURVES.items():
        if values := _curve(ticks, key):
            rows.append([name, f"{values[0]:.4g}", f"{values[-1]:.4g}", sparkline(values)])
    return ["", *table(["curve", "first", "last", "over time"], rows, right=(1, 2))] if rows else []


def _moment_lines(run: Path, moments: Sequence[Mapping[str, Any]]) -> list[str]:
    if not moments:
        return []
    rows = [[str(m["name"]), str(m["weights"]), f"{m['kimg']:g}", f"{run}@{m['kimg']:g}"] for m in moments]
    return ["", *table(["moment", "weights", "kimg", "network"], rows, right=(2,))]


def _moments(score: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Suggested moments by weights and kimg; the file may hold plain kimg or records, grouped by weights or not."""
    found: list[dict[str, Any]] = []
    for name, value in table_in(score, "moments").items():
        nested = isinstance(value, dict) and "kimg" not in value
        for inner, moment in (value if nested else {name: value}).items():
            kimg = number_in(moment.get("kimg") if isinstance(moment, dict) else moment)
            if kimg is not None:
                given = moment.get("weights") if isinstance(moment, dict) else None
                weights = name if nested else given or "any"
                found.append({"name": str(inner), "weights": str(weights), "kimg": kimg})
    return sorted(found, key=lambda moment: (moment["weights"], moment["kimg"]))


def _reached(ticks: Sequence[Mapping[str, Any]], snapshots: Sequence[float]) -> float:
    """The last moment that the statistics or snapshots show."""
    curve = _curve(ticks, "Progress/kimg")
    return max([0.0, *snapshots[-1:], *curve[-1:]])


def _curve(ticks: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    values = (number_in(table_in(tick, key).get("mean")) for tick in ticks)
    return [value for value in values if value is not None]


def _read_ticks(path: Path) -> list[dict[str, Any]]:
    """The lines of `stats.jsonl` that are whole."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return [tick for line in lines if (tick := parse_object(line))]
