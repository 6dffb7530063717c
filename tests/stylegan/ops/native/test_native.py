"""When native operations are used: the switch, what is built and what is only loaded, and one line where that fails."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stylegan.errors import BuildError, ConfigError
from stylegan.ops import native
from stylegan.ops.toolchain import Toolchain, toolchain


@pytest.fixture(autouse=True)
def decided_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "_states", {})


def no_build(*arguments: object, **options: object) -> Path:
    raise AssertionError("a build was begun")


def failing_build(*arguments: object, **options: object) -> Path:
    raise BuildError("g++ failed: no luck")


def test_switched_off_nothing_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEND_NATIVE", "0")
    monkeypatch.setattr(native, "built", no_build)
    monkeypatch.setattr(native, "build", no_build)
    assert not native.available("cpu")
    assert not native.prepare("cpu")
    assert native.state("cpu").why == "BEND_NATIVE is 0"


def test_by_itself_loads_what_is_cached_and_builds_nothing(
    built_ops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEND_NATIVE", "auto")
    monkeypatch.setattr(native, "build", no_build)
    monkeypatch.setattr(native, "built", lambda target: built_ops)
    assert native.available("cpu")
    assert native.state("cpu").path == built_ops
    assert native.prepare("cpu")


def test_an_empty_cache_is_no_reason_to_compile_in_a_short_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("BEND_NATIVE", "")
    monkeypatch.setenv("BEND_CACHE", str(tmp_path))
    monkeypatch.setattr(native, "build", no_build)
    assert not native.available("cpu")
    assert not list(tmp_path.iterdir())
    assert not caplog.records


def test_long_work_compiles_and_says_so(built_ops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEND_NATIVE", "auto")
    monkeypatch.setattr(native, "built", lambda target: None)
    monkeypatch.setattr(native, "build", lambda target: built_ops)
    said: list[str] = []
    assert not native.available("cpu")
    assert native.prepare("cpu", say=said.append)
    assert native.prepare("cpu", say=said.append)
    assert len(said) == 1
    assert "compiling native operations for cpu" in said[0]
    assert native.available("cpu")


def test_a_failing_build_costs_one_line_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("BEND_NATIVE", "auto")
    monkeypatch.setattr(native, "built", lambda target: None)
    monkeypatch.setattr(native, "build", failing_build)
    assert not native.prepare("cpu")
    assert [record.getMessage() for record in caplog.records] == [
        "no native operations for cpu, the plain ones serve: g++ failed: no luck"
    ]
    monkeypatch.setattr(native, "build", no_build)
    assert not native.prepare("cpu")
    assert not native.available("cpu")
    assert len(caplog.records) == 1


def test_insisted_on_a_failure_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEND_NATIVE", "1")
    monkeypatch.setattr(native, "build", failing_build)
    with pytest.raises(BuildError, match="no luck"):
        native.available("cpu")


def test_who_only_looks_has_nothing_compiled(built_ops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEND_NATIVE", "1")
    monkeypatch.setattr(native, "build", no_build)
    monkeypatch.setattr(native, "built", lambda target: None)
    assert native.look("cpu").why == "not built yet; run `bend ops build`"
    monkeypatch.setattr(native, "build", lambda target: built_ops)
    assert native.available("cpu")  # to have looked decides nothing
    assert native.look("cpu").is_loaded


def test_a_library_that_does_not_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "bend_ops.so"
    broken.write_bytes(b"no library")
    monkeypatch.setenv("BEND_NATIVE", "auto")
    monkeypatch.setattr(native, "built", lambda target: broken)
    assert not native.available("cpu")
    assert len(caplog.records) == 1
    assert "run `bend ops build --force`" in caplog.records[0].getMessage()
    with pytest.raises(BuildError, match="cannot be loaded"):
        native.use("cpu", broken)


def test_other_values_and_other_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEND_NATIVE", "yes")
    with pytest.raises(ConfigError, match="BEND_NATIVE is 'yes'; set it to auto, 0 or 1"):
        native.available("cpu")
    assert not native.available("mps")
    assert not native.prepare("meta")


def test_pauses_nest(native_ops: None) -> None:
    assert native.available("cpu")
    with native.paused(), native.paused():
        assert not native.available("cpu")
    assert native.available("cpu")


def test_the_line_goes_to_stderr_and_the_work_goes_on(tmp_path: Path) -> None:
    """As a user meets it: a compiler that fails, in a fresh process that has configured nothing."""
    code = (
        "import torch; from stylegan.ops import bias_act, native\n"
        "native.prepare(); native.prepare(); print(bias_act(torch.ones(1, 2), gain=3).tolist())"
    )
    environ = {**os.environ, "CXX": "false", "BEND_NATIVE": "auto", "BEND_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[[3.0, 3.0]]\n"
    assert len(done.stderr.splitlines()) == 1
    assert "the plain ones serve: false failed" in done.stderr


def test_a_toolchain_is_found_without_running_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", no_build)
    try:
        assert isinstance(toolchain("cpu"), Toolchain)
    except BuildError as error:
        pytest.skip(str(error))
