"""The plan of a training, before anything is written: data, networks, device, micro-batch, moments of snapshots.

`make_plan` makes one for a new run, `plan_resume` reads it back from a run folder; a dry run ends here. `session` puts
a plan into its folder.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch

from stylegan.archive import PictureSet, open_dataset
from stylegan.archive.shard_names import are_there
from stylegan.checkpoint import Network, NetworkMeta
from stylegan.device import choose_device
from stylegan.distributed import ALONE, Team
from stylegan.errors import TrainingError
from stylegan.run_names import OPTIONS
from stylegan.training.agreement import agreed_base, refuse_other_data
from stylegan.training.config import Hyperparameters, TrainConfig, parse_snapshots, read_config
from stylegan.training.deal import deal
from stylegan.training.memory import fit_micro_batch
from stylegan.training.setup import as_trained, base_notes, build_state, load_base, rebuild_base
from stylegan.training.sharing import share_state
from stylegan.training.state import TrainState
from stylegan.training.state_file import load_state

__all__ = ["Plan", "make_plan", "plan_resume", "recorded_data"]

_DTYPES = {"fp32": None, "fp16": torch.float16}


@dataclasses.dataclass(slots=True, kw_only=True)
class Plan:
    """What would run: everything decided, nothing written."""

    config: TrainConfig
    hyper: Hyperparameters
    data: PictureSet
    device: torch.device
    micro_batch: int
    state: TrainState
    label_dim: int
    base_meta: NetworkMeta
    notes: list[str]
    """What a person should know, a line each."""
    team: Team = ALONE
    """The processes that train together."""

    @property
    def total_nimg(self) -> int:
        """Images of the whole training: `kimg` rounded up to whole batches."""
        batch = self.hyper.batch
        return max(-(-round(self.config.kimg * 1000) // batch), 1) * batch

    @property
    def snapshot_dtype(self) -> torch.dtype | None:
        """What snapshots store weights as, None for as they are."""
        return _DTYPES[self.config.snapshot_dtype]

    def moment_nimg(self, kimg: float) -> int:
        """Images after which the snapshot at `kimg` is due."""
        return min(round(kimg * 1000), self.total_nimg)

    def moments_left(self) -> list[float]:
        """Moments of snapshots still to come; a state is saved right after each, so those behind it are done."""
        moments = parse_snapshots(self.config.snapshots, self.config.kimg)
        if self.state.step == 0:
            return moments
        return [kimg for kimg in moments if self.moment_nimg(kimg) > self.state.cur_nimg]


def make_plan(config: TrainConfig, team: Team = ALONE) -> Plan:
    """Decide everything about a new training without writing anything.

    Args:
        config: what was asked for.
        team: the processes that train together, each of which plans the same; only the first reads the base.

    Raises:
        StyleganError: data, base or settings do not fit together.
    """
    data = _open_data(config, config.data)
    refuse_other_data(data, team)
    hyper = Hyperparameters.resolve(config, data.resolution)
    base = None
    if team.is_first:
        base = load_base(
            config,
            hyper,
            resolution=data.resolution,
            num_channels=data.num_channels,
            label_dim=data.label_dim,
        )
    plan = _plan(config, hyper, data, agreed_base(base, team), team)
    share_state(plan.state, team)
    return plan


def plan_resume(run: Path, overrides: dict[str, Any], team: Team = ALONE) -> tuple[Plan, dict[str, Any]]:
    """Decide everything about going on with the training in `run`, without writing anything.

    Args:
        run: a run folder.
        overrides: fields of `TrainConfig` to change, such as a longer `kimg`.
        team: the processes that train together, each of which plans the same; only the first reads `run`.

    Returns:
        The plan, its state as saved, and the `extra` that was saved with it.

    Raises:
        TrainingError: the folder cannot be resumed, or its data has changed.
    """
    saved = team.first_says(_read_run(run, overrides) if team.is_first else None)
    assert saved is not None
    config, options = saved
    path = config.data if "data" in overrides else recorded_data(options, config.data)
    if "data" not in overrides and not are_there(path):
        raise TrainingError(
            f"{path}: the data set of {run.name} is not there any more; put it back, or say where it is with --data"
        )
    data = _open_data(config, path)
    if options["data"].get("hash") != data.fingerprint():
        raise TrainingError(
            f"{config.data}: not the data set that {run.name} was started with; restore it, or start a new run "
            f"with --base {run}"
        )
    refuse_other_data(data, team)
    hyper = Hyperparameters.resolve(config, data.resolution)
    base = _rebuild_base(run, options)
    device = choose_device(config.device)
    # The micro-batch is part of what is computed: what fitted at the start is kept, whatever is free today.
    is_same_kind = str(options.get("device")).split(":")[0] == device.type
    micro_batch = options.get("micro_batch") if is_same_kind else None
    plan = _plan(config, hyper, data, base, team, micro_batch)
    extra, note = team.first_says(load_state(run, plan.state) if team.is_first else ({}, None))
    share_state(plan.state, team)
    plan.notes = [note] if note else []
    return plan, extra


def recorded_data(options: dict[str, Any], asked: str) -> str:
    """What to open as the data of a run: the path recorded, which holds from every working directory, if it does.

    Args:
        options: the content of its `training_options.json`.
        asked: what the training was told.
    """
    recorded = options.get("data", {}).get("path")
    return recorded if recorded is not None and are_there(recorded) else asked


def _read_run(run: Path, overrides: dict[str, Any]) -> tuple[TrainConfig, dict[str, Any]]:
    """The configuration, and what else `training_options.json` says: data, base, and the networks' arguments.

    Raises:
        TrainingError: it lacks some of that.
    """
    config = dataclasses.replace(read_config(run), **overrides)
    options: dict[str, Any] = json.loads((run / OPTIONS).read_text())
    if missing := [key for key in ("data", "base", "G", "D") if not isinstance(options.get(key), dict)]:
        raise TrainingError(f"{run}: {OPTIONS} lacks {', '.join(missing)}; restore it or start a new run")
    return config, options


def _rebuild_base(run: Path, options: dict[str, Any]) -> Network:
    try:
        return rebuild_base(options["G"], options["D"], NetworkMeta(**options["base"]))
    except (TypeError, ValueError, RuntimeError) as error:
        raise TrainingError(f"{run}: {OPTIONS} is damaged ({error}); restore it or start a new run") from None


def _open_data(config: TrainConfig, path: str) -> PictureSet:
    return open_dataset(path, max_images=config.max_images, xflip=config.mirror)


def _plan(
    config: TrainConfig,
    hyper: Hyperparameters,
    data: PictureSet,
    base: Network,
    team: Team,
    micro_batch: int | None = None,
) -> Plan:
    device = choose_device(config.device)
    state = build_state(base, config, hyper, device)
    share = deal(state.D, hyper.batch, team.rank, team.size)
    num_sharing = 1 if device.type == "cuda" or team.launch is None else team.launch.local_size
    wanted = config.micro_batch or micro_batch
    if wanted is None:
        wanted = fit_micro_batch(state.G, state.D, len(share), device, num_sharing=num_sharing)
    return Plan(
        config=config,
        hyper=as_trained(hyper, state),
        data=data,
        device=device,
        micro_batch=team.smallest(min(wanted, hyper.batch)),
        state=state,
        label_dim=state.G.c_dim,
        base_meta=base.meta,
        notes=base_notes(base, data.label_dim),
        team=team,
    )
