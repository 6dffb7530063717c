"""The kernels as compiled for other processors than this one, checked by the kernels' own tests."""

import os
import platform
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from stylegan.ops.toolchain import find_compiler

ROOT = Path(__file__).parents[4]
LAYERS = ["tests/stylegan/inference/test_layer.py", "tests/stylegan/ops/test_winograd.py"]
OPERATIONS = [
    "tests/stylegan/ops/native/test_bias_act.py",
    "tests/stylegan/ops/native/test_upfirdn2d.py",
]
NETWORKS = ["tests/stylegan/ops/native/test_networks.py"]
COMPILER = """#!/bin/sh
for word do
  shift
  [ "$word" = -march=native ] && word=-march={machine}
  set -- "$@" "$word"
done
touch "$0.used"
exec {compiler} "$@"
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="for x86-64"),
]


@pytest.mark.parametrize("machine", ["x86-64-v3", "x86-64"])
def test_narrower_registers_compute_the_same(machine: str, tmp_path: Path) -> None:
    """AVX2, with two registers a vector, and SSE, with four."""
    compiler = tmp_path / "c++"
    compiler.write_text(COMPILER.format(machine=machine, compiler=shlex.join(find_compiler())))
    compiler.chmod(0o755)
    check([*LAYERS, *OPERATIONS], 300, CXX=str(compiler), ATEN_CPU_CAPABILITY="avx2")
    assert (tmp_path / "c++.used").exists()


@pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() != "AVX512", reason="vectors are needed beside the unit"
)
def test_a_matrix_unit_computes_the_same(tmp_path: Path) -> None:
    """AMX, in software (tiles.h), so that it does not take a processor that has it."""
    header = Path(__file__).with_name("tiles.h")
    compiler = [*find_compiler(), "-mamx-tile", "-mamx-int8", "-include", str(header)]
    used = tmp_path / "used"
    check([*LAYERS, *NETWORKS], 200, CXX=shlex.join(compiler), BEND_TILES=str(used))
    assert used.exists()


def check(tests: list[str], fewest: int, **settings: str) -> None:
    """Run tests, more than `fewest`, with operations compiled anew under other environment variables."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-v",  # for the last line, which the project's own options leave out
        "-p",
        "no:cacheprovider",
        "-m",
        "not slow and not gpu",
        *tests,
    ]
    found = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **settings},
        check=False,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert found.returncode == 0, found.stdout[-2000:]
    passed = re.search(r"(\d+) passed", found.stdout)
    assert passed and int(passed[1]) > fewest, found.stdout[-2000:]
