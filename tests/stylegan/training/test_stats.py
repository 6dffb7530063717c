"""What a training says about itself."""

import json
import math
from pathlib import Path

import pytest
import torch

from stylegan.training.stats import Collector, StatsWriter, cpu_mem_gb, format_duration, status_line


def test_a_statistic_has_number_mean_and_deviation() -> None:
    stats = Collector()
    stats.report("a", torch.tensor([[1.0, 2.0], [3.0, 6.0]]))
    stats.report("a", 8.0)
    stats.report("b", torch.tensor(5.0, requires_grad=True))
    read = stats.read()
    assert read["a"]["num"] == 5
    assert read["a"]["mean"] == pytest.approx(4)
    assert read["a"]["std"] == pytest.approx(math.sqrt((9 + 4 + 1 + 4 + 16) / 5))
    assert read["b"] == {"num": 1, "mean": 5, "std": 0}
    assert stats.read() == {}


def test_numbers_keep_their_precision() -> None:
    stats = Collector()
    stats.report("kimg", 25000.001)
    assert stats.read()["kimg"]["mean"] == 25000.001


def test_lines_and_events_are_written_and_cut_off_at_a_resume(tmp_path: Path) -> None:
    one = {"Loss/G/loss": {"num": 2, "mean": 0.5, "std": 0.1}}
    writer = StatsWriter(tmp_path)
    writer.write(one, 1000)
    size = writer.size
    writer.write(one, 2000)
    assert writer.num_ticks == 2
    writer.close()

    writer = StatsWriter(tmp_path, size=size, cur_nimg=1000)
    assert writer.num_ticks == 1
    writer.write({"Loss/G/loss": {"num": 1, "mean": 9.0, "std": 0.0}}, 2000)
    writer.close()
    lines = [json.loads(line) for line in (tmp_path / "stats.jsonl").read_text().splitlines()]
    assert [line["Loss/G/loss"]["mean"] for line in lines] == [0.5, 9.0]
    assert all(line["timestamp"] > 1e9 for line in lines)
    assert len(list(tmp_path.glob("events.out.tfevents.*"))) >= 1


def test_a_lost_file_is_begun_anew(tmp_path: Path) -> None:
    writer = StatsWriter(tmp_path, size=5000, cur_nimg=1000)
    assert (writer.size, writer.num_ticks) == (0, 0)
    writer.close()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.4, "59s"), (59.6, "1m 00s"), (185, "3m 05s"), (7620, "2h 07m"), (97200, "1d 03h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_the_status_line_has_what_people_look_for() -> None:
    names = [
        "Progress/kimg",
        "Progress/augment",
        "Timing/total_sec",
        "Timing/sec_per_tick",
        "Timing/sec_per_kimg",
    ]
    names += ["Timing/maintenance_sec", "Resources/cpu_mem_gb", "Resources/peak_gpu_mem_gb"]
    stats = {name: {"num": 1, "mean": float(i), "std": 0.0} for i, name in enumerate(names)}
    words = status_line(3, stats).split()
    assert words[::2] == [
        "tick",
        "kimg",
        "time",
        "sec/tick",
        "sec/kimg",
        "maintenance",
        "cpumem",
        "gpumem",
        "augment",
    ]
    assert words[1::2] == ["3", "0.000", "2s", "3.0", "4.00", "5.0", "6.00", "7.00", "1.000"]


def test_resident_memory_is_plausible() -> None:
    assert 0.05 < cpu_mem_gb() < 100
