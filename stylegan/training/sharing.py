"""One state in all processes of a team: what the first one has loaded, copied to the others.

The others read no file. What they lack, Adam's moments, they allocate in the shapes that the first one tells them.
"""

from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from stylegan.distributed import Team
from stylegan.training.state import TrainState

__all__ = ["share_state"]

# for each parameter of an optimiser, in order: names, shapes and kinds of its moments, none before the first step
_Layout: TypeAlias = list[dict[str, tuple[torch.Size, torch.dtype]]]


def share_state(state: TrainState, team: Team) -> None:
    """Replace the state of every process by that of the first.

    Args:
        state: networks of the same shapes in all of them.
        team: the processes.

    Raises:
        TeamError: another process is gone.
    """
    if team.size == 1:
        return
    optimizers = (state.G_opt, state.D_opt)
    layouts = team.first_says([_layout(one) for one in optimizers])
    for optimizer, layout in zip(optimizers, layouts, strict=True):
        if not team.is_first:
            _lay_out(optimizer, layout)
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


def _layout(optimizer: torch.optim.Adam) -> _Layout:
    return [
        {name: (value.shape, value.dtype) for name, value in _own_moments(optimizer, parameter)}
        for parameter in _parameters(optimizer)
    ]


def _lay_out(optimizer: torch.optim.Adam, layout: _Layout) -> None:
    """Give the optimiser moments of those shapes, of zeros, each where Adam keeps it."""
    for parameter, wanted in zip(_parameters(optimizer), layout, strict=True):
        moments: dict[str, Any] = optimizer.state[parameter]
        moments.clear()
        for name, (shape, dtype) in wanted.items():
            moments[name] = torch.zeros(shape, dtype=dtype, device=parameter.device)
        if not wanted:
            del optimizer.state[parameter]


def _moments(optimizer: torch.optim.Adam) -> list[Tensor]:
    return [value for parameter in _parameters(optimizer) for _, value in _own_moments(optimizer, parameter)]


def _own_moments(optimizer: torch.optim.Adam, parameter: nn.Parameter) -> list[tuple[str, Tensor]]:
    moments: dict[str, Any] = optimizer.state.get(parameter, {})
    return [(name, value) for name, value in sorted(moments.items()) if isinstance(value, Tensor)]


def _parameters(optimizer: torch.optim.Adam) -> list[nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
