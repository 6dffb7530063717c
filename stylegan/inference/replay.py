"""Drawing without launching kernels one by one: on CUDA, what a network computes repeatedly is recorded and replayed.

A picture of 256 pixels takes 300 launches, which last five times as long as the kernels themselves. A recording
(`stylegan.recording`) is keyed by all that it depends on: where weights and buffers lie, settings, shapes, the stream.
A replay reads the weights anew, so that changes in place take effect; with other tensors in their place a new recording
is made. A network with hooks, or with a module whose `forward` was replaced, is computed call by call.
"""

from collections.abc import Callable, Hashable
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from stylegan.inference.filters import taps_read
from stylegan.inference.serving import may_serve
from stylegan.recording import Recordings, held_by, may_record, record, surroundings

__all__ = ["replayed"]

_MOST = 4  # recordings per network: for a batch, for a shorter last one, and as many again
_recordings: "WeakKeyDictionary[nn.Module, Recordings[_Recording]]" = WeakKeyDictionary()


def replayed(
    network: nn.Module, x: Tensor, settings: tuple[Hashable, ...], compute: Callable[[Tensor], Tensor]
) -> Tensor | None:
    """Compute what a network makes of `x` from a recording, or return None where it must be computed.

    Args:
        network: has all parameters and settings that `compute` reads.
        x: of any shape.
        settings: whatever else `compute` depends on.
        compute: the computation, on a tensor like `x`; without random numbers of a generator of its own.

    Returns:
        A new tensor; None on other devices, with gradients on, until the call has become familiar, and so on.
    """
    if not _may_replay(x):
        return None
    held = held_by(network)
    if held is None:
        return None
    kept = _recordings.setdefault(network, Recordings(_MOST))
    key = (tuple(x.shape), x.dtype, settings, surroundings(x.device), held)
    with kept.lock:
        recording = kept.find(key, lambda: _Recording(network, x, compute))
        return None if recording is None else recording.play(x)


class _Recording:
    """A computation with the memory of its argument and its result."""

    def __init__(self, network: nn.Module, x: Tensor, compute: Callable[[Tensor], Tensor]) -> None:
        self._taps = taps_read(network)
        with torch.inference_mode(False), torch.no_grad():  # tensors that may be written to in either mode
            self._x = torch.empty_like(x).copy_(x)
            self._y, self._run = record(lambda: compute(self._x), x.device)

    def play(self, x: Tensor) -> Tensor:
        self._x.copy_(x)
        self._run()
        return self._y.clone()


def _may_replay(x: Tensor) -> bool:
    return may_serve(x) and may_record(x.device)
