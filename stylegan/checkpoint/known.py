"""Networks that people know by name, and where their publishers keep them.

Nothing is downloaded here: `bend models pull NAME` does that, into `cache`. Sizes are estimates from the architecture.
No published checksums are known, so the first download is trusted, and its checksum remembered.
"""

import dataclasses

__all__ = ["KNOWN", "KnownNetwork"]

_NVIDIA = "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained"
_NON_COMMERCIAL = "Nvidia Source Code License-NC (non-commercial use only)"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KnownNetwork:
    """A network that can be downloaded."""

    url: str
    """Where its publisher keeps it; the end of the path tells the format."""
    resolution: int
    """Side of its pictures, in pixels."""
    about: str
    """What it draws."""
    approximate_mb: int
    """Megabytes to expect."""
    licence: str = _NON_COMMERCIAL
    """Licence of the weights."""
    sha256: str = ""
    """Published checksum of the file, hexadecimal; empty where none is known."""


def _source_net(file: str, resolution: int, about: str, approximate_mb: int) -> KnownNetwork:
    url = f"{_NVIDIA}/transfer-learning-source-nets/{file}.pkl"
    return KnownNetwork(url=url, resolution=resolution, about=about, approximate_mb=approximate_mb)


def _finished_net(name: str, resolution: int, about: str, approximate_mb: int) -> KnownNetwork:
    url = f"{_NVIDIA}/{name}.pkl"
    return KnownNetwork(url=url, resolution=resolution, about=about, approximate_mb=approximate_mb)


KNOWN = {
    "ffhq256": _source_net("ffhq-res256-mirror-paper256-noaug", 256, "faces, to fine-tune from", 296),
    "ffhq512": _source_net("ffhq-res512-mirror-stylegan2-noaug", 512, "faces, to fine-tune from", 364),
    "ffhq1024": _source_net("ffhq-res1024-mirror-stylegan2-noaug", 1024, "faces, to fine-tune from", 381),
    "celebahq256": _source_net(
        "celebahq-res256-mirror-paper256-kimg100000-ada-target0.5",
        256,
        "celebrities' faces, to fine-tune from",
        296,
    ),
    "lsundog256": _source_net(
        "lsundog-res256-paper256-kimg100000-noaug", 256, "dogs, to fine-tune from", 296
    ),
    "ffhq": _finished_net("ffhq", 1024, "faces", 381),
    "metfaces": _finished_net("metfaces", 1024, "painted and sculpted faces", 381),
    "afhqcat": _finished_net("afhqcat", 512, "cats", 364),
    "afhqdog": _finished_net("afhqdog", 512, "dogs", 364),
    "afhqwild": _finished_net("afhqwild", 512, "wild animals", 364),
    "cifar10": _finished_net("cifar10", 32, "ten classes of things, conditional", 254),
    "brecahad": _finished_net("brecahad", 512, "stained tissue", 364),
}
"""By the name that `--base` and `--network` take."""
