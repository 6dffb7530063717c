"""The kernels as compiled for processors with narrower registers than AVX-512's, checked by the kernels' own tests."""

import os
import platform
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from stylegan.ops.toolchain import find_compiler

ROOT = Path(__file__).parents[4]
TESTS = [
    "tests/stylegan/inference/test_layer.py",
    "tests/stylegan/ops/test_winograd.py",
    "tests/stylegan/ops/native/test_bias_act.py",
    "tests/stylegan/ops/native/test_upfirdn2d.py",
]
COMPILER = """#!/bin/sh
for word do
  shift
  [ "$word" = -march=native ] && word=-march={machine}
  set -- "$@" "$word"
done
touch "$0.used"
exec {compiler} "$@"
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="for x86-64")
@pytest.mark.parametrize("machine", ["x86-64-v3", "x86-64"])
def test_narrower_registers_compute_the_same(machine: str, tmp_path: Path) -> None:
    """AVX2, with two registers a vector, and SSE, with four."""
    compiler = tmp_path / "c++"
    compiler.write_text(COMPILER.format(machine=machine, compiler=shlex.join(find_compiler())))
    compiler.chmod(0o755)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-v",  # for the last line, which the project's own options leave out
        "-p",
        "no:cacheprovider",
        "-m",
        "not slow and not gpu",
        *TESTS,
    ]
    environment = {**os.environ, "CXX": str(compiler), "ATEN_CPU_CAPABILITY": "avx2"}
    found = subprocess.run(
        command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True, timeout=900
    )
    assert found.returncode == 0, found.stdout[-2000:]
    passed = re.search(r"(\d+) passed", found.stdout)
    assert passed and int(passed[1]) > 300, found.stdout[-2000:]
    assert (tmp_path / "c++.used").exists()
