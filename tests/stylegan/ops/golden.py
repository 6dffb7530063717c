"""The cases of tests/golden/ops.npz: inputs and outputs of the official operations."""

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["arrays", "cases"]

_FILE = Path(__file__).parents[2] / "golden" / "ops.npz"


def cases(operation: str) -> list[dict[str, Any]]:
    """The parameters of each case of an operation; `key` names its arrays."""
    found: list[dict[str, Any]] = json.loads(bytes(_load()["meta"]))[operation]
    return found


def arrays(key: str) -> dict[str, Tensor]:
    """The arrays of a case: `x`, `y`, and whatever else the operation has."""
    prefix = f"{key}/"
    return {
        name.removeprefix(prefix): torch.from_numpy(value.copy())
        for name, value in _load().items()
        if name.startswith(prefix)
    }


@functools.cache
def _load() -> dict[str, Any]:
    with np.load(_FILE) as file:
        return {name: file[name] for name in file.files}
