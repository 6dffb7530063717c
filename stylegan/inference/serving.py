"""Whether the fast path may be taken at all: without gradients, tracing, compiling or autocast, on plain tensors."""

import torch
from torch import Tensor, nn

from stylegan.ops import native

__all__ = ["may_serve"]


def may_serve(x: Tensor, *parameters: Tensor) -> bool:
    """Whether a fast kernel may stand in for torch's own operations on `x`.

    Args:
        x: the layer's input; subclasses of `Tensor` (fake, functional, distributed) need the plain operations.
        parameters: the layer's own tensors, which must be float32 and on `x`'s device.
    """
    return (
        not torch.is_grad_enabled()
        and type(x) is Tensor
        and x.device.type in ("cpu", "cuda")
        and all(_is_plain(p) and p.device == x.device for p in parameters)
        and not torch.is_autocast_enabled(x.device.type)
        and not native.is_traced()
    )


def _is_plain(parameter: Tensor) -> bool:
    return type(parameter) in (Tensor, nn.Parameter) and parameter.dtype == torch.float32
