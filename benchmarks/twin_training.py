"""A plain twin of the training step: the losses and augmentations as the papers say, in the most direct torch.

Written from StyleGAN2 (arXiv 1912.04958) and StyleGAN2-ADA (arXiv 2006.06676) alone. Four phases on the networks of
`twin`, each with its own forward pass, Adam as torch has it, the average of the weights one parameter at a time, and
every augmentation on every image. Random draws are those of `stylegan.training.step`, so that one step of either
moves the same weights to the same place (tests/benchmarks).
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from twin import TwinDiscriminator, TwinGenerator, twin_of, upfirdn2d

from stylegan.augment.bilinear import bilinear
from stylegan.augment.colour import draw_colour
from stylegan.augment.draws import Draws as AugmentDraws
from stylegan.augment.geometry import draw_inverse
from stylegan.augment.settings import AugmentSettings
from stylegan.augment.wavelets import SYM6
from stylegan.draws import NormalSource, SampleDraws
from stylegan.training.config import Hyperparameters
from stylegan.training.deal import sample_draws
from stylegan.training.ema import ema_beta
from stylegan.training.state import TrainState
from stylegan.training.step import D_REG_INTERVAL, G_REG_INTERVAL

Draws = tuple[SampleDraws, SampleDraws]
"""On the CPU, and on the device."""

__all__ = ["TwinState", "augment", "twin_state", "twin_step"]


@dataclasses.dataclass(slots=True, kw_only=True)
class TwinState:
    """What a step of the twin reads and writes; fields as in `TrainState`."""

    G: TwinGenerator
    D: TwinDiscriminator
    G_ema: TwinGenerator
    G_opt: torch.optim.Adam
    D_opt: torch.optim.Adam
    settings: AugmentSettings | None
    p: float
    pl_mean: Tensor
    cur_nimg: int = 0
    step: int = 0


def twin_state(state: TrainState) -> TwinState:
    """The twin of a training that has not begun: same weights, same settings."""
    networks: list[Any] = []
    for ours in (state.G, state.D, state.G_ema):
        device = next(ours.parameters()).device
        twin = twin_of(ours, torch.float16 if device.type == "cuda" else None)
        networks.append(twin.to(device).requires_grad_(False))
    adams = []
    for network, optimizer in zip(networks, (state.G_opt, state.D_opt), strict=False):
        group = optimizer.param_groups[0]
        adams.append(
            torch.optim.Adam(network.parameters(), lr=group["lr"], betas=group["betas"], eps=group["eps"])
        )
    return TwinState(
        G=networks[0],
        D=networks[1],
        G_ema=networks[2],
        G_opt=adams[0],
        D_opt=adams[1],
        settings=None if state.augment is None else state.augment.settings,
        p=0.0 if state.augment is None else float(state.augment.p),
        pl_mean=state.pl_mean.clone(),
    )


def twin_step(
    state: TwinState, hyper: Hyperparameters, reals: Tensor, real_c: Tensor, fake_c: Tensor, seed: int
) -> None:
    """Move the twin on by one step; arguments as `train_step`, the batch as a whole."""
    phases = [
        (state.G, state.G_opt, 1, lambda draws: _g_main(state, hyper, fake_c, draws)),
        (state.G, state.G_opt, G_REG_INTERVAL, lambda draws: _g_path_length(state, hyper, fake_c, draws)),
        (state.D, state.D_opt, 1, lambda draws: _d_main(state, hyper, reals, real_c, fake_c, draws)),
        (state.D, state.D_opt, D_REG_INTERVAL, lambda draws: _d_r1(state, hyper, reals, real_c, draws)),
    ]
    for index, (network, optimizer, interval, loss) in enumerate(phases):
        if state.step % interval:
            continue
        optimizer.zero_grad(set_to_none=True)
        network.requires_grad_(True)
        every = 2 if index == 1 else 1  # the path length takes every second sample
        numbers = np.arange(0, len(reals), every)
        draws = sample_draws((seed, state.step, index), numbers, reals.device)
        if reals.device.type == "cuda":  # a launch a sample would be slow
            draws = draws[0], _BatchDraws(len(numbers), reals.device)
        (loss(draws) * interval).backward()
        network.requires_grad_(False)
        for parameter in network.parameters():
            if parameter.grad is not None:
                torch.nan_to_num(parameter.grad, nan=0, posinf=1e5, neginf=-1e5, out=parameter.grad)
        optimizer.step()
    state.step += 1
    state.cur_nimg += len(reals)
    beta = ema_beta(len(reals), hyper.ema_kimg, state.cur_nimg, hyper.ema_rampup)
    _average(state.G_ema, state.G, beta)


class _BatchDraws(SampleDraws):
    """The device's own source of random numbers for all samples of a batch."""

    def __init__(self, count: int, device: torch.device) -> None:
        super().__init__([0] * count, "cpu")
        self.device = device

    def normal(self, shape: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.randn(tuple(shape), device=self.device, dtype=dtype)


def augment(images: Tensor, settings: AugmentSettings, p: float, generator: NormalSource) -> Tensor:
    """Geometry and colour of every image of a batch (arXiv 2006.06676, appendix B), happening or not."""
    draws = AugmentDraws(len(images), generator=generator)
    height, width = images.shape[2:]
    images = _warp(images, draw_inverse(settings, draws, p, height, width).float())
    matrix = draw_colour(settings, draws, p).to(images)
    flat = images.reshape(*images.shape[:2], -1)
    return (matrix[:, :3, :3] @ flat + matrix[:, :3, 3:]).reshape(images.shape)


def _warp(images: Tensor, inverse: Tensor) -> Tensor:
    n, c, height, width = images.shape
    taps = torch.tensor(SYM6, dtype=torch.float32)
    taps = taps / taps.sum()
    reach = len(SYM6) // 4
    # What the corners read, and the filters around it, decides how far the image is extended.
    x, y = (width - 1) / 2, (height - 1) / 2
    corners = torch.tensor([[-x, x, -x, x], [-y, -y, y, y], [1, 1, 1, 1]])
    read = (inverse @ corners)[:, :2].abs().amax([0, 2])
    left = min(max(math.ceil(float(read[0]) - x) + 2 * reach, 0), width - 1)
    top = min(max(math.ceil(float(read[1]) - y) + 2 * reach, 0), height - 1)
    images = F.pad(images, [left, left, top, top], mode="reflect")
    taps = taps.to(images.device)
    images = upfirdn2d(images, taps, up=2, padding=(6, 5, 6, 5), gain=4)
    # To the doubled, extended image, in coordinates from -1 to 1; the pivot lies a quarter pixel before the centre.
    out = [2 * (height + 2 * reach - 1), 2 * (width + 2 * reach - 1)]
    pivot = torch.eye(3)
    pivot[:2, 2] = -0.25
    inverse = pivot @ inverse @ pivot.inverse()
    to_pixels = torch.tensor([out[1] / 4, out[0] / 4, 1]).diag()
    from_pixels = torch.tensor([4 / images.shape[3], 4 / images.shape[2], 1]).diag()
    theta = (from_pixels @ inverse @ to_pixels)[:, :2].to(images.device)
    grid = F.affine_grid(theta, [n, c, *out], align_corners=False)
    images = bilinear(images, grid)  # torch's own grid_sample, which by itself cannot be differentiated twice
    return upfirdn2d(images, taps, down=2, flip_filter=True)


def _g_main(state: TwinState, hyper: Hyperparameters, c: Tensor, draws: Draws) -> Tensor:
    images = state.G.synthesis(_ws(state, hyper, c, draws), generator=draws[1])
    return F.softplus(-_logits(state, images, c, draws)).mean()


def _g_path_length(state: TwinState, hyper: Hyperparameters, c: Tensor, draws: Draws) -> Tensor:
    ws = _ws(state, hyper, c[::2], draws)
    images = state.G.synthesis(ws, generator=draws[1])
    noise = draws[1].normal(images.shape) / math.sqrt(images.shape[2] * images.shape[3])
    (jacobian,) = torch.autograd.grad((images * noise).sum(), ws, create_graph=True)
    lengths = jacobian.square().sum(2).mean(1).sqrt()
    state.pl_mean.copy_(state.pl_mean.lerp(lengths.detach().mean(), 0.01))
    return (lengths - state.pl_mean).square().mean() * hyper.pl_weight


def _d_main(
    state: TwinState, hyper: Hyperparameters, reals: Tensor, real_c: Tensor, fake_c: Tensor, draws: Draws
) -> Tensor:
    with torch.no_grad():
        fakes = state.G.synthesis(_ws(state, hyper, fake_c, draws), generator=draws[1])
    fake_logits = _logits(state, fakes, fake_c, draws)
    return F.softplus(fake_logits).mean() + F.softplus(-_logits(state, reals, real_c, draws)).mean()


def _d_r1(state: TwinState, hyper: Hyperparameters, reals: Tensor, real_c: Tensor, draws: Draws) -> Tensor:
    reals = reals.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(_logits(state, reals, real_c, draws).sum(), reals, create_graph=True)
    return gradient.square().sum([1, 2, 3]).mean() * (hyper.r1_gamma / 2)


def _ws(state: TwinState, hyper: Hyperparameters, c: Tensor, draws: Draws) -> Tensor:
    z = draws[1].normal([len(c), state.G.z_dim])
    ws: Tensor = state.G.mapping(z, c)
    chance, place = draws[0].uniform([len(c), 2]).unbind(1)
    cutoff = 1 + (place * (state.G.num_ws - 1)).long()
    cutoff = torch.where(chance < hyper.style_mixing, cutoff, state.G.num_ws)
    other = draws[1].normal(z.shape)
    tail = state.G.mapping(other, c, skip_w_avg_update=True)
    is_tail = (torch.arange(state.G.num_ws) >= cutoff[:, None])[:, :, None].to(ws.device)
    return torch.where(is_tail, tail, ws)


def _logits(state: TwinState, images: Tensor, c: Tensor, draws: Draws) -> Tensor:
    if state.settings is not None and state.p > 0:
        images = augment(images, state.settings, state.p, draws[0])
    logits: Tensor = state.D(images, c)
    return logits


@torch.no_grad()
def _average(average: nn.Module, network: nn.Module, beta: float) -> None:
    for ours, theirs in zip(average.parameters(), network.parameters(), strict=True):
        ours.copy_(theirs.lerp(ours, beta))
    for kept, source in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(source)
