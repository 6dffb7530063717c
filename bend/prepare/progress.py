"""A progress bar for reading a whole data-set zip, which appears only if that takes more than a second."""

from collections.abc import Callable

from tqdm import tqdm

__all__ = ["reading_bar"]


def reading_bar(what: str) -> Callable[[int, int], None]:
    """A callback for `stylegan.archive` that draws a bar named `what` on stderr, where that is a terminal."""
    bar = tqdm(desc=what, unit="image", disable=None, delay=1)

    def show(done: int, total: int) -> None:
        bar.total = total
        bar.update()
        if done == total:
            bar.close()

    return show
