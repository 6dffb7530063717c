"""The label of each picture: that of its class folder, or the one it had in another data set."""

from collections.abc import Sequence
from dataclasses import dataclass

from bend.errors import PackageError
from bend.prepare.discover import SourcePicture
from stylegan.archive.metadata import Label

__all__ = ["Labels", "label_pictures"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Labels of a plan's pictures."""

    values: tuple[Label | None, ...]
    """One for each picture, in the plan's order; all None if the data set has no labels."""
    classes: tuple[str, ...] = ()
    """Names of the class folders, in the order of their labels; empty if there are none."""
    are_dropped: bool = False
    """Whether some pictures had a label and others none, so that none are kept."""


def label_pictures(pictures: Sequence[SourcePicture], *, from_folders: bool) -> Labels:
    """Label `pictures` by folder, or keep the labels that they have, if all of them have one.

    Raises:
        PackageError: labels are to come from folders, and there are no class folders.
    """
    if from_folders:
        return _by_folder(pictures)
    num_labelled = sum(picture.label is not None for picture in pictures)
    kinds = {type(picture.label) for picture in pictures}
    if num_labelled == len(pictures) and len(kinds) == 1:
        return Labels(values=tuple(picture.label for picture in pictures))
    return Labels(values=(None,) * len(pictures), are_dropped=num_labelled > 0)


def _by_folder(pictures: Sequence[SourcePicture]) -> Labels:
    for picture in pictures:
        if picture.folder is None:
            raise PackageError(f"--labels-from-folders: {picture.name} is not in any folder that was named")
    classes = sorted({picture.folder or "" for picture in pictures})
    if len(classes) < 2:
        raise PackageError(
            f"--labels-from-folders: all pictures lie in one folder, {classes[0]}; "
            "put each class in a folder of its own"
        )
    index = {name: i for i, name in enumerate(classes)}
    return Labels(values=tuple(index[picture.folder or ""] for picture in pictures), classes=tuple(classes))
