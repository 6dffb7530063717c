"""The folder a training writes: its name, its options, its pictures, and the state it resumes from.

Names are those people and their tools know: `NNNNN-<data>-<base>`, `training_options.json`, `log.txt`, `reals.png`,
`fakes_init.png`, `fakes000004.png`. The state is ours alone: `state-latest.pt`, and the one before it, so that a
damaged file never is the only one.
"""

import dataclasses
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from stylegan.atomic import atomic_path, write_atomic
from stylegan.errors import TrainingError
from stylegan.training.config import Hyperparameters, TrainConfig
from stylegan.training.step import TrainState

__all__ = [
    "create_run",
    "fakes_name",
    "find_run",
    "load_state",
    "save_sheet",
    "save_state",
    "write_options",
]

LATEST, PREVIOUS = "state-latest.pt", "state-previous.pt"
STATE_VERSION = 1
_RUN = re.compile(r"(\d{5})-.+")


def create_run(parent: Path, data_name: str, base_name: str) -> Path:
    """Make the next run folder `NNNNN-<data>-<base>` in `parent`."""
    parent.mkdir(parents=True, exist_ok=True)
    label = "-".join(
        re.sub(r"[^\w.]+", "-", part).strip("-.") or "unnamed" for part in (data_name, base_name)
    )
    number = 1 + max((int(m[1]) for path in parent.iterdir() if (m := _RUN.fullmatch(path.name))), default=-1)
    while True:
        run = parent / f"{number:05d}-{label[:100]}"
        try:
            run.mkdir()
        except FileExistsError:  # another run took the number meanwhile
            number += 1
        else:
            return run


def find_run(text: str, parent: Path) -> Path:
    """The run folder meant by `--resume`: a path, or `latest` in `parent`.

    Raises:
        TrainingError: there is none that can be resumed.
    """
    if text == "latest":
        runs = sorted(path.parent for path in parent.glob(f"*/{LATEST}") if _RUN.fullmatch(path.parent.name))
        if not runs:
            raise TrainingError(f"{parent}: no run there to resume; pass --resume RUN or start one")
        return runs[-1]
    run = Path(text)
    if not (run / LATEST).is_file() and not (run / PREVIOUS).is_file():
        raise TrainingError(f"{run}: no {LATEST} there; pass a run folder that `bend finetune` wrote")
    return run


def write_options(run: Path, config: TrainConfig, hyper: Hyperparameters, facts: dict[str, Any]) -> None:
    """Write `training_options.json`: what was asked for, what it resolved to, and facts about data and base."""
    options = {"config": dataclasses.asdict(config), "hyperparameters": dataclasses.asdict(hyper), **facts}
    write_atomic(run / "training_options.json", json.dumps(options, indent=2) + "\n")


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


def fakes_name(kimg: float) -> str:
    """`fakes000004.png`; three decimals where kimg is not whole."""
    return f"fakes{int(kimg):06d}.png" if kimg == int(kimg) else f"fakes{kimg:010.3f}.png"


def save_state(run: Path, state: TrainState, extra: dict[str, Any]) -> None:
    """Write everything a resume needs; the state before stays as `state-previous.pt`.

    Raises:
        TrainingError: weights are not finite; nothing is written.
    """
    for name, network in (("G", state.G), ("D", state.D), ("G_ema", state.G_ema)):
        for key, value in network.state_dict().items():
            if not bool(torch.isfinite(value).all()):
                raise TrainingError(
                    f"{run.name}: {name}.{key} is not finite at kimg {state.cur_nimg / 1000:.3f}; not saved, the "
                    "state before is intact; resume it with a lower --g-lr and --d-lr"
                )
    content = {
        "version": STATE_VERSION,
        "G": state.G.state_dict(),
        "D": state.D.state_dict(),
        "G_ema": state.G_ema.state_dict(),
        "G_opt": state.G_opt.state_dict(),
        "D_opt": state.D_opt.state_dict(),
        "ada": None if state.ada is None else state.ada.state_dict(),
        "pl_mean": state.pl_mean,
        "cur_nimg": state.cur_nimg,
        "step": state.step,
        "num_nonfinite": state.num_nonfinite,
        "extra": extra,
    }
    latest = run / LATEST
    with atomic_path(latest) as temporary:
        torch.save(content, temporary)
        if latest.exists():
            latest.replace(run / PREVIOUS)


def load_state(run: Path, state: TrainState) -> dict[str, Any]:
    """Restore `state` from a run folder; falls back to the previous file where the latest is damaged.

    Returns:
        The `extra` that was saved with it.

    Raises:
        TrainingError: neither file can be read.
    """
    reasons = []
    for name in (LATEST, PREVIOUS):
        try:
            content = torch.load(run / name, map_location="cpu", weights_only=True)
            _restore(state, content)
        except FileNotFoundError:
            reasons.append(f"no {name}")
        except Exception as error:  # noqa: BLE001 - torch raises anything on a damaged file
            reasons.append(f"{name}: {str(error).splitlines()[0][:100]}")
        else:
            extra: dict[str, Any] = content["extra"]
            return extra
    raise TrainingError(f"{run}: cannot be resumed ({'; '.join(reasons)}); start from a snapshot with --base")


def _restore(state: TrainState, content: dict[str, Any]) -> None:
    if content["version"] != STATE_VERSION:
        raise TrainingError(f"state version {content['version']} is unknown; update bend")
    state.G.load_state_dict(content["G"])
    state.D.load_state_dict(content["D"])
    state.G_ema.load_state_dict(content["G_ema"])
    state.G_opt.load_state_dict(content["G_opt"])
    state.D_opt.load_state_dict(content["D_opt"])
    if state.ada is not None:
        state.ada.load_state_dict(content["ada"])
    state.pl_mean.copy_(content["pl_mean"])
    state.cur_nimg = content["cur_nimg"]
    state.step = content["step"]
    state.num_nonfinite = content["num_nonfinite"]
