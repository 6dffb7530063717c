"""The pipe's random numbers: one value an image, or all of them at one percentile of their distribution.

A draw never depends on the pixels, and its size only on the batch size, so that a generator's state after a batch is
the same whatever the images were. Small draws are made on the generator's device and moved to the CPU, in float64: the
same seed then augments alike on every device, and composing 3×3 matrices there is quicker than launching kernels.
"""

import math

import torch
from torch import Tensor

from stylegan.draws import NormalSource, SampleDraws, normal

__all__ = ["Draws"]

_SEED_RANGE = 2**62


class Draws:
    """Random numbers for a batch of `count` images.

    Args:
        count: images in the batch.
        percentile: None to draw at random; in (0, 1), fixes every draw but `pixel_noise` at that percentile.
        generator: source of randomness, one for the batch or one a sample; None for torch's global one.

    Raises:
        ValueError: `percentile` is not inside (0, 1).
    """

    def __init__(
        self, count: int, *, percentile: float | None = None, generator: NormalSource | None = None
    ) -> None:
        if percentile is not None and not 0 < percentile < 1:
            raise ValueError(f"debug_percentile must lie inside (0, 1), not {percentile}")
        self.count = count
        self.percentile = percentile
        self.generator = generator

    def happens(self, probability: float) -> Tensor:
        """Whether a transform happens to each image, `[N]`, 1 or 0; always, at a percentile."""
        if self.percentile is not None:
            return torch.ones([self.count], dtype=torch.float64)
        return (self._uniform([self.count]) < probability).double()

    def unit(self, *shape: int) -> Tensor:
        """Uniform on [0, 1), `[N, *shape]`; a percentile q is q itself."""
        if self.percentile is not None:
            return self._full(shape, self.percentile)
        return self._uniform([self.count, *shape])

    def integers(self, stop: int) -> Tensor:
        """Whole numbers from 0 to `stop - 1`, `[N]`; a percentile q is `floor(q * stop)`."""
        return (self.unit() * stop).floor()

    def symmetric(self, *shape: int) -> Tensor:
        """Uniform on [-1, 1), `[N, *shape]`; a percentile q is `2q - 1`."""
        return 2 * self.unit(*shape) - 1

    def normal(self, *shape: int) -> Tensor:
        """Standard normal, `[N, *shape]`; a percentile q is `erfinv(2q - 1)`.

        The normal quantile would have a factor of √2; the official debugging values, against which this is
        checked, do not.
        """
        if self.percentile is not None:
            return self._full(shape, _erfinv(2 * self.percentile - 1))
        return self._normal([self.count, *shape])

    def half_normal(self) -> Tensor:
        """Absolute standard normal, `[N]`; a percentile q is `erfinv(q)`."""
        if self.percentile is not None:
            return self._full((), _erfinv(self.percentile))
        return self._normal([self.count]).abs()

    def pixel_noise(self, like: Tensor) -> Tensor:
        """Standard normal of the shape, dtype and device of `like`.

        A generator of another device only seeds one on the device of `like`, since drawing whole images on a CPU
        for a GPU would be slow.
        """
        generator = self.generator
        if isinstance(generator, SampleDraws):
            own = generator if generator.device == like.device else generator.on(like.device)
            return own.normal(like.shape, like.dtype)
        if generator is not None and generator.device != like.device:
            seed = torch.randint(_SEED_RANGE, [], generator=generator, device=generator.device)
            generator = torch.Generator(like.device).manual_seed(int(seed))
        return torch.randn(like.shape, generator=generator, dtype=like.dtype, device=like.device)

    def _full(self, shape: tuple[int, ...], value: float) -> Tensor:
        return torch.full([self.count, *shape], value, dtype=torch.float64)

    def _uniform(self, shape: list[int]) -> Tensor:
        if isinstance(self.generator, SampleDraws):
            return self.generator.uniform(shape).cpu().double()
        return torch.rand(shape, generator=self.generator, device=self._device).cpu().double()

    def _normal(self, shape: list[int]) -> Tensor:
        return normal(shape, self.generator, device=self._device, dtype=torch.float32).cpu().double()

    @property
    def _device(self) -> torch.device:
        return torch.device("cpu") if self.generator is None else self.generator.device


def _erfinv(value: float) -> float:
    result = float(torch.erfinv(torch.tensor(value, dtype=torch.float64)))
    assert math.isfinite(result), value
    return result
