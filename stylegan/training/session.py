"""A training under way: opened new or from a run folder, with the data, the state and the files it writes.

`open_run` and `resume_run` make a `Session`; `loop` drives it. What a session writes at a snapshot is here, when it
does so is the loop's matter.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stylegan.archive import DatasetZip
from stylegan.checkpoint import NetworkMeta, save_network, snapshot_name
from stylegan.errors import TrainingError
from stylegan.training.config import Hyperparameters, TrainConfig, read_config
from stylegan.training.data import sample_index
from stylegan.training.run_folder import (
    create_run,
    fakes_name,
    load_state,
    save_sheet,
    save_state,
    write_options,
)
from stylegan.training.setup import build_state, choose_device, fit_micro_batch, load_base
from stylegan.training.stats import StatsWriter
from stylegan.training.step import TrainState

__all__ = ["Plan", "Session", "make_plan", "open_run", "resume_run"]

_NUM_FAKES = 32
_DTYPES = {"fp32": None, "fp16": torch.float16}


@dataclasses.dataclass(slots=True, kw_only=True)
class Plan:
    """What would run: everything decided, nothing written."""

    config: TrainConfig
    hyper: Hyperparameters
    data: DatasetZip
    device: torch.device
    micro_batch: int
    state: TrainState
    label_dim: int
    base_meta: NetworkMeta

    @property
    def total_nimg(self) -> int:
        """Images of the whole training: `kimg` rounded up to whole batches."""
        batch = self.hyper.batch
        return max(-(-round(self.config.kimg * 1000) // batch), 1) * batch


@dataclasses.dataclass(slots=True, kw_only=True)
class Session:
    """A plan with its run folder."""

    plan: Plan
    run: Path
    stats_writer: StatsWriter
    stats_size: int = 0
    """Bytes of `stats.jsonl` up to the last tick."""
    seconds_before: float = 0.0
    """Seconds trained before this session."""

    def save_snapshot(self, kimg: float) -> Path:
        """Write the networks and a sheet of the fixed seeds; `kimg` names them."""
        plan, state = self.plan, self.plan.state
        path = self.run / snapshot_name(kimg)
        meta = NetworkMeta(
            kimg=state.cur_nimg / 1000,
            augment_p=0.0 if state.augment is None else float(state.augment.p),
            base=Path(plan.config.base).stem if plan.config.base != "none" else "none",
            data_name=plan.data.name,
            data_hash=plan.data.fingerprint(),
            licence=plan.base_meta.licence,
            seed=plan.config.seed,
        )
        dtype = _DTYPES[plan.config.snapshot_dtype]
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
        pictures = [data.image(sample_index(i, len(data), seed)) for i in range(_NUM_FAKES)]
        save_sheet(self.run / "reals.png", pictures)

    def save_state(self, seconds: float) -> None:
        """Write what a resume needs; `seconds` is the training time so far."""
        extra = {"stats_size": self.stats_size, "seconds": seconds}
        save_state(self.run, self.plan.state, extra)

    def labels(self, indices: np.ndarray) -> Tensor:
        """Labels of pictures `indices`, `[N, label_dim]` (width 0 for an unconditional network)."""
        if self.plan.label_dim == 0:
            return torch.zeros([len(indices), 0], device=self.plan.device)
        labels = np.stack([self.plan.data.label(int(i)) for i in indices])
        return torch.from_numpy(labels).to(self.plan.device)


def make_plan(config: TrainConfig) -> Plan:
    """Decide everything about a training without writing anything.

    Raises:
        StyleganError: data, base or settings do not fit together.
    """
    device = choose_device(config.device)
    data = DatasetZip(config.data, max_images=config.max_images, xflip=config.mirror)
    hyper = Hyperparameters.resolve(config, data.resolution)
    base, label_dim = load_base(
        config,
        hyper,
        resolution=data.resolution,
        num_channels=data.num_channels,
        label_dim=data.label_dim,
    )
    state = build_state(base, config, hyper, device)
    micro_batch = config.micro_batch or fit_micro_batch(state.G, state.D, hyper.batch, device)
    return Plan(
        config=config,
        hyper=hyper,
        data=data,
        device=device,
        micro_batch=min(micro_batch, hyper.batch),
        state=state,
        label_dim=label_dim,
        base_meta=base.meta,
    )


def open_run(plan: Plan, parent: Path) -> Session:
    """Make a run folder in `parent` for a new training."""
    run = create_run(parent, plan.data.name, Path(plan.config.base).stem or plan.config.base)
    facts = {
        "data": {"name": plan.data.name, "num_images": len(plan.data), "hash": plan.data.fingerprint()},
        "base": dataclasses.asdict(plan.base_meta),
        "G": plan.state.G.init_kwargs,
        "D": plan.state.D.init_kwargs,
        "torch": torch.__version__,
    }
    write_options(run, plan.config, plan.hyper, facts)
    session = Session(plan=plan, run=run, stats_writer=StatsWriter(run))
    session.save_reals()
    session.save_fakes("fakes_init.png")
    session.save_state(0.0)
    return session


def resume_run(run: Path, overrides: dict[str, Any]) -> Session:
    """Go on with the training in `run`.

    Args:
        run: a run folder.
        overrides: fields of `TrainConfig` to change, such as a longer `kimg`.

    Raises:
        TrainingError: the folder cannot be resumed, or its data has changed.
    """
    config = dataclasses.replace(read_config(run), **overrides)
    plan = make_plan(config)
    options = json.loads((run / "training_options.json").read_text())
    if options.get("data", {}).get("hash") != plan.data.fingerprint():
        raise TrainingError(
            f"{config.data}: not the data set that {run.name} was started with; restore it, or start a new run "
            f"with --base {run}"
        )
    extra = load_state(run, plan.state)
    if overrides:
        facts = {key: value for key, value in options.items() if key not in ("config", "hyperparameters")}
        write_options(run, config, plan.hyper, facts)
    return Session(
        plan=plan,
        run=run,
        stats_writer=StatsWriter(run, extra["stats_size"]),
        stats_size=extra["stats_size"],
        seconds_before=extra["seconds"],
    )
