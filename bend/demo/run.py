"""The demo: the whole pipeline, offline, from bundled photos to a film of a bent face generator.

The photos are cut into tiles and packed, and the embedded generator is trained on them for a few thousand pictures;
then the result is drawn and put on one page. Each stage hands the next a file. A stage whose file is there is skipped,
so that an interrupted demo goes on where it stopped, and a longer `kimg` continues the training.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from bend.bundled import sample_folder
from bend.demo.exhibits import Look, draw_sheets, draw_walk
from bend.demo.page import write_page
from bend.errors import BendError
from bend.prepare import PackageConfig, package
from bend.training.watch import train_watched
from stylegan.checkpoint import load_network
from stylegan.device import choose_device
from stylegan.run_names import LATEST
from stylegan.training.config import TrainConfig, read_config
from stylegan.training.plan import make_plan
from stylegan.training.session import open_run, resume_run

__all__ = ["DemoConfig", "DemoReport", "run_demo"]

_NUM_STAGES = 5
_SNAPSHOTS = "0.25,0.5,0.75,1,1.5,2,3,4,6,8,12,16"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DemoConfig:
    """The settings of the demo."""

    output: Path = Path("demo")
    """Folder for everything it makes."""
    kimg: float = 6.0
    """Length of the training in thousands of pictures."""
    network: str = "faces64"
    """The generator to bend."""
    tiles: int = 48
    """Tiles cut out of each photo."""
    device: str = "auto"
    """Where to compute."""

    def __post_init__(self) -> None:
        if not 0 < self.kimg < 100_000:
            raise BendError(f"--kimg {self.kimg:g} is out of range; between 1 and 20 a face turns into rock")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """What the demo left behind."""

    page: Path
    """The page to open."""
    run: Path
    """The run folder."""
    stopped_by: int | None
    """The signal that interrupted the training, None if it ran to its end; the page is then not written."""


def run_demo(config: DemoConfig, say: Callable[[str], None]) -> DemoReport:
    """Run the stages that are not done yet.

    Args:
        config: what to do.
        say: called with each stage as it begins.

    Raises:
        BendError, StyleganError: a stage failed; those before it are kept.
    """
    output = config.output
    if output.exists() and not output.is_dir():
        raise BendError(f"{output} is a file; give another folder with -o")
    choose_device(config.device)  # to be refused before anything is made
    page = output / "index.html"
    data = _pack_photos(config, say)
    run, stopped_by = _bend_network(config, data, say)
    if stopped_by is not None:
        return DemoReport(page=page, run=run, stopped_by=stopped_by)
    say(f"[3/{_NUM_STAGES}] drawing the timeline, the dial and a sheet")
    look = Look(run=run, base=config.network, kimg=config.kimg, device=config.device)
    exhibits = draw_sheets(look, output)
    say(f"[4/{_NUM_STAGES}] filming a walk through its latent space")
    exhibits.append(draw_walk(look, output))
    say(f"[{_NUM_STAGES}/{_NUM_STAGES}] writing {page}")
    write_page(page, exhibits, kimg=config.kimg, photos=sample_folder())
    return DemoReport(page=page, run=run, stopped_by=None)


def _pack_photos(config: DemoConfig, say: Callable[[str], None]) -> Path:
    G = load_network(config.network).generator()
    data = config.output / "photos.zip"
    if data.is_file():
        say(f"[1/{_NUM_STAGES}] {data} is there")
        return data
    say(f"[1/{_NUM_STAGES}] cutting the bundled photos into tiles of {G.img_resolution} pixels: {data}")
    package(
        PackageConfig(
            sources=(sample_folder(),),
            out=data,
            resolution=G.img_resolution,
            crop=f"tiles:{config.tiles}",
            colour="grey" if G.img_channels == 1 else "rgb",
        )
    )
    return data


def _bend_network(config: DemoConfig, data: Path, say: Callable[[str], None]) -> tuple[Path, int | None]:
    wanted = TrainConfig(
        data=str(data),
        base=config.network,
        kimg=config.kimg,
        snapshots=_SNAPSHOTS,
        snapshot_dtype="fp16",
        batch=16,
        # Half the usual rate, and the first block frozen: slow enough to see faces turn into stone.
        g_lr=0.0014,
        d_lr=0.0014,
        freeze_g=4,
        r1_gamma=0.5,
        pl_weight=0,
        style_mixing=0.5,
        ema_kimg=0.5,
        mirror=True,
        device=config.device,
    )
    runs = config.output / "runs"
    run = _unchanged_run(runs, wanted)
    verb = "training" if run is None else "going on with the training of"
    say(f"[2/{_NUM_STAGES}] {verb} {config.network} on them for {config.kimg:g} kimg")
    if run is None:
        session = open_run(make_plan(wanted), runs)
    else:
        session = resume_run(run, {"kimg": config.kimg, "device": config.device})
    summary = train_watched(session)
    return summary.run, summary.stopped_by


def _unchanged_run(runs: Path, wanted: TrainConfig) -> Path | None:
    """A run of the same settings, no longer than wanted, that can be gone on with."""
    for run in sorted(runs.glob("*-*"), reverse=True):
        if not (run / LATEST).is_file():
            continue
        found = read_config(run)
        same = dataclasses.replace(found, kimg=wanted.kimg, device=wanted.device) == wanted
        if same and found.kimg <= wanted.kimg:
            return run
    return None
