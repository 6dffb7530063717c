"""The folder a training writes: its name, its options, its pictures.

The names of its files are in `stylegan.run_names`. The saved state is in `state_file`.
"""

import dataclasses
import json
import re
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stylegan.atomic import atomic_path, sweep_folder, write_atomic
from stylegan.errors import TrainingError
from stylegan.launch import Launch
from stylegan.run_names import LATEST, OPTIONS, RUN, STATES
from stylegan.training.config import Hyperparameters, TrainConfig

__all__ = [
    "create_run",
    "find_elsewhere",
    "find_launched",
    "find_run",
    "forget_elsewhere",
    "mark_elsewhere",
    "mark_launch",
    "network_label",
    "save_sheet",
    "write_options",
]

_LAUNCH = ".launch"
_NETWORK_SUFFIXES = (".safetensors", ".pkl", ".pt")
_ELSEWHERE = ".launched-elsewhere"
_MAX_LABEL_BYTES = 200  # a file name has at most 255


def create_run(parent: Path, data_name: str, base_name: str) -> Path:
    """Make the next run folder `NNNNN-<data>-<base>` in `parent`."""
    parent.mkdir(parents=True, exist_ok=True)
    for earlier in parent.iterdir():  # one that was killed before it had a state is never resumed
        sweep_folder(earlier)
    parts = (re.sub(r"[^\w.]+", "-", part).strip("-.") or "unnamed" for part in (data_name, base_name))
    label = "-".join(parts).encode()[:_MAX_LABEL_BYTES].decode(errors="ignore")
    number = 1 + max((int(m[1]) for path in parent.iterdir() if (m := RUN.fullmatch(path.name))), default=-1)
    while True:
        run = parent / f"{number:05d}-{label}"
        try:
            run.mkdir()
        except FileExistsError:  # another run took the number meanwhile
            number += 1
        else:
            return run


def network_label(base: str) -> str:
    """What files made from a base call it: its file's name without the suffix; `RUN@KIMG` as it is."""
    path = Path(base)
    return path.stem if path.suffix.lower() in _NETWORK_SUFFIXES else path.name


def find_run(text: str, parent: Path) -> Path:
    """The run folder meant by `--resume`: a path, the name of a folder in `parent`, or `latest` in it.

    Raises:
        TrainingError: there is none that can be resumed.
    """
    if text == "latest":
        runs = {path.parent for name in STATES for path in parent.glob(f"*/{name}")}
        numbered = [(int(match[1]), run) for run in runs if (match := RUN.fullmatch(run.name))]
        if not numbered:
            raise TrainingError(
                f"{parent}: no run there to resume; pass --resume RUN, or -o with their folder"
            )
        return max(numbered)[1]
    for run in (Path(text), parent / text):
        if _has_state(run):
            return run
    raise TrainingError(f"{text}: no {LATEST} there; pass a run folder that `bend finetune` wrote")


def mark_launch(run: Path, launch: Launch | None) -> None:
    """Note which launch of several processes trains in `run`, so that its restarts find it again."""
    if launch is not None:
        write_atomic(run / _LAUNCH, launch.name + "\n")


def find_launched(parent: Path, launch: Launch | None) -> Path | None:
    """The last run in `parent` that `launch` has started or resumed, and that can be resumed again."""
    if launch is None or not parent.is_dir():
        return None
    for run in sorted((path.parent for path in parent.glob(f"*/{_LAUNCH}")), reverse=True):
        if _has_state(run) and (run / _LAUNCH).read_text().strip() == launch.name:
            return run
    return None


def mark_elsewhere(parent: Path, launch: Launch, host: str, run: Path) -> None:
    """Note in `parent`, on a host that does not see `run`, which host has the run that a launch trains.

    Without it, if that host is lost, the others would start the training anew.
    """
    parent.mkdir(parents=True, exist_ok=True)
    write_atomic(parent / _ELSEWHERE, f"{launch.name}\n{host}\n{run}\n")


def forget_elsewhere(parent: Path) -> None:
    """Remove the note of `mark_elsewhere` once the training is over, since launches may have the same name."""
    (parent / _ELSEWHERE).unlink(missing_ok=True)


def find_elsewhere(parent: Path, launch: Launch | None) -> str | None:
    """Where the run that `launch` trains lies, as far as this host knows: `RUN on HOST`."""
    if (begun := find_launched(parent, launch)) is not None:
        return f"{begun} on {socket.gethostname()}"
    if launch is None or not (parent / _ELSEWHERE).is_file():
        return None
    name, host, run = (parent / _ELSEWHERE).read_text().splitlines()
    return f"{run} on {host}" if name == launch.name else None


def write_options(run: Path, config: TrainConfig, hyper: Hyperparameters, facts: dict[str, Any]) -> None:
    """Write `training_options.json`: what was asked for, what it resolved to, and facts about data and base."""
    options = {"config": dataclasses.asdict(config), "hyperparameters": dataclasses.asdict(hyper), **facts}
    write_atomic(run / OPTIONS, json.dumps(options, indent=2) + "\n")


def save_sheet(path: Path, images: Iterable[NDArray[np.uint8]], columns: int = 8) -> None:
    """Write pictures `[C, H, W]` side by side as one PNG."""
    pictures = list(images)
    channels, height, width = pictures[0].shape
    rows = -(-len(pictures) // columns)
    sheet = np.zeros([rows * height, columns * width, channels], np.uint8)
    for i, picture in enumerate(pictures):
        row, column = divmod(i, columns)
        top, left = row * height, column * width
        sheet[top : top + height, left : left + width] = picture.transpose(1, 2, 0)
    with atomic_path(path) as temporary:
        Image.fromarray(sheet[:, :, 0] if channels == 1 else sheet).save(temporary)


def _has_state(run: Path) -> bool:
    return any((run / name).is_file() for name in STATES)
