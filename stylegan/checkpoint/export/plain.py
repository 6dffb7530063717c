"""Our networks as those of `module_source`: what official files hold, and what is traced for ONNX."""

from typing import TypeVar

import torch

from stylegan.checkpoint.export import module_source
from stylegan.discriminator import Discriminator
from stylegan.generator import Generator

__all__ = ["plain_copy"]

_Plain = TypeVar("_Plain", module_source.Generator, module_source.Discriminator)


def plain_copy(network: Generator | Discriminator, kind: type[_Plain]) -> _Plain:
    """The same network as a class of `module_source`, in evaluation mode; both share the weights."""
    with torch.device("meta"):
        copy = kind(**network.init_kwargs)
    copy.load_state_dict(network.state_dict(), strict=True, assign=True)
    return copy.eval().requires_grad_(False)
