"""What a training changes from step to step: networks, optimisers, augmentation, counts.

`step` changes it, `state_file` saves it.
"""

import dataclasses

import torch
from torch import Tensor

from stylegan.augment import AdaController, AugmentPipe
from stylegan.discriminator import Discriminator
from stylegan.generator import Generator
from stylegan.training.graphs import Graphs

__all__ = ["TrainState"]


@dataclasses.dataclass(slots=True, kw_only=True)
class TrainState:
    """Everything a step reads and writes."""

    G: Generator
    D: Discriminator
    G_ema: Generator
    G_opt: torch.optim.Adam
    D_opt: torch.optim.Adam
    augment: AugmentPipe | None
    """None where images are never augmented."""
    ada: AdaController | None
    """None where images are never augmented; it leaves a fixed probability alone."""
    pl_mean: Tensor
    """Running mean of path lengths, a scalar."""
    cur_nimg: int = 0
    """Real images seen."""
    step: int = 0
    """Steps taken."""
    num_nonfinite: int = 0
    """Gradient values that were not finite, since the start."""
    graphs: Graphs = dataclasses.field(default_factory=Graphs)
    """Recordings of its computations, which are not saved."""
