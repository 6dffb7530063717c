"""Trainings that take a second: a handful of noisy 16×16 pictures, and networks of a few thousand weights."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stylegan.archive import ArchiveWriter
from stylegan.precision import set_half_dtype
from stylegan.training.config import TrainConfig
from stylegan.training.plan import Plan, make_plan
from stylegan.training.session import Session, open_run
from stylegan.training.state import TrainState

__all__ = [
    "RESOLUTION",
    "assert_equal",
    "names",
    "read_state",
    "start",
    "ticks",
    "tiny_config",
    "tiny_plan",
    "to_double",
    "write_zip",
]

RESOLUTION = 16


def write_zip(
    path: Path,
    *,
    num: int = 20,
    resolution: int = RESOLUTION,
    channels: int = 3,
    classes: int = 0,
    seed: int = 0,
) -> Path:
    """Write a data set of random pictures, labelled in turn if there are classes."""
    rng = np.random.default_rng(seed)
    with ArchiveWriter(path) as archive:
        for i in range(num):
            pixels = rng.integers(0, 256, [resolution, resolution, channels], dtype=np.uint8)
            archive.add(pixels, label=i % classes if classes else None)
    return path


def tiny_config(data: Path, **settings: Any) -> TrainConfig:
    """A training from scratch with everything on that training can have on; 18 steps unless told otherwise."""
    defaults: dict[str, Any] = {
        "kimg": 0.072,
        "base": "none",
        "batch": 4,
        "micro_batch": 4,
        "aug_p": 0.5,
        "ada_kimg": 1.0,
        "mirror": True,
        "seed": 3,
        "device": "cpu",
        "channel_base": 256,
        "channel_max": 16,
        "mapping_layers": 2,
        "w_dim": 16,
    }
    return TrainConfig(data=str(data), **(defaults | settings))


def tiny_plan(data: Path, **settings: Any) -> Plan:
    """The plan of a `tiny_config`."""
    return make_plan(tiny_config(data, **settings))


def to_double(state: TrainState) -> None:
    """Have a training that has not begun compute in float64, so that only its order of summation shows."""
    for network in (state.G, state.D, state.G_ema):
        set_half_dtype(network, torch.float32)
        network.double()
    state.pl_mean = state.pl_mean.double()


def read_state(run: Path, name: str = "state-latest.pt") -> dict[str, Any]:
    """A saved state, without what depends on the time."""
    content: dict[str, Any] = torch.load(run / name, weights_only=True)
    del content["extra"]
    return content


def assert_equal(first: Any, second: Any, path: str = "") -> None:
    """Nested containers of tensors and plain values are the same, bit for bit."""
    assert type(first) is type(second), path
    if isinstance(first, Tensor):
        assert first.shape == second.shape, path
        assert torch.equal(first, second), f"{path} differs by {(first - second).abs().max():.3g}"
    elif isinstance(first, dict):
        assert first.keys() == second.keys(), path
        for key, value in first.items():
            assert_equal(value, second[key], f"{path}.{key}")
    elif isinstance(first, list | tuple):
        assert len(first) == len(second), path
        for i, (one, other) in enumerate(zip(first, second, strict=True)):
            assert_equal(one, other, f"{path}[{i}]")
    else:
        assert first == second, path


def start(data: Path, parent: Path, **settings: Any) -> Session:
    """A new training in a run folder of its own."""
    return open_run(make_plan(tiny_config(data, **settings)), parent)


def names(run: Path) -> list[str]:
    """Files in a run folder, less those whose names hold times."""
    return sorted(path.name for path in run.iterdir() if not path.name.startswith((".lock", "events.out")))


def ticks(run: Path) -> list[dict[str, Any]]:
    """What `stats.jsonl` says, line by line."""
    return [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
