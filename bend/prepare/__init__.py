"""Any pictures to a data set one can train on: taken in, cropped or tiled, scaled, packed into a zip.

    from bend.prepare import PackageConfig, package
    config = PackageConfig(sources=(Path("photos"),), out=Path("rocks.zip"), resolution=64, crop="tiles:40")
    report = package(config)

The zip's format is `stylegan.archive`'s. Names load lazily, so that worker processes and `bend package --help`
start without what only the packaging itself needs.
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
