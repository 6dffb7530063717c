"""Where the frames of a film go: a film file, or a folder of PNG frames, which can be resumed.

A film file appears under its name only when it is whole. A folder keeps every finished frame, and the same command
draws only what is missing; frames of other work are never overwritten unless forced. The caller draws the frames
(`bend.renders.latent_walk`), `bend.film.video` encodes them, in a thread (`bend.film.background`). Several processes
share the frames (`bend.shares`).
"""

import functools
import re
from pathlib import Path

from bend.config import FilmConfig
from bend.errors import RenderError, made_meanwhile
from bend.film.background import in_background
from bend.film.video import FILM_SUFFIXES, open_film
from bend.picture import Rendered, missing, refuse_existing, save_picture
from bend.progress import picture_bar
from bend.provenance import Provenance, read_provenance
from bend.ranks import is_first
from bend.shares import Frames, drawn_together, own_share, refuse_other_work, refuse_unshared
from bend.sound import hearing, load_track
from stylegan.distributed import Team, join

__all__ = ["Frames", "check_output", "is_folder", "write_film"]

_FRAME = re.compile(r"frame\d{6,}\.png")


def is_folder(output: Path) -> bool:
    """Whether a film goes to a folder of frames: it is one, or its name has no suffix."""
    return output.is_dir() or not output.suffix


def check_output(output: Path, force: bool) -> None:
    """Refuse, before any work, a place where the film cannot go; of several processes, only the first checks.

    Raises:
        RenderError: a suffix that is not a film format, or a file that exists or a folder of other things, and nobody
            said `--force`.
    """
    if not is_first():
        return
    if is_folder(output):
        if output.is_file():
            raise RenderError(
                f"{output} is a file; name a folder for frames, or one of {', '.join(FILM_SUFFIXES)}"
            )
        if output.is_dir() and not force:
            _refuse_other_things(output)
        return
    if output.suffix.lower() not in FILM_SUFFIXES:
        known = ", ".join(FILM_SUFFIXES)
        raise RenderError(
            f"{output}: {output.suffix} is not a film format; choose from {known}, or a folder, without an ending"
        )
    refuse_existing(output, force)


def write_film(
    output: Path, frames: Frames, *, config: FilmConfig, provenance: Provenance, force: bool = False
) -> Rendered:
    """Write all frames of a film, with a progress bar on stderr.

    Args:
        output: a film file (`video.FILM_SUFFIXES`) or a folder.
        frames: draws them.
        config: how many, how fast, how well.
        provenance: of the film.
        force: write over what is there.

    Raises:
        RenderError: see `check_output`.
        SettingsError: the track cannot be heard.
        OSError: the disk is full or the folder cannot be written.
    """
    check_output(output, force)
    track = None if config.audio is None else load_track(Path(config.audio))
    with hearing(track), join() as team:
        refuse_other_work(provenance, team)
        if team.first_says(is_folder(output)):
            return _write_folder(output, frames, config, provenance, force, team)
        if team.size == 1:
            return _write_file(output, frames, config, provenance, force)
        with drawn_together(output, frames, config.num_frames, team) as drawn:
            if team.is_first:
                return _write_file(output, drawn, config, provenance, force)
        return Rendered(output=output, num_pictures=config.num_frames, num_drawn=0, size=None)


def _write_file(
    output: Path, frames: Frames, config: FilmConfig, provenance: Provenance, force: bool
) -> Rendered:
    size = (0, 0)
    wanted = range(config.num_frames)
    try:
        with (
            open_film(output, config, provenance, replace=force) as encode,
            in_background(encode) as write,
            picture_bar(len(wanted), unit="frame") as bar,
        ):
            for _, frame in frames(wanted):
                size = (frame.shape[1], frame.shape[0])
                write(frame)
                bar.update()
    except FileExistsError:
        raise made_meanwhile(output) from None
    return Rendered(output=output, num_pictures=len(wanted), num_drawn=len(wanted), size=size)


def _write_folder(
    folder: Path, frames: Frames, config: FilmConfig, provenance: Provenance, force: bool, team: Team
) -> Rendered:
    paths = [folder / f"frame{index:06d}.png" for index in range(config.num_frames)]
    notes = [provenance.about(frame=index) for index in range(config.num_frames)]
    todo: list[int] = []
    if team.is_first:
        wanted = {path: (index, note) for index, (path, note) in enumerate(zip(paths, notes, strict=True))}
        _clear_others(folder, set(paths), force)
        todo = missing(wanted, force)
    todo = team.first_says(todo)
    if todo:
        refuse_unshared(folder, team)
    own = frozenset(own_share(todo, team))
    size = None
    save_frame = functools.partial(save_picture, replace=force)
    num_there = len(paths) - len(todo)
    with in_background(save_frame) as save, picture_bar(len(paths), num_there, unit="frame") as bar:
        for index, frame in frames(own) if own else ():
            if index in own:
                size = (frame.shape[1], frame.shape[0])
                save(paths[index], frame, notes[index])
                bar.update(team.size)
    team.wait()
    return Rendered(output=folder, num_pictures=len(paths), num_drawn=len(todo), size=size)


def _refuse_other_things(folder: Path) -> None:
    names = [path.name for path in folder.iterdir() if not path.name.startswith(".")]
    if names and not any(map(_FRAME.fullmatch, names)):
        raise RenderError(
            f"{folder}: holds things other than frames, such as {min(names)};"
            f" give another -o, or --force to put frames among them"
        )


def _clear_others(folder: Path, wanted: set[Path], force: bool) -> None:
    """Remove frames beyond the last of this film, which would be taken for part of it."""
    others = sorted(p for p in folder.glob("frame*.png") if _FRAME.fullmatch(p.name) and p not in wanted)
    if others and not force:
        raise RenderError(
            f"{others[0]} is of a longer film; give another -o, or --force to remove it"
            f" and {len(others) - 1} more"
        )
    for path in others:
        if read_provenance(path) is not None:
            path.unlink()
