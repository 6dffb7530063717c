"""What the studio saves: pictures with their recipe inside, recipes, presets, takes, and films of takes.

A preset is a patch with a name and a small picture; all are in one JSON file. A take is a folder with a recipe and the
path of its point, which `bend run` renders without the studio.
"""

import dataclasses
import io
import itertools
import json
import re
import shlex
import shutil
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, PngImagePlugin

from bend.anchor import anchored
from bend.automation import Constant
from bend.bends.grammar import BendSpec
from bend.config import PlaneConfig
from bend.errors import SettingsError
from bend.latent_file import write_latents
from bend.play import Moment
from bend.provenance import KEY
from bend.recipe import recipe_text, write_recipe
from bend.studio.chance import thumbnail
from bend.studio.clusters import with_listed_clusters
from bend.studio.patch import Patch, read_patch
from bend.studio.recipes import LATENT, PATH, drawing_at, film_recipe, frozen_seeds, still_recipe
from bend.studio.shelf import Opened
from bend.studio.stage import Stage
from bend.work import describe
from stylegan.atomic import write_atomic

__all__ = ["Keeping"]

_NAME = re.compile(r"[\w][\w .-]{0,59}")
_MOST_PRESETS = 200
_FILM_SIDE = 512
_RECIPE_KEY = "recipe"


class Keeping:
    """The studio's folder.

    Args:
        out: the folder; made when something is saved.

    Raises:
        SettingsError: the stored presets cannot be read.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._lock = threading.Lock()
        self._stored_presets()

    def presets(self) -> list[dict[str, Any]]:
        """All presets: `name`, `patch`, `picture`; those that cannot be read are left out."""
        try:
            stored = self._stored_presets()
        except SettingsError:  # reported at the start, and whenever presets are written
            return []
        return [preset for one in stored if (preset := _read_preset(one)) is not None]

    def keep_preset(self, name: str, stage: Stage, patch: Patch) -> None:
        """Save a patch under a name, in place of a preset of the same name.

        Args:
            name: empty for a free one.
            stage: with the patch's network.
            patch: to save.

        Raises:
            SettingsError: a malformed name, too many presets, or stored presets that cannot be read.
            OSError: the folder cannot be written.
        """
        if name and not _NAME.fullmatch(name):
            raise SettingsError("a name has letters, digits, spaces, dots and dashes, at most 60")
        picture = thumbnail(_drawn(stage, patch, 0.0))
        with self._lock:
            name = name or self._free_name()
            others = self._stored_presets(but=name)
            if len(others) >= _MOST_PRESETS:
                raise SettingsError(f"{_MOST_PRESETS} presets are kept already; remove some")
            self._write_presets([*others, {"name": name, "patch": patch.facts(), "picture": picture}])

    def drop_preset(self, name: str) -> None:
        """Remove a preset.

        Raises:
            SettingsError: the file of presets cannot be read.
            OSError: it cannot be written.
        """
        with self._lock:
            self._write_presets(self._stored_presets(but=name))

    def picture(self, stage: Stage, patch: Patch, seconds: float) -> bytes:
        """The picture of a moment as PNG, at full size, with the note of `bend render` or else its recipe inside.

        Args:
            stage: with the patch's network.
            patch: with the point where it is at that moment.
            seconds: the moment.
        """
        patch = with_listed_clusters(stage, patch)
        config = drawing_at(patch, stage.opened(patch), seconds)
        recipe = still_recipe(patch, config, "studio", "studio.png")
        picture = _drawn(stage, patch, seconds)
        text = PngImagePlugin.PngInfo()
        if not patch.place.is_plain:
            text.add_text(_RECIPE_KEY, recipe_text(recipe))
        else:
            options = recipe.stages[0].options
            words = ["bend", "render", "plane", *recipe.stages[0].arguments({})]
            plane = PlaneConfig(grid=(1, 1), x=options["x"], y=options["y"])
            seeds = list(patch.place.seeds)
            note = describe("plane", config, stage.G, shlex.join(words), seeds=seeds, plane=plane)
            text.add_text(KEY, note.to_json())
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "PNG", pnginfo=text)
        return file.getvalue()

    def recipe(self, stage: Stage, patch: Patch, seconds: float) -> tuple[str, bytes]:
        """The recipe of a moment: a file name and the bytes of a `.toml`, or of a zip that also holds its point."""
        patch = with_listed_clusters(stage, patch)
        recipe = still_recipe(patch, drawing_at(patch, stage.opened(patch), seconds), "studio", "studio.png")
        text = recipe_text(anchored(recipe)).encode()
        if patch.place.is_plain:
            return "studio.toml", text
        stage.prepare(patch, seconds)
        point = stage.w(patch.place, patch.class_index)[None]
        rows = torch.cat([point, stage.w_of_seeds(frozen_seeds(patch), patch.class_index)])
        latent, file = io.BytesIO(), io.BytesIO()
        np.savez(latent, w=rows.cpu().numpy())
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("studio.toml", text)
            archive.writestr(LATENT, latent.getvalue())
        return "studio.zip", file.getvalue()

    def keep_film(
        self,
        patch: Patch,
        opened: Opened,
        bends: tuple[BendSpec, ...],
        path: tuple[np.ndarray, np.ndarray],
        *,
        seconds: float,
        fps: float,
        resolution: int,
        kind: str,
    ) -> str:
        """Save what is needed to render a film.

        Args:
            patch: with automations for what varies.
            opened: the networks that draw it.
            bends: instead of the patch's.
            path: times `[K]` and points `[K, w_dim]`.
            seconds: length.
            fps: frames a second.
            resolution: of the network's pictures; small ones are enlarged to about `_FILM_SIDE`.
            kind: `take` or `film`, with which the name begins.

        Returns:
            The name of the folder that was made.

        Raises:
            OSError: it cannot be written; then there is no such folder.
        """
        scale = max(_FILM_SIDE // resolution, 1)
        with self._lock:
            folder = self._next_folder(kind)
            recipe = film_recipe(
                patch,
                opened,
                bends=bends,
                seconds=seconds,
                fps=fps,
                scale=scale,
                title=folder.name,
                output=f"{folder.name}.mp4",
            )
            times, points = path
            try:
                write_latents(folder / PATH, w=points.astype(np.float32), times=times.astype(np.float64))
                write_recipe(folder / "recipe.toml", anchored(recipe))
            except OSError:
                shutil.rmtree(folder, ignore_errors=True)
                raise
        return folder.name

    def takes(self) -> list[dict[str, Any]]:
        """All takes and films, the latest first: `name` and `is_rendered`."""
        return [
            {"name": folder.name, "is_rendered": _film_in(folder) is not None}
            for folder in reversed(self._folders())
        ]

    def take_folder(self, name: str) -> Path:
        """The folder of a take.

        Raises:
            SettingsError: there is none.
        """
        folder = next((folder for folder in self._folders() if folder.name == name), None)
        if folder is None:
            raise SettingsError(f"there is no take {name!r:.60}")
        return folder

    def film(self, name: str) -> Path:
        """The film of a take.

        Raises:
            SettingsError: there is no such take, or it is not rendered yet.
        """
        found = _film_in(self.take_folder(name))
        if found is None:
            raise SettingsError(f"{name} is not rendered yet")
        return found

    def take_archive(self, name: str) -> bytes:
        """A take as a zip of its recipe and its path."""
        folder = self.take_folder(name)
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for part in ("recipe.toml", PATH):
                archive.write(folder / part, f"{name}/{part}")
        return file.getvalue()

    def _folders(self) -> list[Path]:
        root = self._out / "takes"
        if not root.is_dir():
            return []
        found = (path for path in root.iterdir() if (path / "recipe.toml").is_file())
        return sorted(found, key=lambda path: (_number(path), path.name))

    def _next_folder(self, kind: str) -> Path:
        root = self._out / "takes"
        root.mkdir(parents=True, exist_ok=True)
        number = 1 + max(map(_number, root.iterdir()), default=0)
        folder = root / f"{kind}-{number:03d}"
        folder.mkdir()
        return folder

    def _stored_presets(self, but: str | None = None) -> list[Any]:
        """The entries of the file of presets, also those that are not presets; without the preset called `but`.

        Raises:
            SettingsError: it cannot be read.
        """
        path = self._out / "presets.json"
        try:
            stored = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            return []
        except (OSError, ValueError, RecursionError) as error:
            raise SettingsError(f"{path}: cannot be read ({error}); mend it, or move it away") from None
        if not isinstance(stored, list):
            raise SettingsError(f"{path}: holds no list of presets; mend it, or move it away")
        return [one for one in stored if but is None or (_read_preset(one) or {}).get("name") != but]

    def _free_name(self) -> str:
        taken = {preset["name"] for preset in self.presets()}
        return next(name for number in itertools.count(1) if (name := f"preset {number}") not in taken)

    def _write_presets(self, presets: list[Any]) -> None:
        self._out.mkdir(parents=True, exist_ok=True)
        write_atomic(self._out / "presets.json", json.dumps(presets, indent=1) + "\n")


def _number(folder: Path) -> int:
    """The number at the end of a take's name; 0 if somebody has renamed it."""
    found = re.search(r"-(\d+)$", folder.name)
    return int(found[1]) if found else 0


def _film_in(folder: Path) -> Path | None:
    """The film in the folder of a take, which keeps its name if somebody renames the folder; None if there is none."""
    whole = sorted(folder.glob("[!.]*.mp4"))  # one whose name begins with a dot is half-written
    films = (folder / f"{folder.name}.mp4", *whole)
    return next((path for path in films if path.is_file()), None)


def _drawn(stage: Stage, patch: Patch, seconds: float) -> np.ndarray:
    """The full-size picture of a moment, drawn as if it were the first frame: uint8 `[H, W, 3]`."""
    wander, trunc = dataclasses.replace(patch.wander, on=False), Constant(patch.trunc.at(seconds))
    still = dataclasses.replace(patch, wander=wander, trunc=trunc)
    stage.prepare(still, seconds)
    stage.forget()
    return stage.still(still, Moment(seconds=seconds, seed=patch.place.noise_seed))


def _read_preset(found: Any) -> dict[str, Any] | None:
    """A stored preset for the page, with a complete patch; None if it is malformed."""
    try:
        preset = {
            "name": found["name"],
            "patch": read_patch(found["patch"]).facts(),
            "picture": found["picture"],
        }
    except (SettingsError, KeyError, TypeError, ValueError):
        return None
    return preset if isinstance(preset["name"], str) and isinstance(preset["picture"], str) else None
