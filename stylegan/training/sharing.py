"""One state in all processes of a team: what the first one has loaded, copied to the others."""

import torch
from torch import Tensor, nn

from stylegan.distributed import Team
from stylegan.training.step import TrainState

__all__ = ["share_state"]


def share_state(state: TrainState, team: Team) -> None:
    """Replace the state of every process by that of the first.

    Args:
        state: of one shape in all of them: all are new, or all were loaded.
        team: the processes.

    Raises:
        TeamError: another process is gone.
    """
    if team.size == 1:
        return
    networks: tuple[nn.Module, ...] = (state.G, state.D, state.G_ema)
    tensors = [tensor for network in networks for tensor in network.state_dict().values()]
    tensors += [*_moments(state.G_opt), *_moments(state.D_opt), state.pl_mean]
    team.copy_first_(tensors)
    ada = None if state.ada is None else state.ada.state_dict()
    counts = (state.cur_nimg, state.step, state.num_nonfinite, ada)
    state.cur_nimg, state.step, state.num_nonfinite, ada = team.first_says(counts)
    if state.ada is not None:
        assert ada is not None
        state.ada.load_state_dict(ada)


def _moments(optimizer: torch.optim.Adam) -> list[Tensor]:
    parameters = (parameter for group in optimizer.param_groups for parameter in group["params"])
    return [
        value
        for parameter in parameters
        for _, value in sorted(optimizer.state.get(parameter, {}).items())
        if isinstance(value, Tensor)
    ]
