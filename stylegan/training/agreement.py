"""What the processes of one training must have in common, wherever they run, and what the first one tells them.

The data set must be on every machine; the base, the run folder and its state need to be on the first process's only.
A difference that would quietly turn one training into several is refused before it begins.
"""

from typing import Any

import torch

from stylegan.archive import PictureSet
from stylegan.checkpoint import Network, NetworkMeta
from stylegan.distributed import Team
from stylegan.errors import TrainingError
from stylegan.training.setup import rebuild_base

__all__ = ["agreed_base", "refuse_other_data"]


def refuse_other_data(data: PictureSet, team: Team) -> None:
    """Make sure that all processes have the same pictures and the same torch.

    Raises:
        TrainingError: this process differs from the first.
        TeamError: another process differs, and is gone.
    """
    if team.size == 1:
        return
    fingerprint, version = team.first_says((data.fingerprint(), torch.__version__))
    if data.fingerprint() != fingerprint:
        raise TrainingError(
            f"{data.path}: not the data set that the first process has; copy the same zip to every host"
        )
    if torch.__version__ != version:
        raise TrainingError(
            f"torch {torch.__version__} here, {version} in the first process; install the same on every host"
        )
    team.wait()


def agreed_base(base: Network | None, team: Team) -> Network:
    """The first process's base, or in the others one of the same shapes, for its weights to be copied into.

    Args:
        base: what the first process has read, None in the others.
        team: the processes.

    Raises:
        TeamError: the first process could not read it.
    """
    facts: tuple[dict[str, Any], dict[str, Any] | None, NetworkMeta] | None = None
    if base is not None:
        facts = (base.generator().init_kwargs, None if base.D is None else base.D.init_kwargs, base.meta)
    facts = team.first_says(facts)
    if base is not None:
        return base
    assert facts is not None
    G, D, meta = facts
    return rebuild_base(G, D, meta)
