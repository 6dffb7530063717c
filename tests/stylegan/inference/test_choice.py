"""The precision of a machine: by what its processor can, then by one measurement that is kept."""

from pathlib import Path

import pytest

from stylegan.inference import choice
from stylegan.inference.choice import choose_precision

AMX = frozenset({"avx512f", "amx_fp16"})


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BEND_CACHE", str(tmp_path))
    return tmp_path


def never() -> float:
    raise AssertionError("measured")


@pytest.mark.parametrize("flags", [frozenset(), frozenset({"avx512f", "avx512_bf16", "amx_bf16"})])
def test_processors_without_float16_draw_in_float32_unmeasured(flags: frozenset[str]) -> None:
    assert choose_precision("cpu", flags=flags, measure=never) == "fp32"


def test_accelerators_keep_the_networks_own() -> None:
    assert choose_precision("cuda", measure=never) is None
    assert choose_precision("mps", measure=never) is None


@pytest.mark.parametrize("flag", ["amx_fp16", "avx512_fp16"])
@pytest.mark.parametrize(("share", "expected"), [(0.3, "fp16"), (0.95, "fp32"), (4.0, "fp32")])
def test_processors_with_float16_are_measured_once(flag: str, share: float, expected: str) -> None:
    flags = frozenset({flag})
    assert choose_precision("cpu", flags=flags, measure=lambda: share) == expected
    assert choose_precision("cpu", flags=flags, measure=never) == expected


def test_an_answer_that_cannot_be_read_is_measured_again(empty_cache: Path) -> None:
    choose_precision("cpu", flags=AMX, measure=lambda: 0.5)
    (kept,) = (empty_cache / "precision").glob("*.json")
    kept.write_text("{")
    assert choose_precision("cpu", flags=AMX, measure=lambda: 2.0) == "fp32"
    assert choose_precision("cpu", flags=AMX, measure=never) == "fp32"


def test_a_cache_that_cannot_be_written_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BEND_CACHE", str(tmp_path / "file"))
    assert choose_precision("cpu", flags=AMX, measure=lambda: 0.5) == "fp16"


def test_the_measurement_is_a_ratio_of_times() -> None:
    assert choice._measure() > 0
