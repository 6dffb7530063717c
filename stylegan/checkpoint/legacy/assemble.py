"""From the keyword arguments and tensors that a file holds to our own networks.

Every format ends here: the arguments are checked as those of our own files are, the network is built without memory,
its names and shapes are compared with the file's, and only then is a weight read.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor

from stylegan.checkpoint.description import blank_network
from stylegan.checkpoint.legacy.bounds import RefusedError, shown
from stylegan.discriminator import Discriminator
from stylegan.generator import Generator

__all__ = ["Build", "Weight", "assemble", "outline"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weight:
    """A tensor that has not been read yet."""

    shape: tuple[int, ...]
    read: Callable[[], Tensor]
    """Reads it: contiguous float32 of that shape, in memory of its own."""


class Build(Protocol):
    """What makes a network of what a file holds: `assemble`, or `outline`."""

    def __call__(
        self,
        kind: str,
        arguments: Mapping[str, object],
        weights: Mapping[str, Weight],
        resample_filter: Tensor | None = None,
    ) -> Generator | Discriminator:
        """The network; arguments and errors as `assemble`."""


def assemble(
    kind: str,
    arguments: Mapping[str, object],
    weights: Mapping[str, Weight],
    resample_filter: Tensor | None = None,
) -> Generator | Discriminator:
    """Build a network and load its weights.

    Args:
        kind: `G`, `G_ema` or `D`.
        arguments: keyword arguments of `Generator` or `Discriminator`, as the file has them.
        weights: tensors by official state-dict key.
        resample_filter: what all layers resample with, where the format keeps it outside the weights.

    Returns:
        The network, float32 on the CPU, in evaluation mode, without gradients.

    Raises:
        RefusedError: it cannot be built, or the weights are not exactly its own.
    """
    network, weights = _matched(kind, arguments, weights, resample_filter)
    state = {key: _read(f"{kind}.{key}", weights[key]) for key in network.state_dict()}
    network.load_state_dict(state, strict=True, assign=True)
    return network.eval().requires_grad_(False)


def outline(
    kind: str,
    arguments: Mapping[str, object],
    weights: Mapping[str, Weight],
    resample_filter: Tensor | None = None,
) -> Generator | Discriminator:
    """Build a network whose weights stay in the file; arguments and errors as `assemble`.

    Returns:
        The network with its weights on the meta device, in evaluation mode, without gradients.
    """
    return _matched(kind, arguments, weights, resample_filter)[0].eval().requires_grad_(False)


def _matched(
    kind: str,
    arguments: Mapping[str, object],
    weights: Mapping[str, Weight],
    resample_filter: Tensor | None,
) -> tuple[Generator | Discriminator, Mapping[str, Weight]]:
    """The network on the meta device and the weights for it, the same names and shapes."""
    try:
        network = blank_network(kind, arguments)
    except ValueError as error:
        raise RefusedError(f"has a {kind} that cannot be built ({error}); only StyleGAN2 is read") from None
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    if resample_filter is not None:
        shared = Weight(shape=tuple(resample_filter.shape), read=resample_filter.clone)
        weights = {**weights, **{key: shared for key in expected if key.endswith("resample_filter")}}
    for key in sorted(expected.keys() ^ weights.keys()):
        which = "lacks" if key in expected else "has an unknown"
        raise RefusedError(
            f"{which} tensor {shown(f'{kind}.{key}')}; only the official StyleGAN2 architecture is read"
        )
    for key, shape in expected.items():
        if weights[key].shape != shape:
            raise RefusedError(
                f"has {kind}.{key} of shape {_shape(weights[key].shape)}, its settings say {_shape(shape)}; "
                "only the official architecture is read"
            )
    return network, weights


def _read(name: str, weight: Weight) -> Tensor:
    tensor = weight.read()
    # A sum is finite only if every value is, and much cheaper to check; but it may overflow where they all are.
    if not math.isfinite(tensor.sum()) and not torch.isfinite(tensor).all():
        raise RefusedError(f"has values that are not finite in {name}; use an earlier snapshot")
    return tensor


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "1"
