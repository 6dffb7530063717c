"""A training under way: a plan, its run folder, and the files it writes there.

`open_run` and `resume_run` put a plan into a run folder, and `loop` drives it: it decides when a snapshot is written,
the session what that consists of.
"""

import contextlib
import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stylegan.atomic import sweep_folder
from stylegan.checkpoint import NetworkMeta, load_network, save_network
from stylegan.checkpoint.delta import DeltaBase, save_delta
from stylegan.distributed import ALONE, Team
from stylegan.run_names import FAKES_INIT, REALS, fakes_name, snapshot_name
from stylegan.training.config import read_config
from stylegan.training.data import sample_index
from stylegan.training.lock import RunLock
from stylegan.training.plan import Plan, plan_resume
from stylegan.training.run_folder import (
    create_run,
    mark_launch,
    network_label,
    save_sheet,
    write_options,
)
from stylegan.training.space import check_space
from stylegan.training.state_file import refuse_nonfinite, save_state
from stylegan.training.stats import StatsWriter

__all__ = ["Session", "open_run", "resume_run"]

_NUM_FAKES = 32


@dataclasses.dataclass(slots=True, kw_only=True)
class Session:
    """A plan with its run folder, which no other process may train in meanwhile.

    Of several processes that train together the first alone holds the lock and writes.
    """

    plan: Plan
    run: Path
    lock: RunLock | None = None
    stats_writer: StatsWriter | None = None
    seconds_before: float = 0.0
    """Seconds trained before this session."""
    delta_base: DeltaBase | None = None
    """The snapshot at 0 kimg, once others are written as differences from it."""

    def close(self) -> None:
        """Close the files and let others in."""
        if self.stats_writer is not None:
            self.stats_writer.close()
        if self.lock is not None:
            self.lock.release()

    def save_snapshot(self, kimg: float) -> Path:
        """Write the networks and a sheet of the fixed seeds; `kimg` names them.

        Raises:
            TrainingError: weights are not finite; nothing is written.
            OSError: the disk is full.
        """
        plan, state = self.plan, self.plan.state
        refuse_nonfinite(self.run, state)
        path = self.run / snapshot_name(kimg)
        first = self.run / snapshot_name(0)
        meta = NetworkMeta(
            kimg=state.cur_nimg / 1000,
            augment_p=0.0 if state.augment is None else float(state.augment.p),
            base=network_label(plan.config.base),
            data_name=plan.data.name,
            data_hash=plan.data.fingerprint(),
            licence=plan.base_meta.licence,
            seed=plan.config.seed,
            bend="\n".join(plan.config.bend),
        )
        if plan.config.snapshot_format == "delta" and kimg > 0 and first.exists():
            if self.delta_base is None:  # hashed once
                self.delta_base = DeltaBase(network=load_network(first), name=first.name, path=first)
            save_delta(path, base=self.delta_base, G=state.G, D=state.D, G_ema=state.G_ema, meta=meta)
        else:
            dtype = plan.snapshot_dtype
            save_network(path, G=state.G, D=state.D, G_ema=state.G_ema, meta=meta, dtype=dtype)
        self.save_fakes(fakes_name(kimg))
        return path

    def save_fakes(self, name: str) -> None:
        """Render the fixed seeds with `G_ema`."""
        G, device = self.plan.state.G_ema, self.plan.device
        pictures = []
        with torch.inference_mode():
            for seed in range(_NUM_FAKES):
                z = torch.from_numpy(np.random.RandomState(seed).randn(1, G.z_dim)).float().to(device)
                c = self.labels(np.array([seed * 7919 % len(self.plan.data)]))
                image = G(z, c, noise_mode="const")
                image = (image * 127.5 + 128).clamp(0, 255).to(torch.uint8)
                pictures.append(image[0].cpu().numpy())
        save_sheet(self.run / name, pictures)

    def save_reals(self) -> None:
        """Write the first pictures in training order as `reals.png`."""
        data, seed = self.plan.data, self.plan.config.seed
        places = [sample_index(i, len(data), seed, data.blocks) for i in range(_NUM_FAKES)]
        pictures = [data.image(place) for place in places]
        save_sheet(self.run / REALS, pictures)

    def save_state(self, seconds: float) -> None:
        """Write what a resume needs; `seconds` is the training time so far."""
        assert self.stats_writer is not None, "only the first process saves"
        extra = {"stats_size": self.stats_writer.size, "seconds": seconds}
        save_state(self.run, self.plan.state, extra)

    def labels(self, indices: np.ndarray) -> Tensor:
        """Labels of pictures `indices`, `[N, label_dim]` (width 0 for an unconditional network)."""
        if self.plan.label_dim == 0:
            return torch.zeros([len(indices), 0], device=self.plan.device)
        labels = np.stack([self.plan.data.label(int(i)) for i in indices])
        return torch.from_numpy(labels).to(self.plan.device)


def open_run(plan: Plan, parent: Path) -> Session:
    """Make a run folder in `parent` for a new training.

    Raises:
        TrainingError: the disk has no room for it.
        StyleganError, OSError: it cannot be begun; the folder is removed again.
    """
    begun = _begin(plan, parent) if plan.team.is_first else None
    run = plan.team.first_says(None if begun is None else begun.run)
    assert run is not None
    return begun or Session(plan=plan, run=run)


def _begin(plan: Plan, parent: Path) -> Session:
    _check_space(plan, parent)
    run = create_run(parent, plan.data.name, network_label(plan.config.base))
    with contextlib.ExitStack() as undo:
        undo.callback(shutil.rmtree, run, ignore_errors=True)
        write_options(run, plan.config, plan.hyper, _facts(plan))
        mark_launch(run, plan.team.launch)
        session = Session(plan=plan, run=run, lock=RunLock(run), stats_writer=StatsWriter(run))
        undo.callback(session.close)
        session.save_reals()
        session.save_fakes(FAKES_INIT)
        session.save_state(0.0)
        undo.pop_all()
    return session


def resume_run(run: Path, overrides: dict[str, Any], team: Team = ALONE) -> Session:
    """Go on with the training in `run`; arguments as `plan_resume`.

    Raises:
        TrainingError: as `plan_resume`; another process is training it; or the disk has no room.
    """
    if team.is_first:
        read_config(run)  # says so where this is not a run folder, before a lock is left in it
    with contextlib.ExitStack() as undo:
        lock = None
        if team.is_first:
            lock = RunLock(run)
            undo.callback(lock.release)
            sweep_folder(run)
            mark_launch(run, team.launch)
        plan, extra = plan_resume(run, overrides, team)
        writer = _take_up(plan, run, overrides, extra) if team.is_first else None
        undo.pop_all()
    return Session(plan=plan, run=run, lock=lock, stats_writer=writer, seconds_before=extra["seconds"])


def _take_up(plan: Plan, run: Path, overrides: dict[str, Any], extra: dict[str, Any]) -> StatsWriter:
    _check_space(plan, run)
    if overrides:
        write_options(run, plan.config, plan.hyper, _facts(plan))
    return StatsWriter(run, size=extra["stats_size"], cur_nimg=plan.state.cur_nimg)


def _check_space(plan: Plan, folder: Path) -> None:
    num_snapshots = len(plan.moments_left())
    is_delta = plan.config.snapshot_format == "delta"
    dtype = torch.float16 if is_delta else plan.snapshot_dtype
    warning = check_space(folder, plan.state, num_snapshots=num_snapshots, dtype=dtype)
    if warning:
        plan.notes.append(warning)


def _facts(plan: Plan) -> dict[str, Any]:
    """What `training_options.json` holds besides the configuration, for people and for `plan_resume`."""
    data = plan.data
    return {
        "data": {
            "name": data.name,
            "path": str(data.path.absolute()),
            "num_images": len(data),
            "hash": data.fingerprint(),
        },
        "base": dataclasses.asdict(plan.base_meta),
        "G": plan.state.G.init_kwargs,
        "D": plan.state.D.init_kwargs,
        "micro_batch": plan.micro_batch,
        "device": str(plan.device),
        "torch": torch.__version__,
    }
