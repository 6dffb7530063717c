"""Turns any pictures into a data set to train on: decoded, cropped or tiled, scaled, packed into a zip.

    from bend.prepare import PackageConfig, package
    config = PackageConfig(sources=(Path("photos"),), out=Path("rocks.zip"), resolution=64, crop="tiles:40")
    report = package(config)

The format of the zip is in `stylegan.archive`. Names load lazily, so that worker processes and `bend package --help`
start without importing what only the packaging itself needs.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bend.prepare.config import PackageConfig
    from bend.prepare.packing import package
    from bend.prepare.report import PackageReport

__all__ = ["PackageConfig", "PackageReport", "package"]

_MODULES = {
    "PackageConfig": "bend.prepare.config",
    "PackageReport": "bend.prepare.report",
    "package": "bend.prepare.packing",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'bend.prepare' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
