"""Whether the fast path may be taken at all: nobody differentiates, traces or compiles, and tensors are plain ones."""

import torch
from torch import Tensor, nn

__all__ = ["may_serve"]


def may_serve(x: Tensor, *parameters: Tensor) -> bool:
    """Whether a fast kernel may stand in for torch's own operations on `x`.

    Args:
        x: the layer's input; a subclass (fake, functional, distributed) takes the plain path, where it is followed.
        parameters: the layer's own tensors, which must be float32.
    """
    return (
        not torch.is_grad_enabled()
        and type(x) is Tensor
        and all(type(p) in (Tensor, nn.Parameter) and p.dtype == torch.float32 for p in parameters)
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
    )
