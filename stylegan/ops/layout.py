"""Memory layouts that native kernels take: dense, in the order of the dimensions or with channels last."""

import torch
from torch import Tensor

__all__ = ["dense", "is_channels_last", "like_layout"]


def is_channels_last(x: Tensor) -> bool:
    """Whether `x` is dense with channels last and not also in the order of its dimensions."""
    return not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)


def dense(x: Tensor) -> Tensor:
    """`x`, copied if it is dense in neither layout."""
    if x.is_contiguous() or (x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last)):
        return x
    return x.contiguous()


def like_layout(x: Tensor, reference: Tensor) -> Tensor:
    """`x`, copied if its layout is not that of a dense tensor `reference` of the same shape."""
    is_last = reference.ndim == 4 and is_channels_last(reference)
    return x.contiguous(memory_format=torch.channels_last if is_last else torch.contiguous_format)
