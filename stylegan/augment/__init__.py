"""Adaptive discriminator augmentation (arXiv 2006.06676): the pipe, its named sets, its controller.

`AugmentPipe` changes images at random with a probability `p`; `AdaController` moves that `p` by the
discriminator's behaviour on real images. The maths is plain functions in one file a stage: geometry and
resample, colour, filters, corruption.
"""

from stylegan.augment.controller import AdaConfig, AdaController
from stylegan.augment.pipe import AugmentPipe
from stylegan.augment.settings import AUGMENT_PIPES, AugmentSettings

__all__ = ["AUGMENT_PIPES", "AdaConfig", "AdaController", "AugmentPipe", "AugmentSettings"]
