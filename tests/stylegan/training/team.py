"""A few steps of a tiny training in float64 by one process of several: torchrun runs this with DATA and OUT.

The steps pass every phase, and move the augmentation. Then one process runs out of memory in the middle of a
phase. Each process writes what it ended with.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stylegan.distributed import ALONE, Team, join
from stylegan.training import phases as phases_module
from stylegan.training import step as step_module
from stylegan.training.deal import deal
from stylegan.training.plan import Plan
from stylegan.training.stats import Collector
from tests.stylegan.training.tiny import RESOLUTION, tiny_plan, to_double

__all__ = ["BATCH", "NUM_STEPS", "begin", "ended_with", "take_steps"]

BATCH = 8
NUM_STEPS = 5
_FIRST_STEP = 12  # a path-length step; the fifth from there takes all phases


def begin(data: Path) -> Plan:
    """The training, the same in each process."""
    plan = tiny_plan(data, batch=BATCH, r1_gamma=2.0, ada_kimg=1.0)
    to_double(plan.state)
    plan.state.step = _FIRST_STEP
    return plan


def take_steps(plan: Plan, team: Team = ALONE, *, num: int = NUM_STEPS, micro_batch: int = 4) -> Collector:
    """This process's part of `num` steps, on pictures that depend on their numbers alone."""
    share = deal(plan.state.D, BATCH, team.rank, team.size)
    stats = Collector()
    for _ in range(num):
        reals = _pictures(plan.state.step)[share.start : share.stop]
        c = torch.zeros([len(share), 0])
        of_step = Collector()
        plan.micro_batch = step_module.train_step(
            plan.state,
            plan.hyper,
            reals,
            c,
            c,
            seed=1,
            micro_batch=micro_batch,
            stats=of_step,
            team=team,
        )
        of_step.sum_over(team)
        stats.absorb(of_step)
    return stats


def ended_with(plan: Plan) -> dict[str, Any]:
    """All that the steps have moved."""
    state = plan.state
    assert state.ada is not None
    result: dict[str, Any] = {
        name: getattr(state, name).state_dict() for name in ("G", "D", "G_ema", "G_opt", "D_opt")
    }
    return result | {"pl_mean": state.pl_mean, "ada": state.ada.state_dict(), "nimg": state.cur_nimg}


def _pictures(step: int) -> Tensor:
    source = torch.Generator().manual_seed(step)
    return torch.rand([BATCH, 3, RESOLUTION, RESOLUTION], generator=source, dtype=torch.float64) * 2 - 1


def _run_out_of_memory(plan: Plan, team: Team) -> int:
    original = step_module.d_main

    def d_main(state: step_module.TrainState, micro: phases_module.Micro) -> Tensor:
        if team.rank == 1 and len(micro.reals) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return original(state, micro)

    step_module.d_main = d_main  # type: ignore[assignment]
    take_steps(plan, team, num=1)
    return plan.micro_batch


def _main(data: Path, out: Path) -> None:
    with join("cpu") as team:
        plan = begin(data)
        before = team.num_exchanges
        stats = take_steps(plan, team)
        content = {"state": ended_with(plan), "stats": stats.read()}
        content["exchanges"] = (team.num_exchanges - before) / NUM_STEPS
        # Written before memory runs out, since a state dict holds the very tensors that later steps change.
        torch.save(content, out / f"rank{team.rank}.pt")
        fitted = _run_out_of_memory(plan, team)
        torch.save({"state": ended_with(plan), "fitted": fitted}, out / f"rank{team.rank}-small.pt")


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
