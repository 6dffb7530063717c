"""Small previews: drawing stops at the image of a lower resolution.

That works since a picture is a sum over resolutions (Karras et al., arXiv 1912.04958, section 4).
"""

import contextlib
from collections.abc import Iterator

from torch import Tensor

from stylegan.generator import Generator
from stylegan.taps import hang, taps

__all__ = ["Enough", "stopping"]


class Enough(Exception):  # noqa: N818  a signal, no error
    """Raised inside a network to stop at a preview; carries the image so far."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.image = image


@contextlib.contextmanager
def stopping(G: Generator, most: int | None) -> Iterator[None]:
    """Have `G` stop at the image of resolution `most`."""
    tap = None if most is None or most >= G.img_resolution else taps(G).get(f"b{most}.image")
    if tap is None:
        yield
        return

    def stop(image: Tensor) -> Tensor:
        raise Enough(image)

    with hang(G, tap, stop):
        yield
