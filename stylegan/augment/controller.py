"""Moves the augmentation probability by the discriminator's trust in reals (arXiv 2006.06676, section 3).

The heuristic is `r_t = E[sign(D(real))]`: near 1 the discriminator has learned the training set by heart and
`p` rises, below the target it falls, at a speed that would take it from 0 to 1 in `kimg` thousand images.
Sums stay on the logits' device and `p` is changed in place there, so training never waits for a number to
arrive.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stylegan.augment.pipe import AugmentPipe
from stylegan.errors import ConfigError

__all__ = ["AdaConfig", "AdaController"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaConfig:
    """How the augmentation probability moves.

    `AdaConfig()` adapts as the paper does, `AdaConfig(kimg=100)` as in fine-tuning; `AdaConfig(target=None,
    initial_p=0.2)` keeps `p` where it is, and with `initial_p=0` there is no augmentation.

    Attributes:
        target: where r_t is to stay, inside (-1, 1); None to leave `p` alone.
        interval: steps between two changes of `p`, at least 1.
        kimg: thousands of images in which `p` could go from 0 to 1, above 0.
        initial_p: probability at the start, in [0, 1].
    """

    target: float | None = 0.6
    interval: int = 4
    kimg: float = 500
    initial_p: float = 0

    def __post_init__(self) -> None:
        if self.target is not None and not -1 < self.target < 1:
            raise ConfigError(
                f"ada target {self.target} is out of reach; give one between -1 and 1, usually 0.6"
            )
        if self.interval < 1:
            raise ConfigError(f"ada interval is {self.interval} steps; give at least 1")
        if not self.kimg > 0:
            raise ConfigError(
                f"ada kimg is {self.kimg}; give a number above 0, usually 500, or 100 for fine-tuning"
            )
        if not 0 <= self.initial_p <= 1:
            raise ConfigError(f"augmentation probability {self.initial_p} is not between 0 and 1")


class AdaController:
    """Sets `pipe.p` from the signs of the discriminator's logits on real images.

    Args:
        config: how `p` moves.
        pipe: whose `p` is set, at once, to `config.initial_p`.
    """

    def __init__(self, config: AdaConfig, pipe: AugmentPipe) -> None:
        self.config = config
        self.pipe = pipe
        self._steps = 0
        self._totals = torch.zeros([2])
        self._set_p(config.initial_p)

    @property
    def p(self) -> Tensor:
        """The probability, the pipe's own scalar."""
        return self.pipe.p

    @property
    def totals(self) -> Tensor:
        """Since the last change of `p`: the sum of the logits' signs, and their number, `[2]`."""
        return self._totals

    @torch.no_grad()
    def observe(self, total: Tensor, count: Tensor) -> None:
        """Count the signs of the discriminator's logits on augmented reals, of all processes.

        Args:
            total: their sum, a scalar.
            count: their number, a scalar.
        """
        seen = torch.stack([total, count]).float()
        self._totals = self._totals.to(seen.device) + seen

    @torch.no_grad()
    def end_step(self, batch_size: int) -> bool:
        """Close a training step; every `interval` steps, move `p`.

        Args:
            batch_size: images the step took, over all processes.

        Returns:
            Whether `p` was due to move.
        """
        self._steps += 1
        if self._steps % self.config.interval:
            return False
        self._totals = self._totals.to(self.p.device)
        if self.config.target is not None:
            step = batch_size * self.config.interval / (self.config.kimg * 1000)
            self.p.add_(_choose_direction(self._totals, self.config.target) * step).clamp_(0, 1)
        self._totals = torch.zeros_like(self._totals)
        return self.config.target is not None

    def state_dict(self) -> dict[str, Any]:
        """Everything an exact resume needs, as plain numbers."""
        return {"p": float(self.p), "steps": self._steps, "totals": self._totals.tolist()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a `state_dict`.

        Args:
            state: as `state_dict` gave it.

        Raises:
            ConfigError: its `p` is not between 0 and 1.
        """
        self._set_p(state["p"])
        self._steps = int(state["steps"])
        self._totals = torch.tensor(state["totals"], dtype=torch.float32)

    @torch.no_grad()
    def _set_p(self, p: float) -> None:
        if not 0 <= p <= 1:
            raise ConfigError(f"augmentation probability {p} is not between 0 and 1")
        self.pipe.p.fill_(p)


def _choose_direction(totals: Tensor, target: float) -> Tensor:
    """Sign of r_t minus its target, a scalar; 0 where nothing was seen."""
    total, count = totals
    direction = (total / count - target).sign()
    return torch.where(count > 0, direction, torch.zeros_like(direction))
