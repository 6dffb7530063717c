"""The heavy computations of a training, recorded: on CUDA thousands of small launches take most of a step's time.

A computation is a module (`stylegan.training.sampling`, or the discriminator) of which the forward pass, and the
gradients by parameters and arguments, are one recording each (`stylegan.recording`) that autograd joins to everything
else. A module may differentiate inside, as path lengths do. Recorded gradients cannot be differentiated again, so that
R1, which goes through the augmentation, is computed launch by launch. Recordings of one slot share their memory: within
a phase each is finished before another of its slot begins.
"""

import dataclasses
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.func import functional_call

from stylegan.device import free_bytes
from stylegan.inference import taps_read
from stylegan.recording import Pool, Recordings, held_by, may_record, record, surroundings

__all__ = ["Graphs"]

_MOST = 12  # recordings: six of a step, and as many for a last micro-batch that is smaller


class Graphs:
    """The recordings of one training."""

    def __init__(self) -> None:
        self._recordings: Recordings[_Recording] = Recordings(_MOST)
        self._pools: dict[int, Pool] = {}
        self._looked_at: dict[nn.Module, _Look] = {}
        self._is_over = False

    def give_up(self) -> bool:
        """Drop all recordings, to free their memory, and make no more; returns whether there were any."""
        had = len(self._recordings) > 0
        self._recordings.clear()
        self._pools.clear()
        self._is_over = True
        return had

    def begin_step(self) -> None:
        """Look anew at each network's hooks, and at where its weights lie."""
        self._looked_at.clear()

    def call(
        self, module: nn.Module, *arguments: Tensor, network: nn.Module, slot: int, name: str
    ) -> tuple[Tensor, ...]:
        """Compute `module(*arguments)`, by a recording where there is one.

        Args:
            module: gives a tensor or several. What it computes depends on a network's parameters, buffers and settings,
                and on the arguments; it draws no random numbers.
            arguments: tensors.
            network: the one that it depends on.
            slot: recordings of one slot share memory: none may begin before another's results have been used.
            name: distinguishes computations.

        Returns:
            Its results, which the next call of the same name and slot may overwrite.
        """
        device = arguments[0].device
        look = self._look_at(network) if _may_record(device) and not self._is_over else None
        if look is None or look.held is None:
            return _tuple(module(*arguments))
        shapes = tuple((tuple(x.shape), x.dtype, x.requires_grad) for x in arguments)
        trained = tuple([p.requires_grad for p in look.parameters])
        key = (name, slot, shapes, trained, torch.is_grad_enabled(), surroundings(device), look.held)
        recording = self._recordings.find(key, lambda: self._record(module, arguments, slot))
        return _tuple(module(*arguments)) if recording is None else recording.play(arguments)

    def _look_at(self, network: nn.Module) -> "_Look":
        if network not in self._looked_at:
            look = _Look(held=held_by(network), parameters=list(network.parameters()))
            self._looked_at[network] = look
        return self._looked_at[network]

    def _record(self, module: nn.Module, arguments: tuple[Tensor, ...], slot: int) -> "_Recording":
        _check_memory(arguments[0].device)
        if slot not in self._pools:
            self._pools[slot] = torch.cuda.graph_pool_handle()
        return _Recording(module, arguments, self._pools[slot])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What a network is at the beginning of a step."""

    held: tuple[Hashable, ...] | None
    """See `held_by`."""
    parameters: list[nn.Parameter]


class _Recording:
    """A module's results and gradients, with the memory of its arguments."""

    def __init__(self, module: nn.Module, arguments: tuple[Tensor, ...], pool: Pool) -> None:
        device = arguments[0].device
        self._taps = taps_read(module)
        # The recorded passes have leaves of their own: the parameters' belong to graphs that are alive elsewhere.
        self._arguments = [_leaf(torch.empty_like(x).copy_(x.detach()), x) for x in arguments]
        self._trained = [p for p in module.parameters() if p.requires_grad]
        parameters = {name: _leaf(p.detach(), p) for name, p in module.named_parameters()}
        self._leaves = [x for x in (*self._arguments, *parameters.values()) if x.requires_grad]
        live: list[Tensor] = []

        def forward() -> list[Tensor]:
            live[:] = _tuple(functional_call(module, parameters, tuple(self._arguments)))
            return [y.detach() for y in live]

        def backward() -> Sequence[Tensor | None]:
            wanted = [y for y, has in zip(live, self.has_gradient, strict=True) if has]
            return torch.autograd.grad(wanted, self._leaves, self._cotangents, allow_unused=True)

        # Computed once, so that cuDNN tries its kernels for gradients laid out like these, which it cannot do during a
        # recording.
        forward()
        self.has_gradient = [y.requires_grad and len(self._leaves) > 0 for y in live]
        self._cotangents = [
            torch.zeros_like(y) for y, has in zip(live, self.has_gradient, strict=True) if has
        ]
        if self._cotangents:
            backward()

        self._results, self._forward = record(forward, device, pool)
        self._gradients: Sequence[Tensor | None] = []
        self._backward: Callable[[], None] = lambda: None
        if self._cotangents:
            self._gradients, self._backward = record(backward, device, pool)
        live.clear()

    def play(self, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        if not self._cotangents:
            return tuple(self.run(arguments))
        results: tuple[Tensor, ...] = _Play.apply(self, len(arguments), *arguments, *self._trained)
        return results

    @torch.no_grad()
    def run(self, arguments: Sequence[Tensor]) -> list[Tensor]:
        """Results, for arguments like those recorded."""
        for own, given in zip(self._arguments, arguments, strict=True):
            own.copy_(given)
        self._forward()
        return [y.detach() for y in self._results]

    def run_back(self, cotangents: Sequence[Tensor]) -> list[Tensor | None]:
        """Gradients by the arguments, None where they need none, and by the trained parameters."""
        for own, given in zip(self._cotangents, cotangents, strict=True):
            own.copy_(given)
        self._backward()
        gradients = iter(self._gradients)
        by_arguments = [next(gradients) if x.requires_grad else None for x in self._arguments]
        return [*by_arguments, *gradients]


class _Play(torch.autograd.Function):
    """A recording as one operation of autograd."""

    @staticmethod
    def forward(ctx: Any, recording: _Recording, num_arguments: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.recording = recording
        results = recording.run(tensors[:num_arguments])
        straight = zip(results, recording.has_gradient, strict=True)
        ctx.mark_non_differentiable(*[y for y, has_gradient in straight if not has_gradient])
        return tuple(results)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Any, ...]:
        recording: _Recording = ctx.recording
        given = [g for g, has in zip(cotangents, recording.has_gradient, strict=True) if has]
        return (None, None, *recording.run_back(given))


def _may_record(device: torch.device) -> bool:
    return may_record(device) and not torch.is_autocast_enabled("cuda")


def _check_memory(device: torch.device) -> None:
    """Refuse where recordings, which keep what a step takes, would leave too little for what is computed besides.

    Raises:
        RuntimeError: less is free than twice the peak so far: once for recordings, once for what is not recorded.
    """
    # Idle memory in the pools of recordings cannot be used for anything else.
    idle = sum(
        segment["total_size"] - segment["allocated_size"]
        for segment in torch.cuda.memory_snapshot()
        if segment["device"] == device.index and tuple(segment.get("segment_pool_id", (0, 0))) == (0, 0)
    )
    if free_bytes(device) + idle < 2 * torch.cuda.max_memory_allocated(device):
        raise RuntimeError("too little memory is free to keep recordings in")


def _leaf(x: Tensor, like: Tensor) -> Tensor:
    """`x` as a leaf of its own, with a gradient where `like` has one."""
    return x.requires_grad_(like.requires_grad)


def _tuple(results: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (results,) if isinstance(results, Tensor) else tuple(results)
