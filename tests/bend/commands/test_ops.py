"""`bend ops`: what it compiles and where, and what it measures."""

import contextlib
import dataclasses
import json
import math
import types
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from bend import op_timing
from bend.cli import bend
from bend.op_cases import CASES, Case
from stylegan.ops import native


@pytest.fixture
def loaded(native_ops: None, built_ops: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`build` gives the build made for this test run."""
    monkeypatch.setattr("stylegan.ops.build.build", lambda target, force=False: built_ops)
    return built_ops


@pytest.mark.slow
def test_build_says_where_the_library_is(loaded: Path) -> None:
    done = CliRunner().invoke(bend, ["ops", "build", "--target", "cpu"])
    assert done.exit_code == 0, done.output
    assert done.stdout == f"cpu: {loaded}\n"
    assert "compiling the operations for cpu" in done.stderr
    found = json.loads(CliRunner().invoke(bend, ["ops", "build", "--json"]).stdout)
    assert found["cpu"] == str(loaded)


def test_build_fails_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    done = CliRunner().invoke(bend, ["ops", "build"])
    assert done.exit_code == 1
    assert "'no-such-compiler' that CXX names was not found; mend or unset CXX" in str(done.exception)


@pytest.mark.slow
def test_bench_times_every_case(loaded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(op_timing, "_FEW_S", 0.0)
    monkeypatch.setattr(op_timing, "keep_freed_memory", lambda: True)
    small = tuple(dataclasses.replace(case, shape=(1, case.shape[1], 16, 16)) for case in CASES)
    monkeypatch.setattr(op_timing, "CASES", small)
    done = CliRunner().invoke(bend, ["ops", "bench", "--device", "cpu"])
    assert done.exit_code == 0, done.output
    heading, *rows = done.stdout.splitlines()
    assert heading.split()[:3] == ["operation", "input", "dtype"]
    assert heading.split()[-2:] == ["GB/s", "roofline"]
    assert len(rows) == 2 * len(CASES)
    assert all(float(row.split()[-3].removesuffix("x")) > 0 for row in rows)
    found = json.loads(CliRunner().invoke(bend, ["ops", "bench", "--device", "cpu", "--json"]).stdout)
    assert {record["name"] for record in found} == {case.name for case in CASES}
    assert all(record["ratio"] == pytest.approx(record["plain_ms"] / record["native_ms"]) for record in found)


@pytest.mark.parametrize("number", range(len(CASES)))
def test_cases_compute_the_same_either_way(native_ops: None, number: int) -> None:
    case = CASES[number]
    torch.manual_seed(0)
    x = torch.randn(2, case.shape[1], 12, 16).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        constant = case.constant(x)
        actual = case.run(x, constant)
        with native.paused():
            expected = case.run(x, constant)
    size = expected.square().mean().sqrt().clamp_min(1.0)  # the error of long sums grows with their size
    torch.testing.assert_close(actual, expected, atol=2e-5 * float(size), rtol=1e-5)


def test_plain_and_native_are_what_is_compared(native_ops: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(op_timing, "_FEW_S", 0.0)
    monkeypatch.setattr(op_timing, "keep_freed_memory", lambda: True)
    seen = []
    original = CASES[0]

    def run(x: object, b: object) -> object:
        seen.append(native.available("cpu"))
        return original.run(x, b)  # type: ignore[arg-type]

    case = Case(name="seen", shape=(1, 32, 8, 8), run=run, constant=original.constant)  # type: ignore[arg-type]
    (timing,) = op_timing.measure("cpu", (torch.float32,), (case,))
    assert timing.native_ms > 0
    assert timing.roofline > 0
    assert set(seen) == {True, False}


def test_batches_on_a_device_are_as_large_as_its_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = types.SimpleNamespace(total_memory=140 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: memory)
    cuda = torch.device("cuda")
    for case in CASES:
        n, *rest = op_timing._shape(case, cuda, torch.float16)
        assert tuple(rest) == case.shape[1:]
        if not case.is_small:
            assert n * math.prod(rest) * 2 > 2**26
        assert op_timing._shape(case, torch.device("cpu"), torch.float16) == case.shape
    memory.total_memory = 2**30
    assert op_timing._shape(CASES[0], cuda, torch.float32) == (8, 256, 64, 64)


def test_a_device_is_timed_by_its_own_clock_over_several_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as a machine without one can tell."""
    runs: list[None] = []

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            self.at = 0

        def record(self) -> None:
            self.at = len(runs)

        def synchronize(self) -> None:
            assert self.at == len(runs)

        def elapsed_time(self, other: "Event") -> float:
            return 0.5 * (other.at - self.at)

    monkeypatch.setattr(op_timing, "_CUDA_FEW_S", 0.0)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "device", lambda device: contextlib.nullcontext())
    assert op_timing._least([lambda: runs.append(None)], torch.device("cuda")) == [pytest.approx(5e-4)]
    assert len(runs) == 1 + 2 + 2 * 5  # a warm-up, one to see how long it takes, and two turns
