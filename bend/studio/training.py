"""Trainings from the page: the answers of a form become a command line of `bend finetune`.

A page can name only what is on the shelf. A training that was stopped is resumed by the name of its run folder.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bend.bundled import sample_folder
from bend.errors import SettingsError
from bend.studio.config import StudioConfig
from bend.studio.jobs import Job, Jobs
from bend.studio.shelf import Shelf
from stylegan.checkpoint import outline_network
from stylegan.training.config import CHOICES

__all__ = ["resume", "start"]

_TILES = 48
_MOST_KIMG = 25_000.0


def start(answers: Mapping[str, Any], config: StudioConfig, shelf: Shelf, jobs: Jobs) -> Job:
    """Queue a new training.

    Args:
        answers: `data` and `base` (shelf names), `kimg`, and optionally `until`, `preset`, `aug`, `mirror`, `seed`,
            `snapshots`, `batch`, `freeze_d`.
        config: of the studio.
        shelf: of networks and data sets.
        jobs: the queue.

    Raises:
        SettingsError: trainings are not allowed, or an answer is missing or wrong.
    """
    _refuse_unless_allowed(config)
    base = shelf.find(str(answers.get("base")))
    commands: list[list[str]] = []
    name = str(answers.get("data"))
    sets = shelf.data_sets()
    if name not in sets:
        raise SettingsError(
            f"{name!r:.60} is not a data set here; choose one from the list, or name it with --data"
        )
    data = sets[name]
    if data is None:
        data, packing = _bundled(base.network, config)
        commands += packing
    kimg = _number(answers, "kimg", _MOST_KIMG)
    words = ["finetune", "--data", str(data), "--base", base.network, "--kimg", f"{kimg:g}"]
    words += ["--out", str(config.runs), "--device", config.device, *_options(answers)]
    commands.append(words)
    return jobs.submit("train", f"{base.title} on {name}, {kimg:g} kimg", commands, config.out / "jobs")


def resume(name: str, answers: Mapping[str, Any], config: StudioConfig, shelf: Shelf, jobs: Jobs) -> Job:
    """Queue the continuation of a run.

    Args:
        name: of the run folder.
        answers: optionally `kimg`, a new length.
        config: of the studio.
        shelf: of runs.
        jobs: the queue.

    Raises:
        SettingsError: trainings are not allowed, or there is no such run.
    """
    _refuse_unless_allowed(config)
    run = shelf.run_folder(name)
    words = ["finetune", "--resume", str(run.resolve()), "--out", str(config.runs)]
    if config.device != "auto":  # else where it was trained before
        words += ["--device", config.device]
    if answers.get("kimg"):
        words += ["--kimg", f"{_number(answers, 'kimg', _MOST_KIMG):g}"]
    return jobs.submit("train", f"going on with {name}", [words], config.out / "jobs")


def _refuse_unless_allowed(config: StudioConfig) -> None:
    if not config.may_train:
        raise SettingsError("this studio was started with --no-train")


def _bundled(network: str, config: StudioConfig) -> tuple[Path, list[list[str]]]:
    """The zip of the bundled photos, and the command that packs it unless it is there already."""
    G = outline_network(network).generator()
    data = config.out / "data" / f"photos-{G.img_resolution}x{G.img_channels}.zip"
    if data.is_file():
        return data, []
    data.parent.mkdir(parents=True, exist_ok=True)
    words = ["package", str(sample_folder()), "-o", str(data), "--resolution", str(G.img_resolution)]
    words += ["--crop", f"tiles:{_TILES}", "--colour", "grey" if G.img_channels == 1 else "rgb"]
    words.append("--force")  # a training that waits before this one packs the same zip
    return data, [words]


def _options(answers: Mapping[str, Any]) -> list[str]:
    words: list[str] = []
    for name in ("until", "preset", "aug"):
        value = answers.get(name)
        if value:
            if value not in CHOICES[name]:
                raise SettingsError(
                    f"{name} {value!r:.60} is unknown; choose from {', '.join(CHOICES[name])}"
                )
            words += [f"--{name}", value]
    for name, most in (("batch", 256), ("seed", 2**31), ("freeze_d", 16)):
        if answers.get(name) not in (None, ""):
            words += [f"--{name.replace('_', '-')}", str(int(_number(answers, name, most, least=0)))]
    if answers.get("snapshots"):
        words += ["--snapshots", _snapshots(answers["snapshots"])]
    if answers.get("mirror"):
        words.append("--mirror")
    return words


def _snapshots(value: Any) -> str:
    """When to keep snapshots; the command itself checks the details."""
    text = str(value)
    if not set(text) <= set("0123456789.,:logevry ") or len(text) > 200:
        raise SettingsError("snapshots: write log, every:K, or a list of kimg such as 0.5,1,2")
    return text


def _number(answers: Mapping[str, Any], name: str, most: float, least: float = 0.001) -> float:
    try:
        value = float(answers.get(name, "nan"))
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if not least <= value <= most:
        raise SettingsError(f"{name}: give a number from {least:g} to {most:g}")
    return value
