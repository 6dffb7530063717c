"""The losses of StyleGAN2 (arXiv 1912.04958) as plain functions of logits, images and latents.

Non-saturating logistic loss (arXiv 1406.2661), R1 (arXiv 1801.04406), path-length regularisation and style mixing.
When each is applied, and with which weight, is `step`'s matter.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.generator import Generator

__all__ = ["logistic_fake", "logistic_real", "mix_styles", "path_lengths", "r1_penalty"]


def logistic_real(logits: Tensor) -> Tensor:
    """Loss of calling images fake: `softplus(-logits)`. For D on reals, and for G on its own images."""
    return F.softplus(-logits)


def logistic_fake(logits: Tensor) -> Tensor:
    """Loss of calling images real: `softplus(logits)`. For D on generated images."""
    return F.softplus(logits)


def r1_penalty(images: Tensor, logits: Tensor) -> Tensor:
    """Squared norm of the gradient of each logit by its image, differentiable.

    Args:
        images: `[N, C, H, W]`, requiring a gradient.
        logits: `[N, 1]`, computed from `images`.

    Returns:
        `[N]`.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.square().sum([1, 2, 3])


def path_lengths(images: Tensor, ws: Tensor, noise: Tensor) -> Tensor:
    """Length of `J^T y`: how far images move in a random direction y as ws move, differentiable.

    Args:
        images: `[N, C, H, W]`, computed from `ws`.
        ws: `[N, num_ws, w_dim]`, requiring a gradient.
        noise: standard normal `[N, C, H, W]`; scaled here by `1/√(H*W)`.

    Returns:
        `[N]`.
    """
    noise = noise / math.sqrt(images.shape[2] * images.shape[3])
    (jacobian,) = torch.autograd.grad((images * noise).sum(), ws, create_graph=True)
    return jacobian.square().sum(2).mean(1).sqrt()


def mix_styles(
    G: Generator,
    z: Tensor,
    c: Tensor,
    probability: float,
    host: np.random.Generator,
    generator: torch.Generator,
) -> Tensor:
    """ws of z, its tail replaced by that of another z with some probability.

    Args:
        G: the generator, in training mode (its `w_avg` is updated once).
        z: `[N, z_dim]`.
        c: `[N, c_dim]`.
        probability: of mixing this batch.
        host: decides whether and where to cut.
        generator: source of the second z, on `z`'s device.

    Returns:
        `[N, num_ws, w_dim]`.
    """
    ws = G.mapping(z, c)
    cutoff = int(host.integers(1, G.num_ws)) if G.num_ws > 1 else G.num_ws
    if host.random() >= probability or cutoff >= G.num_ws:
        return ws
    other = torch.randn(z.shape, generator=generator, device=z.device)
    tail = G.mapping(other, c, skip_w_avg_update=True)[:, cutoff:]
    return torch.cat([ws[:, :cutoff], tail], dim=1)
