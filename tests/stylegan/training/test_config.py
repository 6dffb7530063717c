"""What may be asked for, when snapshots fall, and what a preset fills in."""

import dataclasses
import json
from pathlib import Path

import pytest

from stylegan.config import preset
from stylegan.errors import ConfigError, TrainingError
from stylegan.training.config import Hyperparameters, TrainConfig, parse_snapshots, read_config

REFUSED = [
    ({"kimg": 0.0}, "--kimg"),
    ({"kimg": -1.0}, "--kimg"),
    ({"kimg": float("nan")}, "--kimg"),
    ({"kimg": float("inf")}, "--kimg"),
    ({"preset": "paper9"}, "--preset paper9"),
    ({"aug": "sometimes"}, "--aug sometimes"),
    ({"aug_p": 1.5}, "--aug-p"),
    ({"aug_p": float("nan")}, "--aug-p"),
    ({"aug": "noaug", "aug_p": 0.5}, "--aug-p"),
    ({"ada_target": 2.0}, "--ada-target"),
    ({"ada_target": 1}, "--ada-target"),
    ({"ada_target": -1}, "--ada-target"),
    ({"ada_kimg": 0.0}, "--ada-kimg"),
    ({"style_mixing": -0.1}, "--style-mixing"),
    ({"batch": 0}, "--batch"),
    ({"micro_batch": 0}, "--micro-batch"),
    ({"max_images": 0}, "--max-images"),
    ({"w_dim": 0}, "--w-dim"),
    ({"channel_max": 0}, "--channel-max"),
    ({"workers": 0}, "--workers"),
    ({"g_lr": 0.0}, "--g-lr"),
    ({"d_lr": float("inf")}, "--d-lr"),
    ({"r1_gamma": -1.0}, "--r1-gamma"),
    ({"pl_weight": float("nan")}, "--pl-weight"),
    ({"ema_kimg": 0.0}, "--ema-kimg"),
    ({"freeze_d": -1}, "--freeze-d"),
    ({"freeze_g": 12}, "--freeze-g"),
    ({"freeze_g": 2}, "--freeze-g"),
    ({"seed": -1}, "--seed"),
    ({"save_minutes": float("nan")}, "--save-minutes"),
    ({"precision": "fp8"}, "--precision fp8"),
    ({"snapshot_dtype": "int8"}, "--snapshot-dtype"),
    ({"snapshots": "sometimes"}, "--snapshots sometimes"),
]


@pytest.mark.parametrize(("settings", "option"), REFUSED, ids=[str(settings) for settings, _ in REFUSED])
def test_bad_values_are_refused_by_their_option(settings: dict[str, object], option: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        TrainConfig(**{"data": "x.zip", "kimg": 1.0} | settings)  # type: ignore[arg-type]
    assert str(refusal.value).startswith(option)
    assert "\n" not in str(refusal.value)


def test_log_snapshots_double() -> None:
    assert parse_snapshots("log", 10) == [0, 0.25, 0.5, 1, 2, 4, 8, 10]
    assert parse_snapshots("log", 8) == [0, 0.25, 0.5, 1, 2, 4, 8]
    assert parse_snapshots("log", 0.1) == [0, 0.1]


def test_snapshots_at_equal_distances() -> None:
    assert parse_snapshots("every:2", 5) == [0, 2, 4, 5]
    assert parse_snapshots("every:0.1", 0.3) == [0, 0.1, 0.2, 0.3]
    assert parse_snapshots("every:inf", 5) == [0, 5]


def test_listed_snapshots_are_sorted_cut_and_completed() -> None:
    assert parse_snapshots("4,0.5,0.5,1,99", 6) == [0, 0.5, 1, 4, 6]


def test_no_two_snapshots_share_a_name() -> None:
    assert parse_snapshots("0.0014,0.00141,0.002", 0.01) == [0, 0.001, 0.002, 0.01]


@pytest.mark.parametrize(
    "text", ["", "log2", "every:", "every:0", "every:-1", "every:nan", "1,x", "1,,2", "nan", "-1"]
)
def test_other_snapshots_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="write log, every:K, or kimg"):
        parse_snapshots(text, 10)


def test_more_snapshots_than_anybody_wants_are_refused() -> None:
    assert len(parse_snapshots("every:0.001", 100)) == 100_001
    with pytest.raises(ConfigError, match="every:K"):
        parse_snapshots("every:0.001", 100.01)


def test_fine_tuning_takes_the_presets_values_and_no_rampup() -> None:
    hyper = Hyperparameters.resolve(TrainConfig(data="x", kimg=1, preset="paper256"), 256)
    chosen = preset("paper256", 256)
    assert (hyper.batch, hyper.g_lr, hyper.d_lr) == (chosen.batch, chosen.lr, chosen.lr)
    assert (hyper.r1_gamma, hyper.ema_kimg, hyper.pl_weight) == (1, 20, 2)
    assert hyper.ema_rampup is None
    assert hyper.ada_kimg == 100


def test_from_scratch_ramps_the_average_up_and_adapts_more_slowly() -> None:
    hyper = Hyperparameters.resolve(TrainConfig(data="x", kimg=1, base="none"), 64)
    assert hyper.ema_rampup == 0.05
    assert hyper.ada_kimg == 500


def test_auto_follows_the_batch_one_gives() -> None:
    hyper = Hyperparameters.resolve(TrainConfig(data="x", kimg=1, batch=8), 64)
    assert hyper.r1_gamma == pytest.approx(0.0002 * 64**2 / 8)
    assert hyper.ema_kimg == pytest.approx(2.5)
    assert Hyperparameters.resolve(TrainConfig(data="x", kimg=1, batch=2), 64).mbstd_group == 2


def test_what_one_gives_wins_over_the_preset_even_nought() -> None:
    config = TrainConfig(data="x", kimg=1, pl_weight=0, r1_gamma=0, style_mixing=0, g_lr=1e-3, ema_kimg=3)
    hyper = Hyperparameters.resolve(config, 64)
    assert (hyper.pl_weight, hyper.r1_gamma, hyper.style_mixing) == (0, 0, 0)
    assert (hyper.g_lr, hyper.d_lr, hyper.ema_kimg) == (1e-3, 0.0025, 3)


def test_a_configuration_comes_back_from_its_run_folder(tmp_path: Path) -> None:
    config = TrainConfig(data="x", kimg=0.5, aug="fixed", aug_p=0.3, mirror=True)
    (tmp_path / "training_options.json").write_text(json.dumps({"config": dataclasses.asdict(config)}))
    assert read_config(tmp_path) == config


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"config": {"data": "x"}}', "[" * 100_000, '{"config": {"colour": 1}}', "\xff"],
)
def test_damaged_options_are_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "training_options.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(TrainingError, match="cannot be read") as refusal:
        read_config(tmp_path)
    assert "\n" not in str(refusal.value)


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no training_options\.json there"):
        read_config(tmp_path)
