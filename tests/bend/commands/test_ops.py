"""`bend ops`: what it compiles and where, and what it measures."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from bend import op_timing
from bend.cli import bend
from stylegan.ops import native


@pytest.fixture
def loaded(native_ops: None, built_ops: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run's own build answers to `build`."""
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
    small = tuple(dataclasses.replace(case, shape=(1, case.shape[1], 16, 16)) for case in op_timing.CASES)
    monkeypatch.setattr(op_timing, "CASES", small)
    done = CliRunner().invoke(bend, ["ops", "bench", "--device", "cpu"])
    assert done.exit_code == 0, done.output
    heading, *rows = done.stdout.splitlines()
    assert heading.split()[:3] == ["operation", "input", "dtype"]
    assert heading.split()[-2:] == ["GB/s", "roofline"]
    assert len(rows) == 2 * len(op_timing.CASES)
    assert all(float(row.split()[-3].removesuffix("x")) > 0 for row in rows)
    found = json.loads(CliRunner().invoke(bend, ["ops", "bench", "--device", "cpu", "--json"]).stdout)
    assert {record["name"] for record in found} == {case.name for case in op_timing.CASES}
    assert all(record["ratio"] == pytest.approx(record["plain_ms"] / record["native_ms"]) for record in found)


@pytest.mark.parametrize("number", range(len(op_timing.CASES)))
def test_cases_compute_the_same_either_way(native_ops: None, number: int) -> None:
    case = op_timing.CASES[number]
    torch.manual_seed(0)
    x = torch.randn(2, case.shape[1], 12, 16).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        constant = case.constant(x)
        actual = case.run(x, constant)
        with native.paused():
            torch.testing.assert_close(actual, case.run(x, constant), atol=2e-5, rtol=1e-5)


def test_plain_and_native_are_what_is_compared(native_ops: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(op_timing, "_FEW_S", 0.0)
    monkeypatch.setattr(op_timing, "keep_freed_memory", lambda: True)
    seen = []
    original = op_timing.CASES[0]

    def run(x: object, b: object) -> object:
        seen.append(native.available("cpu"))
        return original.run(x, b)  # type: ignore[arg-type]

    case = op_timing.Case(name="seen", shape=(1, 32, 8, 8), run=run, constant=original.constant)  # type: ignore[arg-type]
    (timing,) = op_timing.measure("cpu", (torch.float32,), (case,))
    assert timing.native_ms > 0
    assert timing.roofline > 0
    assert set(seen) == {True, False}
