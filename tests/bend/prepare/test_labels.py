"""Labels from folders, and labels brought along."""

from pathlib import Path
from typing import Any

import pytest

from bend.errors import PackageError
from bend.prepare.discover import SourcePicture
from bend.prepare.labels import Labels, label_pictures


def _pictures(*fields: dict[str, Any]) -> list[SourcePicture]:
    return [SourcePicture(name=str(i), path=Path("x"), **field) for i, field in enumerate(fields)]


def test_folders_are_numbered_by_name() -> None:
    pictures = _pictures({"folder": "dog"}, {"folder": "ant"}, {"folder": "cat"}, {"folder": "dog"})
    labels = label_pictures(pictures, from_folders=True)
    assert labels == Labels(values=(2, 0, 1, 2), classes=("ant", "cat", "dog"))


def test_folders_come_before_labels_brought_along() -> None:
    pictures = _pictures({"folder": "a", "label": 5}, {"folder": "b", "label": 7})
    assert label_pictures(pictures, from_folders=True).values == (0, 1)
    assert label_pictures(pictures, from_folders=False).values == (5, 7)


def test_labels_are_kept_only_if_all_have_one_of_a_kind() -> None:
    assert label_pictures(_pictures({}, {}), from_folders=False) == Labels(values=(None, None))
    assert label_pictures(_pictures({"label": 1}, {}), from_folders=False).are_dropped
    mixed = label_pictures(_pictures({"label": 1}, {"label": [0.5]}), from_folders=False)
    assert mixed == Labels(values=(None, None), are_dropped=True)


def test_no_class_folders_is_an_error() -> None:
    with pytest.raises(PackageError, match="all pictures lie in one folder, a"):
        label_pictures(_pictures({"folder": "a"}, {"folder": "a"}), from_folders=True)
    with pytest.raises(PackageError, match="is not in any folder"):
        label_pictures(_pictures({"folder": "a"}, {}), from_folders=True)
