"""The progress bar of pictures being drawn: on stderr, silent where that is no terminal."""

from collections.abc import Iterable, Iterator
from typing import NoReturn, TypeVar

from tqdm import tqdm

__all__ = ["counted", "picture_bar"]

Item = TypeVar("Item")


def counted(pictures: Iterable[Item], total: int) -> Iterator[Item]:
    """The pictures, with a bar that counts them."""
    with picture_bar(total) as bar:
        for picture in pictures:
            yield picture
            bar.update()


def picture_bar(total: int, done: int = 0) -> "tqdm[NoReturn]":
    """A bar over `total` pictures of which `done` are there already."""
    return tqdm(total=total, initial=done, desc="rendering", unit="picture", disable=None)
