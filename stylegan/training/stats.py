"""A training's statistics: a line of `stats.jsonl` for each tick, TensorBoard events, and a status line.

Names and shapes are those that people's tools know: each statistic is `{"num", "mean", "std"}` over the tick.
"""

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from stylegan.distributed import Team
from stylegan.run_names import STATS

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

__all__ = ["Collector", "StatsWriter", "cpu_mem_gb", "format_duration", "peak_gpu_mem_gb", "status_line"]


class Collector:
    """Sums of statistics since the last tick, kept on their own device until they are read."""

    def __init__(self) -> None:
        self._moments: dict[str, Tensor] = {}

    def report(self, name: str, value: Tensor | float) -> None:
        """Add the elements of `value` to statistic `name`."""
        if not isinstance(value, Tensor):
            value = torch.tensor(value, dtype=torch.float64)
        values = value.detach().flatten()
        values = values.to(torch.float32 if values.device.type == "mps" else torch.float64)
        self._add(name, torch.stack([torch.ones_like(values).sum(), values.sum(), values.square().sum()]))

    def absorb(self, other: "Collector") -> None:
        """Add what another one has collected."""
        for name, moments in other._moments.items():
            self._add(name, moments)

    def sum_over(self, team: Team) -> None:
        """Take in what every process has collected; all must have collected the same statistics."""
        if team.size > 1 and self._moments:
            moments = list(self._moments.values())
            together = torch.stack([moment.to(moments[0].device) for moment in moments])
            team.sum_([together])
            self._moments = dict(zip(self._moments, together, strict=True))

    def read(self) -> dict[str, dict[str, float]]:
        """`{"num", "mean", "std"}` of each statistic, and start anew."""
        result = {}
        for name, moments in sorted(self._moments.items()):
            num, total, squares = moments.tolist()
            mean = total / num
            std = max(squares / num - mean**2, 0.0) ** 0.5
            result[name] = {"num": int(num), "mean": mean, "std": std}
        self._moments.clear()
        return result

    def _add(self, name: str, moments: Tensor) -> None:
        self._moments[name] = self._moments[name] + moments if name in self._moments else moments


class StatsWriter:
    """Appends ticks to `stats.jsonl`, and to TensorBoard events where tensorboard is installed.

    `num_ticks` counts the lines.

    Args:
        run: the run folder.
        size: bytes of `stats.jsonl` that belong to the state resumed from; the rest is cut off.
        cur_nimg: images seen in that state; TensorBoard hides what an earlier process wrote beyond.
    """

    def __init__(self, run: Path, *, size: int = 0, cur_nimg: int = 0) -> None:
        self._file = (run / STATS).open("ab+")
        self._file.truncate(min(size, self._file.tell()))
        self._file.seek(0)
        self.num_ticks = self._file.read().count(b"\n")
        self._board = _open_board(run, cur_nimg)

    @property
    def has_board(self) -> bool:
        """TensorBoard events are being written."""
        return self._board is not None

    @property
    def size(self) -> int:
        """Bytes of `stats.jsonl`."""
        return self._file.tell()

    def write(self, stats: dict[str, dict[str, float]], cur_nimg: int) -> None:
        """Write a tick and flush it."""
        now = time.time()
        self._file.write((json.dumps({**stats, "timestamp": now}) + "\n").encode())
        self._file.flush()
        self.num_ticks += 1
        if self._board is not None:
            for name, value in stats.items():
                self._board.add_scalar(name, value["mean"], global_step=cur_nimg, walltime=now)
            self._board.flush()

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        if self._board is not None:
            self._board.close()


def format_duration(seconds: float) -> str:
    """Seconds as people read them: `42s`, `3m 05s`, `2h 07m`, `1d 03h`."""
    s = round(seconds)
    if s < 60:
        return f"{s}s"
    if s < 3600:
        return f"{s // 60}m {s % 60:02}s"
    if s < 86400:
        return f"{s // 3600}h {s // 60 % 60:02}m"
    return f"{s // 86400}d {s // 3600 % 24:02}h"


def status_line(tick: int, stats: dict[str, dict[str, float]]) -> str:
    """A tick as a line of the log."""

    def mean(name: str) -> float:
        return stats[name]["mean"]

    return (
        f"tick {tick:<5d} kimg {mean('Progress/kimg'):<9.3f} time {format_duration(mean('Timing/total_sec')):<9s} "
        f"sec/tick {mean('Timing/sec_per_tick'):<7.1f} sec/kimg {mean('Timing/sec_per_kimg'):<7.2f} "
        f"maintenance {mean('Timing/maintenance_sec'):<6.1f} cpumem {mean('Resources/cpu_mem_gb'):<6.2f} "
        f"gpumem {mean('Resources/peak_gpu_mem_gb'):<6.2f} augment {mean('Progress/augment'):.3f}"
    )


def cpu_mem_gb() -> float:
    """Resident memory of this process in GiB, 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**30


def peak_gpu_mem_gb(device: torch.device) -> float:
    """Most memory that tensors have taken on a CUDA device in GiB, 0 elsewhere."""
    return torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else 0.0


def _open_board(run: Path, cur_nimg: int) -> "SummaryWriter | None":
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(run), purge_step=cur_nimg + 1 if cur_nimg else None)
