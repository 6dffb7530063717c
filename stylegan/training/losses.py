"""The losses of StyleGAN2 (arXiv 1912.04958) as plain functions of logits, images and latents.

Non-saturating logistic loss (arXiv 1406.2661), R1 (arXiv 1801.04406), path-length regularisation and style mixing.
`step` decides when each is applied, and with which weight.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.device import send
from stylegan.draws import SampleDraws
from stylegan.generator import Generator
from stylegan.ops.convolution import without_weight_gradients

__all__ = ["draw_mixing", "logistic_fake", "logistic_real", "mix_styles", "path_lengths", "r1_penalty"]


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
    with without_weight_gradients():
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
    with without_weight_gradients():
        (jacobian,) = torch.autograd.grad((images * noise).sum(), ws, create_graph=True)
    return jacobian.square().sum(2).mean(1).sqrt()


def draw_mixing(
    G: Generator, count: int, probability: float, cpu: SampleDraws, device: SampleDraws
) -> tuple[Tensor, Tensor] | None:
    """Draw whether and where the ws of each sample are cut in two, and the z of the second part.

    Args:
        G: the generator.
        count: of samples, N.
        probability: of mixing, for each sample.
        cpu: decides whether and where.
        device: source of the second z.

    Returns:
        What `mix_styles` takes: whether a w belongs to the tail, `[N, num_ws, 1]`, and the tails' z, `[N, z_dim]`; None
        where nothing can be mixed.
    """
    if G.num_ws < 2 or probability == 0:
        return None
    chance, place = cpu.uniform([count, 2]).unbind(1)
    cut = 1 + (place * (G.num_ws - 1)).floor()  # in [1, num_ws)
    cut = torch.where(chance < probability, cut, float(G.num_ws))
    is_tail = (torch.arange(G.num_ws)[None] >= cut[:, None])[:, :, None]  # [N, num_ws, 1]
    return send(is_tail, device.device), device.normal([count, G.z_dim])


def mix_styles(G: Generator, ws: Tensor, c: Tensor, is_tail: Tensor, z: Tensor) -> Tensor:
    """Replace the tail of each sample's ws by that of another z.

    Args:
        G: the generator.
        ws: `[N, num_ws, w_dim]`.
        c: `[N, c_dim]`.
        is_tail: `[N, num_ws, 1]`.
        z: `[N, z_dim]`.

    Returns:
        `[N, num_ws, w_dim]`.
    """
    return torch.where(is_tail, G.mapping(z, c, skip_w_avg_update=True), ws)
