"""`bend doctor`: what it finds, what it says to do, and what it keeps to itself."""

import importlib
import importlib.util
import json
import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from bend import doctor
from bend.cli import bend
from bend.doctor import Finding, examine, lines


def findings() -> dict[str, Finding]:
    return {finding.name: finding for finding in examine()}


def test_looks_at_everything_and_changes_nothing(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEND_CACHE", str(own_cache / "nothing here"))
    found = findings()
    assert {"python", "torch", "cpu", "threads", "precision", "C++ compiler", "ninja", "PyAV"} <= found.keys()
    assert {
        "native ops, cpu",
        "extra onnx",
        "extra ray",
        "extra remote",
        "cache",
        "working folder",
        "source flickr",
    } <= found.keys()
    assert torch.__version__ in found["torch"].value
    assert "libx264" in found["PyAV"].value
    assert "GiB free" in found["cache"].value
    assert not (own_cache / "nothing here").exists()


def test_every_extra_is_looked_for() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    extras = {
        name: tuple(re.split(r"[^\w-]", wanted)[0] for wanted in requirements)
        for name, requirements in project["optional-dependencies"].items()
        if name != "dev"
    }
    assert extras == doctor.MODULES_OF_EXTRAS


def test_a_folder_called_like_an_extra_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "not_installed").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(doctor, "MODULES_OF_EXTRAS", {"some": ("not_installed",)})
    assert findings()["extra some"].value == "not_installed"


def test_command_prints_marks_and_mends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLICKR_API_KEY", raising=False)
    done = CliRunner().invoke(bend, ["doctor"])
    assert done.exit_code == 0, done.output
    told = done.stdout.splitlines()
    (at,) = [number for number, line in enumerate(told) if "source flickr" in line]
    assert told[at].startswith("· source flickr")
    assert told[at + 1].strip().startswith("-> get a key at https://")
    records = json.loads(CliRunner().invoke(bend, ["doctor", "--json"]).stdout)
    assert {record["verdict"] for record in records} <= {"good", "note", "lack"}
    assert all(record["mend"] is None or "\n" not in record["mend"] for record in records)


def test_keys_are_told_by_name_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[keys]\nPIXABAY_API_KEY = "hidden-in-a-file"\n')
    config.chmod(0o600)
    monkeypatch.setenv("BEND_CONFIG", str(config))
    monkeypatch.setenv("FLICKR_API_KEY", "hidden-in-the-environment")
    done = CliRunner().invoke(bend, ["doctor"])
    assert "hidden" not in done.output
    found = findings()
    assert found["source flickr"] == Finding(name="source flickr", value="set")
    assert found["source pixabay"].value == "set"
    assert found["source openverse"].verdict == "good"  # its keys are optional


def test_a_config_file_that_cannot_be_read_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    config.write_text("keys = secret\n")
    monkeypatch.setenv("BEND_CONFIG", str(config))
    found = findings()["keys"]
    assert found.verdict == "lack"
    assert str(config) in found.value
    assert "secret" not in found.value


def test_a_config_file_that_others_can_read_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[keys]\nFLICKR_API_KEY = "secret"\n')
    config.chmod(0o644)
    monkeypatch.setenv("BEND_CONFIG", str(config))
    found = findings()
    assert found["keys"].mend == f"run chmod 600 {config}"
    assert found["source flickr"].value == "set"


def test_a_cache_that_cannot_be_used_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("BEND_CACHE", str(tmp_path / "file"))
    assert findings()["cache"].verdict == "lack"
    monkeypatch.setenv("BEND_CACHE", str(tmp_path / ("x" * 300)))  # asking is an error, as in another's home
    assert "GiB free" in findings()["cache"].value


def test_native_operations_and_why(
    native_ops: None, built_ops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert findings()["native ops, cpu"].value == f"in use, {built_ops}"
    from stylegan.ops import native

    native.forget()
    assert findings()["native ops, cpu"] == Finding(
        name="native ops, cpu", value="not in use: BEND_NATIVE is 0", verdict="note"
    )
    native.forget()
    monkeypatch.setenv("BEND_NATIVE", "auto")
    monkeypatch.setenv("BEND_CACHE", str(built_ops.parent / "empty"))
    found = findings()["native ops, cpu"]
    assert found.value == "not in use: not built yet"
    assert found.mend == "run `bend ops build`"
    native.forget()
    monkeypatch.setenv("CXX", "no-such-compiler")
    found = findings()["native ops, cpu"]
    assert found.value == "not in use: the compiler 'no-such-compiler' that CXX names was not found"
    assert found.mend == "mend or unset CXX"
    monkeypatch.delenv("CXX")
    native.forget()
    monkeypatch.setenv("BEND_NATIVE", "maybe")
    # Where a processor multiplies float16 itself, the choice of precision asks for the native operations too.
    monkeypatch.setattr("stylegan.inference.choice._cpu_flags", lambda: frozenset({"avx512_fp16"}))
    found = findings()
    assert found["native ops, cpu"].verdict == "lack"
    assert found["precision"].mend == "unset BEND_NATIVE"


def test_compiles_nothing_even_where_that_is_insisted_on(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylegan.ops import native

    monkeypatch.setenv("BEND_NATIVE", "1")
    monkeypatch.setenv("BEND_CACHE", str(own_cache / "nothing built"))
    monkeypatch.setattr("stylegan.inference.choice._cpu_flags", lambda: frozenset({"avx512_fp16"}))
    native.forget()
    found = findings()
    native.forget()
    assert found["native ops, cpu"].value == "not in use: not built yet"
    assert found["precision"].verdict == "good"
    assert not (own_cache / "nothing built").exists()


def test_missing_tools_are_notes_with_mends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr("stylegan.ops.toolchain.find_ninja", lambda: None)
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "onnx" else real(name, *a)
    )
    monkeypatch.setattr(
        shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(1 << 40, 1 << 40, 1 << 20)
    )  # type: ignore[attr-defined]
    found = findings()
    assert found["C++ compiler"].mend == "mend or unset CXX"
    assert found["ninja"].mend == "pip install ninja"
    assert found["extra onnx"].value.startswith("without onnx")
    assert found["extra onnx"].mend == "pip install 'bend-gan[onnx]'"
    assert found["cache"].verdict == "lack"
    assert found["cache"].mend == "free some space before training"


def test_a_gpu_that_torch_cannot_use_is_a_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        pytest.skip("torch sees a GPU")
    monkeypatch.setattr(shutil, "which", lambda name, **options: f"/usr/bin/{name}")
    found = findings()["GPU"]
    assert found.verdict == "lack"
    assert "CUDA build of torch" in str(found.mend)
    monkeypatch.setattr(shutil, "which", lambda name, **options: None)
    assert findings()["GPU"].verdict == "note"


def test_without_torch_the_rest_is_told_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    found = findings()
    assert found["torch"].verdict == "lack"
    assert "pip install -c constraints.txt" in str(found["torch"].mend)
    assert {"PyAV", "cache", "source flickr"} <= found.keys()


def test_threads_held_back_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(doctor, "num_cores", lambda: 8)
    assert findings()["threads"] == Finding(
        name="threads", value="1 of 8 cores", verdict="note", mend="unset OMP_NUM_THREADS to use them all"
    )


def test_precision_is_told_but_not_measured(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        pytest.skip("it is the CPU's precision that is chosen")
    choice = importlib.import_module("stylegan.inference.choice")
    monkeypatch.setenv("BEND_CACHE", str(own_cache / "unmeasured"))
    monkeypatch.setattr(choice, "_cpu_flags", frozenset)
    assert findings()["precision"].value == "float32, on cpu"
    monkeypatch.setattr(choice, "_cpu_flags", lambda: frozenset({"amx_fp16"}))
    assert "the first picture measures" in findings()["precision"].value
    assert not (own_cache / "unmeasured").exists()


def test_lines_put_the_mend_below() -> None:
    told = lines(iter([Finding(name="thing", value="broken", verdict="lack", mend="mend it")]))
    assert [line.split() for line in told] == [["!", "thing", "broken"], ["->", "mend", "it"]]
