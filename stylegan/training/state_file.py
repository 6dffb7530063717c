"""The saved state of a training: everything an exact resume needs, in `state-latest.pt`, ours alone.

The state before it stays as `state-previous.pt`, so that a damaged file is never the only one. The file is a zip, as
torch writes it, and so has checksums: they are verified before anything is read, which torch itself does not do.
"""

import errno
import zipfile
from pathlib import Path
from typing import Any

import torch

from stylegan.atomic import atomic_path
from stylegan.errors import TrainingError
from stylegan.run_names import LATEST, PREVIOUS
from stylegan.torch_save import save_torch
from stylegan.training.state import TrainState

__all__ = ["load_state", "refuse_nonfinite", "save_state"]

STATE_VERSION = 1


def save_state(run: Path, state: TrainState, extra: dict[str, Any]) -> None:
    """Write everything a resume needs; the state before stays as `state-previous.pt`, unless it is damaged.

    Raises:
        TrainingError: weights are not finite; nothing is written.
        OSError: the disk is full; the state before is intact.
    """
    refuse_nonfinite(run, state)
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
    with atomic_path(latest, check=_check, keep=run / PREVIOUS if _is_sound(latest) else None) as temporary:
        save_torch(content, temporary)


def load_state(run: Path, state: TrainState) -> tuple[dict[str, Any], str | None]:
    """Restore `state` from a run folder; falls back to the previous file where the latest is damaged.

    Returns:
        The `extra` that was saved with it, and what to say about a file that could not be used.

    Raises:
        TrainingError: neither file can be used.
    """
    reasons: list[str] = []
    for name in (LATEST, PREVIOUS):
        try:
            content = _read(run / name)
            _restore(state, content)
        except FileNotFoundError:
            reasons.append(f"no {name}")
        except Exception as error:  # noqa: BLE001 - torch raises anything on a damaged file
            reasons.append(f"{name}: {(str(error) or type(error).__name__).splitlines()[0][:100]}")
        else:
            extra: dict[str, Any] = content["extra"]
            return extra, f"{'; '.join(reasons)}; continuing from {name}" if reasons else None
    raise TrainingError(f"{run}: cannot be resumed ({'; '.join(reasons)}); start from a snapshot with --base")


def refuse_nonfinite(run: Path, state: TrainState) -> None:
    """Make sure that nothing of a diverged training is saved.

    Raises:
        TrainingError: weights are not finite.
    """
    for name, network in (("G", state.G), ("D", state.D), ("G_ema", state.G_ema)):
        for key, value in network.state_dict().items():
            if not bool(torch.isfinite(value).all()):
                raise TrainingError(
                    f"{run.name}: {name}.{key} is not finite at kimg {state.cur_nimg / 1000:.3f}; not saved, the "
                    "state before is intact; resume it with a lower --g-lr and --d-lr"
                )


def _check(path: Path) -> None:
    """Compare the checksums of a state just written, while the ones before it are still there."""
    try:
        _refuse_damaged(path)
    except (ValueError, zipfile.BadZipFile) as error:
        raise OSError(errno.EIO, f"read back it is damaged ({error})", str(path)) from None


def _is_sound(path: Path) -> bool:
    try:
        _refuse_damaged(path)
    except Exception:  # noqa: BLE001 - zipfile raises anything on a damaged file
        return False
    return True


def _refuse_damaged(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        if damaged := archive.testzip():
            raise ValueError(f"{damaged} is damaged")


def _read(path: Path) -> dict[str, Any]:
    _refuse_damaged(path)
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return content


def _restore(state: TrainState, content: dict[str, Any]) -> None:
    if content["version"] != STATE_VERSION:
        raise TrainingError(f"state version {content['version']} is unknown; update bend")
    state.G.load_state_dict(content["G"])
    state.D.load_state_dict(content["D"])
    state.G_ema.load_state_dict(content["G_ema"])
    _restore_optimizer(state.G_opt, content["G_opt"])
    _restore_optimizer(state.D_opt, content["D_opt"])
    if state.ada is not None:
        state.ada.load_state_dict(content["ada"])
    state.pl_mean.copy_(content["pl_mean"])
    state.cur_nimg = content["cur_nimg"]
    state.step = content["step"]
    state.num_nonfinite = content["num_nonfinite"]


def _restore_optimizer(optimizer: torch.optim.Adam, saved: dict[str, Any]) -> None:
    """Restore the moments, but keep the settings of the configuration, which a resume may change."""
    settings = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    optimizer.load_state_dict(saved)
    for group, own in zip(optimizer.param_groups, settings, strict=True):
        group.update(own)
