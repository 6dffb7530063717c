"""Whether the disk has room for what a training is going to write.

While a state is written, the two before it still exist: without room for three no run begins. How many snapshots to
keep is the user's choice, so that too many of them are only warned about.
"""

import shutil
from pathlib import Path

import torch

from stylegan.errors import TrainingError
from stylegan.run_names import STATES
from stylegan.training.memory import snapshot_bytes, state_bytes
from stylegan.training.state import TrainState

__all__ = ["check_space"]

_NUM_STATES = 3


def check_space(
    folder: Path, state: TrainState, *, num_snapshots: int, dtype: torch.dtype | None
) -> str | None:
    """Compare the free space with what a training will write.

    Args:
        folder: where it will write, or its parent; need not exist yet.
        state: whose size counts.
        num_snapshots: snapshots still to come.
        dtype: what they are stored as, float32 if None.

    Returns:
        A warning where the snapshots may not fit, None where all will.

    Raises:
        TrainingError: not even the states fit.
    """
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    there = sum((folder / name).stat().st_size for name in STATES if (folder / name).exists())
    states = max(_NUM_STATES * state_bytes(state) - there, 0)
    if free < states:
        raise TrainingError(
            f"{folder}: {_megabytes(free)} free, but saving the state takes {_megabytes(states)}; free some space "
            "or choose another disk with -o"
        )
    snapshots = num_snapshots * snapshot_bytes(state, dtype)
    if free < states + snapshots:
        return (
            f"{num_snapshots} snapshots take {_megabytes(snapshots)}, more than the {_megabytes(free - states)} that "
            "the state leaves free here; choose fewer with --snapshots, or --snapshot-dtype fp16"
        )
    return None


def _megabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:,.0f} MB"
