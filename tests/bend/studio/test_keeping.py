"""What is kept, and in which order it is shown."""

from pathlib import Path

from bend.studio.config import StudioConfig
from bend.studio.keeping import Keeping
from bend.studio.shelf import Shelf


def test_takes_and_films_are_shown_the_latest_first(config: StudioConfig) -> None:
    kept = ["film-002", "film-1000", "take-001", "take-003", "take-999", "renamed"]
    for name in kept:
        _write(config.out / "takes" / name)
    (config.out / "takes" / "take-2000").mkdir()  # nothing was kept there
    shown = [take["name"] for take in Keeping(config.out, Shelf(config)).takes()]
    assert shown == ["film-1000", "take-999", "take-003", "film-002", "take-001", "renamed"]


def _write(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "recipe.toml").write_text("", "utf-8")
