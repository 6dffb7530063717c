"""The progress bar of a download, on stderr and only where that is a terminal."""

import contextlib
from collections.abc import Callable, Iterator

from tqdm import tqdm

__all__ = ["progress"]


@contextlib.contextmanager
def progress(name: str) -> Iterator[Callable[[int, int | None], None]]:
    """A function that takes bytes so far, and bytes in all if that is known."""
    with tqdm(desc=name, unit="B", unit_scale=True, disable=None) as bar:

        def show(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show
