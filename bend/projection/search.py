"""Finds the w of a picture: StyleGAN2's projection (Karras et al., arXiv 1912.04958, section 5 and appendix D).

Starting at the mean of w, Adam minimises a perceptual distance between the target and the picture of w. Noise is added
to w and fades out, so that the search does not settle early. The layers' noise maps are variables too; so that they do
not come to hold the picture, their autocorrelation at every scale is penalised, and they are normalised after each
step. The distance is chosen in `bend.projection.perception`. The paper's learning-rate ramps over 1000 steps are scaled
to the number of steps.
"""

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from bend.directions import spread_of_w
from bend.latents import device_of
from bend.projection.perception import Perception
from bend.style_layers import style_layers
from stylegan.generator import Generator

__all__ = ["Projection", "Step", "autocorrelation", "learning_rate", "project_w"]

_LEARNING_RATE = 0.1
_RAMP_UP, _RAMP_DOWN = 0.05, 0.25
_W_NOISE, _W_NOISE_SHARE = 0.05, 0.75
_NOISE_WEIGHT = 1e5
_SMALLEST_NOISE = 8  # side down to which noise maps are compared with themselves


@dataclass(frozen=True, slots=True)
class Step:
    """The state after a step, for progress and films.

    Attributes:
        index: of the step, from 0.
        ws: of that step, `[1, num_ws, w_dim]`, without the added noise.
        distance: the squared perceptual distance of the step's picture.
    """

    index: int
    ws: Tensor
    distance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """The result of a search.

    Attributes:
        ws: `[1, num_ws, w_dim]`.
        first_distance: squared perceptual distance of the mean's picture from the target, with the network's own noise.
        last_distance: that of the picture that was found.
    """

    ws: Tensor
    first_distance: float
    last_distance: float


def project_w(
    G: Generator,
    target: Tensor,
    perception: Perception,
    *,
    space: str = "w",
    steps: int = 400,
    seed: int = 0,
    class_index: int | None = None,
    on_step: Callable[[Step], None] = lambda step: None,
) -> Projection:
    """Search the w whose picture looks like the target.

    Args:
        G: the generator, its parameters frozen.
        target: `[1, img_channels, img_resolution, img_resolution]` in [-1, 1], on G's device.
        perception: measures the distance.
        space: `w` or `w+`.
        steps: of the optimiser.
        seed: of all noise.
        class_index: class of a conditional network.
        on_step: called after each step.

    Raises:
        SettingsError: a class that the network does not have.
    """
    generator = torch.Generator().manual_seed(seed)
    spread = spread_of_w(G, class_index)
    num_free = G.num_ws if space == "w+" else 1
    mean = spread.mean.to(device_of(G), torch.float32)
    w = mean.repeat(1, num_free, 1).requires_grad_()  # [1, num_free, w_dim]
    w_std = float(spread.std.square().sum().sqrt())
    wanted = perception.embed(target).detach()
    with _free_noise(G, generator) as noises:
        adam = torch.optim.Adam([w, *noises], betas=(0.9, 0.999))
        for index in range(steps):
            share = index / steps
            adam.param_groups[0]["lr"] = learning_rate(share)
            strength = _W_NOISE * w_std * max(0.0, 1 - share / _W_NOISE_SHARE) ** 2
            shaken = w + strength * torch.randn(w.shape, generator=generator).to(w)
            images = G.synthesis(shaken.expand(-1, G.num_ws, -1), noise_mode="const")
            distance = perception.distance(perception.embed(images), wanted).sum()
            loss = distance + _NOISE_WEIGHT * sum(map(autocorrelation, noises), torch.zeros_like(distance))
            adam.zero_grad(set_to_none=True)
            loss.backward()
            before = w.detach().clone()
            adam.step()
            _normalise(noises)
            on_step(Step(index, before.expand(-1, G.num_ws, -1), float(distance.detach())))
    found = w.detach().expand(-1, G.num_ws, -1).clone()
    start = mean.expand(1, G.num_ws, -1)
    first, last = (_distance(G, perception, wanted, ws) for ws in (start, found))
    return Projection(ws=found, first_distance=first, last_distance=last)


def learning_rate(share: float) -> float:
    """Adam's step at a share of the search: a linear ramp up, a plateau, a cosine down to 0."""
    down = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - share) / _RAMP_DOWN))
    return _LEARNING_RATE * down * min(1.0, share / _RAMP_UP)


def autocorrelation(noise: Tensor) -> Tensor:
    """How much a noise map `[h, w]` resembles itself moved by a pixel, squared, summed over scales; a scalar.

    Each scale averages 2×2 pixels of the one before and doubles them, which keeps the variance of white noise. Maps
    wrap around at their edges. White noise has next to none.
    """
    x = noise[None, None]
    total = noise.new_zeros([])
    while True:
        for dim in (2, 3):
            total = total + (x * x.roll(1, dims=dim)).mean().square()
        if min(x.shape[2:]) <= _SMALLEST_NOISE:
            return total
        x = functional.avg_pool2d(x, 2) * 2


@contextlib.contextmanager
def _free_noise(G: Generator, generator: torch.Generator) -> Iterator[list[Tensor]]:
    """Replace the layers' noise maps with random ones, as variables, and restore their own afterwards."""
    layers = [at.layer for at in style_layers(G) if at.layer.use_noise]
    own = [layer.noise_const for layer in layers]
    try:
        for layer, noise in zip(layers, own, strict=True):
            layer.noise_const = torch.randn(noise.shape, generator=generator).to(noise).requires_grad_()
        yield [layer.noise_const for layer in layers]
    finally:
        for layer, noise in zip(layers, own, strict=True):
            layer.noise_const = noise


@torch.no_grad()
def _normalise(noises: list[Tensor]) -> None:
    for noise in noises:
        centred = noise - noise.mean()
        noise.copy_(centred * centred.square().mean().clamp(min=1e-12).rsqrt())


@torch.no_grad()
def _distance(G: Generator, perception: Perception, wanted: Tensor, ws: Tensor) -> float:
    images = G.synthesis(ws, noise_mode="const")
    return float(perception.distance(perception.embed(images), wanted))
