"""Random numbers that belong to samples, not to batches.

`SampleDraws` gives every sample of a batch a random source of its own. A picture then draws the same latents, noise and
augmentations wherever it is in a batch, however the batch is cut, and whichever process computes it, so that a training
on two processes equals one on a single process. Where one source for the whole batch will do, a `torch.Generator` takes
its place (`NormalSource`); where the numbers have been drawn already, `GivenNormals` does (`NoiseSource`).
"""

import math
from collections.abc import Sequence
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

__all__ = ["GivenNormals", "NoiseSource", "NormalSource", "SampleDraws", "normal"]

_SEED_RANGE = 2**62
_BLOCK = 64  # numbers drawn at once for each sample, since a launch for every few of them would be slow


class _Drawing(Protocol):
    def __call__(self, size: int, /, *, generator: torch.Generator, device: torch.device) -> Tensor: ...


class SampleDraws:
    """One random source per sample.

    Numbers are drawn in blocks that do not depend on the other samples, and handed out from there.

    Args:
        seeds: one per sample, each 0 to 2⁶³ - 1.
        device: where numbers are drawn and returned.
        block: numbers drawn ahead for each sample; larger requests are drawn by themselves.
    """

    def __init__(
        self, seeds: Sequence[int], device: torch.device | str = "cpu", *, block: int = _BLOCK
    ) -> None:
        self.device = torch.device(device)
        self._sources = [torch.Generator(self.device).manual_seed(seed) for seed in seeds]
        self._block = block
        nothing = torch.empty([len(self._sources), 0], device=self.device)
        self._drawn: dict[_Drawing, Tensor] = {torch.randn: nothing, torch.rand: nothing}

    def __len__(self) -> int:
        return len(self._sources)

    def normal(self, shape: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
        """Standard normal numbers `[N, …]`; drawn in float32, whatever `dtype`."""
        return self._take(shape, torch.randn).to(dtype)

    def uniform(self, shape: Sequence[int]) -> Tensor:
        """Uniform numbers in [0, 1), `[N, …]` float32."""
        return self._take(shape, torch.rand)

    def on(self, device: torch.device) -> "SampleDraws":
        """Sources on another device, seeded from these."""
        seeds = [
            int(torch.randint(_SEED_RANGE, [], generator=source, device=self.device))
            for source in self._sources
        ]
        return SampleDraws(seeds, device, block=self._block)

    def _take(self, shape: Sequence[int], draw: _Drawing) -> Tensor:
        if not shape or shape[0] != len(self._sources):
            raise ValueError(f"draws for {len(self._sources)} samples cannot have shape {list(shape)}")
        size = math.prod(shape[1:])
        if size > self._block:
            return self._stack(size, draw).reshape(tuple(shape))
        drawn = self._drawn[draw]
        if drawn.shape[1] < size:
            drawn = self._stack(self._block, draw)
        self._drawn[draw] = drawn[:, size:]
        return drawn[:, :size].reshape(tuple(shape))

    def _stack(self, size: int, draw: _Drawing) -> Tensor:
        if not self._sources:
            return torch.empty([0, size], device=self.device)
        return torch.stack([draw(size, generator=source, device=self.device) for source in self._sources])


class GivenNormals:
    """Numbers that were drawn before, handed out in the order given.

    Args:
        given: tensors `[N, …]`, one for each time that numbers are asked for.
    """

    def __init__(self, given: Sequence[Tensor]) -> None:
        self._left = iter(given)

    def normal(self, shape: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
        """The next tensor, which has that shape."""
        given = next(self._left)
        assert tuple(given.shape) == tuple(shape), "not what was drawn for"
        return given.to(dtype)


NormalSource: TypeAlias = torch.Generator | SampleDraws
NoiseSource: TypeAlias = NormalSource | GivenNormals


def normal(
    shape: Sequence[int], source: NoiseSource | None, *, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """Standard normal numbers `[N, …]` from any kind of source, None for torch's own."""
    if source is None or isinstance(source, torch.Generator):
        return torch.randn(tuple(shape), generator=source, device=device, dtype=dtype)
    return source.normal(shape, dtype)
