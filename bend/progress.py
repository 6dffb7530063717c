"""What is shown on stderr while pictures are made: a progress bar where that is a terminal, and lines above it."""

import sys
from collections.abc import Iterable, Iterator
from typing import NoReturn, TypeVar

from tqdm import tqdm

__all__ = ["counted", "picture_bar", "tell"]

Item = TypeVar("Item")


def counted(pictures: Iterable[Item], total: int) -> Iterator[Item]:
    """The pictures, with a bar that counts them."""
    with picture_bar(total) as bar:
        for picture in pictures:
            yield picture
            bar.update()


def picture_bar(total: int, done: int = 0, *, unit: str = "picture") -> "tqdm[NoReturn]":
    """A bar over `total` pictures of which `done` are there already."""
    return tqdm(total=total, initial=done, desc="rendering", unit=unit, disable=None)


def tell(line: str) -> None:
    """Print a line on stderr without breaking a progress bar."""
    tqdm.write(line, file=sys.stderr)
