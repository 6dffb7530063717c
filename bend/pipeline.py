"""Runs the stages of a recipe in order, in a folder of its own, and skips those that are complete.

A stage is complete if it has succeeded, no stage before it has changed since, and its output is still there. An
interrupted stage is run again, and its command goes on where it stopped: a scrape from its journal, a training from its
last state, a folder of frames from those that are there.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bend.bundled import sample_folder
from bend.errors import RecipeError
from bend.recipe import Recipe, Stage
from bend.stores.address import is_address
from stylegan.atomic import write_atomic

__all__ = ["Outcome", "check_recipe", "run_recipe"]

_JOURNAL = ".bend-run.json"
_FINETUNE = "{finetune}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of a stage."""

    number: int
    do: str
    output: Path | None
    """What it made; None if its options do not name an output."""
    skipped: bool
    """Whether it was complete already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """A stage, ready to run."""

    stage: Stage
    key: str
    """A hash of the stage and all stages before it."""
    words: list[str]
    output: Path | None


def run_recipe(
    recipe: Recipe,
    folder: Path,
    *,
    beside: Path,
    force: bool = False,
    anywhere: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Iterator[Outcome]:
    """Run the stages that are not complete, each when the iterator is asked for its outcome.

    Args:
        recipe: what to do.
        folder: the current folder of every stage; created if need be.
        beside: folder of the recipe, `{recipe}` in its texts.
        force: let stages overwrite files that are in their way.
        anywhere: let stages write outside the folder.
        say: called with each command line before it runs.

    Yields:
        The outcome of each stage.

    Raises:
        RecipeError: a stage uses `{finetune}` and none came before, or writes where it may not.
        click.exceptions.Exit: a stage ended itself, with its exit status.
        BendError, StyleganError, ScraperError, OSError: a stage failed; those before it are kept.
    """
    if folder.exists() and not folder.is_dir():
        raise RecipeError(f"{folder} is a file; give another folder with -o")
    check_recipe(recipe, folder, beside=beside, anywhere=anywhere)
    beside = beside.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(folder):
        done = _read_journal()
        key, runs = "", None
        for number, stage in enumerate(recipe.stages, 1):
            key = _key(key, stage)
            step = _step(stage, key, beside, runs)
            if stage.do == "finetune":
                runs = step.output
            if skipped := key in done and (step.output is None or step.output.exists()):
                say(f"[{number}/{len(recipe.stages)}] {stage.do} is done")
            else:
                say(f"[{number}/{len(recipe.stages)}] {stage.do}")
                _run(step, force)
                done.append(key)
                write_atomic(Path(_JOURNAL), json.dumps({"done": done}))
            yield Outcome(number=number, do=stage.do, output=step.output, skipped=skipped)


def check_recipe(recipe: Recipe, folder: Path, *, beside: Path, anywhere: bool = False) -> None:
    """Refuse, before its first stage, a recipe that cannot run; arguments as for `run_recipe`.

    Raises:
        RecipeError: a stage would write outside the folder or over what an earlier one made, or uses `{finetune}` where
            no training comes before it.
    """
    _check_outputs(recipe, folder, beside, anywhere=anywhere)
    _check_trainings(recipe)


def _check_outputs(recipe: Recipe, folder: Path, beside: Path, *, anywhere: bool) -> None:
    """Refuse outputs outside the folder, since a recipe may be a stranger's, and files that two stages write.

    Links in the folder are the user's own, and are followed.
    """
    places = _places(beside.absolute()) | {"finetune": "runs/a-run"}
    inside = os.path.normpath(folder.absolute())
    makers: dict[Path, int] = {}
    for number, stage in enumerate(recipe.stages, 1):
        for name, value in stage.outputs(places).items():
            if is_address(value):
                raise RecipeError(
                    f"stage {number}: {stage.do}: {name} is an address; a recipe works in its folder, copy it when it "
                    "is done"
                )
            path = Path(os.path.normpath(folder.absolute() / value))
            if not anywhere and not path.is_relative_to(inside):
                raise RecipeError(
                    f"stage {number}: {stage.do}: {name} {value} is not in {folder}, the folder of this recipe's work; "
                    "name a place in it, or pass --allow-outside if you trust the recipe"
                )
            # Folders may be shared, such as by scrapes that add to one.
            if name != "out" and path.suffix and (maker := makers.setdefault(path, number)) != number:
                raise RecipeError(
                    f"stage {number}: {stage.do}: {name} {value} is what stage {maker} makes; name another file"
                )


def _check_trainings(recipe: Recipe) -> None:
    for number, stage in enumerate(recipe.stages, 1):
        if _mentions(stage, _FINETUNE):
            raise RecipeError(
                f"stage {number}: {stage.do}: {_FINETUNE} stands for a training, and no finetune stage comes before; "
                "put one first"
            )
        if stage.do == "finetune":
            return


def _key(before: str, stage: Stage) -> str:
    text = json.dumps([before, stage.do, dict(stage.options)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _step(stage: Stage, key: str, beside: Path, trained: Path | None) -> _Step:
    """A stage, ready to run; `trained` is the parent folder of the last training before it."""
    places = _places(beside)
    if _mentions(stage, _FINETUNE):
        places["finetune"] = str(_run_in(trained))
    words = stage.arguments(places)
    if stage.do != "finetune":
        outputs = stage.outputs(places)
        named = outputs.get("output", outputs.get("out"))
        return _Step(stage=stage, key=key, words=words, output=None if named is None else Path(named))
    # Each training has a parent folder of its own, so that its run is found again without mistake.
    runs = Path(stage.outputs(places).get("out", "runs")) / key[:8]
    words += ["--out", str(runs)]
    if runs.is_dir() and any(runs.glob("*/state-*.pt")):
        words = ["--resume", "latest", "--out", str(runs)]
    return _Step(stage=stage, key=key, words=words, output=runs)


def _places(beside: Path) -> dict[str, str]:
    return {"recipe": str(beside), "sample": str(sample_folder())}


def _mentions(stage: Stage, text: str) -> bool:
    return text in json.dumps(dict(stage.options))


def _run_in(runs: Path | None) -> Path:
    found = sorted(runs.iterdir()) if runs is not None and runs.is_dir() else []
    if not found:
        raise RecipeError(
            f"{_FINETUNE} stands for a training whose folder {runs} is empty; delete it, then run the recipe again"
        )
    return found[-1]


def _run(step: _Step, force: bool) -> None:
    can_force = any(param.name == "force" for param in step.stage.command().params)
    step.stage.run(["--force", *step.words] if force and can_force else step.words)


def _read_journal() -> list[str]:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        found: Any = json.loads(Path(_JOURNAL).read_text("utf-8"))["done"]
        return [str(key) for key in found]
    return []
