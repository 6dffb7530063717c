"""StyleGAN2-ADA, written from the papers: networks, augmentation, data-set zip, checkpoints, training.

Public names load lazily, so that `stylegan.archive` can be used without importing torch. This package imports
neither `bend` nor `scrapers`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stylegan.archive import DatasetShards, DatasetZip, open_dataset
    from stylegan.augment import AugmentPipe
    from stylegan.checkpoint import load_network
    from stylegan.discriminator import Discriminator
    from stylegan.generator import Generator

__all__ = [
    "AugmentPipe",
    "DatasetShards",
    "DatasetZip",
    "Discriminator",
    "Generator",
    "load_network",
    "open_dataset",
]

_MODULES = {
    "AugmentPipe": "stylegan.augment",
    "DatasetShards": "stylegan.archive",
    "DatasetZip": "stylegan.archive",
    "Discriminator": "stylegan.discriminator",
    "Generator": "stylegan.generator",
    "load_network": "stylegan.checkpoint",
    "open_dataset": "stylegan.archive",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'stylegan' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
