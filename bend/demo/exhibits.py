"""What the demo shows: each exhibit comes with a command line, shown below it on the page, that draws the same."""

import dataclasses
import shlex
from dataclasses import dataclass
from pathlib import Path

from bend.config import FilmConfig, RenderConfig, WalkConfig
from bend.demo.page import Exhibit
from bend.renders.dial import DialConfig, render_dial_sheet
from bend.renders.latent_walk import render_latent_walk
from bend.renders.scrubber import render_scrubber
from bend.renders.stills import render_grid
from bend.renders.timeline import render_timeline
from bend.run_names import SCORE_PLOT, TIMELINE

__all__ = ["FILM", "Look", "draw_sheets", "draw_walk"]

FILM = FilmConfig(seconds=10.0, fps=24.0)
"""Length of the walk."""
_TRUNC = 0.8
_RICHEST_KIMG = 1.0  # chosen by eye: a face still, and stone already


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The run that is shown.

    Attributes:
        run: its folder.
        base: the network it began with.
        kimg: its length.
        device: where to draw.
    """

    run: Path
    base: str
    kimg: float
    device: str

    def whole(self, scale: int) -> RenderConfig:
        """How the run as a whole is drawn, enlarged by `scale`."""
        return RenderConfig(
            network=str(self.run),
            weights="raw",
            device=self.device,
            scale=scale,
            scale_filter="lanczos",
            trunc=_TRUNC,
        )

    def richest(self, scale: int) -> RenderConfig:
        """The same at the run's best moment."""
        moment = min(_RICHEST_KIMG, self.kimg)
        return dataclasses.replace(self.whole(scale), network=f"{self.run}@{moment:g}")


def draw_sheets(look: Look, folder: Path) -> list[Exhibit]:
    """Draw all but the film, in the order of the page."""
    return [
        _scrubber(look, folder),
        _timeline(look, folder),
        _score(look),
        _dial(look, folder),
        _grid(look, folder),
    ]


def draw_walk(look: Look, folder: Path) -> Exhibit:
    """Film the walk."""
    file, config = folder / "walk.mp4", look.richest(3)
    walk = WalkConfig(path="spline", loop=True, grid=(3, 2))
    timing = ("--seconds", f"{FILM.seconds:g}", "--fps", f"{FILM.fps:g}")
    path = ("--seeds", "0-23", "--path", walk.path, "--loop", "--grid", "3x2")
    command = _command("latent-walk", config, *path, *timing)
    render_latent_walk(config, walk, FILM, range(24), file, force=True, command=command)
    return Exhibit(
        file=file,
        title="A walk",
        text="Six closed paths through what used to be faces.",
        command=_to(command, file),
    )


def _scrubber(look: Look, folder: Path) -> Exhibit:
    file, config = folder / "breaking.html", look.whole(2)
    command = _command("timeline", config, "--seeds", "0-7", "--grid", "4x2")
    render_scrubber(config, range(8), file, grid=(4, 2), force=True, command=command)
    return Exhibit(
        file=file,
        title="The breaking",
        text="Drag through the training, or use the arrow keys. Between two snapshots the weights are interpolated.",
        command=_to(command, file),
    )


def _timeline(look: Look, folder: Path) -> Exhibit:
    file, config = folder / TIMELINE, look.whole(2)
    command = _command("timeline", config, "--seeds", "0-7")
    render_timeline(config, range(8), file, force=True, command=command)
    return Exhibit(
        file=file,
        title="The same, on a sheet",
        text="The same eight seeds, snapshot after snapshot: thousands of pictures seen run from left to right.",
        command=_to(command, file),
    )


def _score(look: Look) -> Exhibit:
    return Exhibit(
        file=look.run / SCORE_PLOT,
        title="How far",
        text="Away from home, nearer to the photographs, and how different the pictures still are from one another, "
        "as the discriminator it began with sees it.",
        command=shlex.join(["bend", "info", str(look.run)]),
    )


def _dial(look: Look, folder: Path) -> Exhibit:
    file, config = folder / "dial.png", look.richest(2)
    dial = DialConfig(base=look.base)
    options = ("--from", look.base, "--to", config.network, "--seeds", "0-5")
    command = shlex.join(["bend", "render", "dial", *options, *_drawn(config), *_sized(config)])
    render_dial_sheet(config, dial, range(6), file, force=True, command=command)
    return Exhibit(
        file=file,
        title="The dial",
        text="From the intact network at 0 to the bent one at 1, and beyond on both sides.",
        command=_to(command, file),
    )


def _grid(look: Look, folder: Path) -> Exhibit:
    file, config = folder / "grid.png", look.richest(3)
    command = _command("grid", config, "--grid", "8x4")
    render_grid(config, None, (8, 4), file, force=True, command=command)
    return Exhibit(
        file=file,
        title="The bent network",
        text=f"Thirty-two seeds, not chosen, of {config.network.rpartition('@')[2]} kimg.",
        command=_to(command, file),
    )


def _command(kind: str, config: RenderConfig, *options: str) -> str:
    """The command line that draws the same, less where it goes."""
    return shlex.join(
        ["bend", "render", kind, "--network", config.network, *_drawn(config), *options, *_sized(config)]
    )


def _drawn(config: RenderConfig) -> tuple[str, ...]:
    return ("--weights", config.weights, "--trunc", f"{config.trunc:g}")


def _sized(config: RenderConfig) -> tuple[str, ...]:
    return ("--scale", str(config.scale), "--scale-filter", config.scale_filter)


def _to(command: str, file: Path) -> str:
    return f"{command} -o {shlex.quote(str(file))}"
