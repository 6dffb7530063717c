"""Any pictures to a data set one can train on: taken in, cropped or tiled, scaled, packed into a zip.

    from bend.prepare import PackageConfig, package
    config = PackageConfig(sources=(Path("photos"),), out=Path("rocks.zip"), resolution=64, crop="tiles:40")
    report = package(config)

The zip's format is `stylegan.archive`'s.
"""

from bend.prepare.config import PackageConfig
from bend.prepare.packing import package
from bend.prepare.report import PackageReport

__all__ = ["PackageConfig", "PackageReport", "package"]
