"""The work of `bend roll`: throws until enough bends are alive, and writes a sheet of them and the recipe of each.

The folder holds `roll.png`, with every bend numbered, and the recipes `00.toml`, `01.toml`, … for `bend run`, or for
the next roll to breed. The same seed and network give the same folder.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from bend import latents, render
from bend.anchor import anchored
from bend.bends.grammar import parse_bends
from bend.config import RenderConfig
from bend.errors import RecipeError, RenderError, SettingsError
from bend.grid import square
from bend.labelled import labelled_sheet
from bend.picture import Pixels, enlarge, refuse_existing, save_picture
from bend.play import Moment
from bend.recipe import Recipe, Stage, options_of, read_recipe, write_recipe
from bend.renders.moving import draw_seeds
from bend.roll.chances import Chance, breed, draw
from bend.roll.judge import Judge, Verdict
from bend.work import describe
from stylegan.checkpoint import load_network
from stylegan.generator import Generator
from stylegan.taps import Tap, taps

__all__ = ["RollConfig", "Rolled", "look_of", "roll"]

SHEET = "roll.png"
_TRIES = 12  # throws for each that is wanted, before giving up
_MOST = 1000
_SEEDS_JUDGED = tuple(range(6))
_CELL = 128  # pixels of a picture on the sheet


@dataclass(frozen=True, slots=True, kw_only=True)
class RollConfig:
    """What to roll.

    Attributes:
        n: how many bends are wanted.
        seed: of the dice.
        breed: recipes of a roll to cross and mutate; empty for new bends.
        seeds: pictures in each recipe.
    """

    n: int = 64
    seed: int = 0
    breed: tuple[Path, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2, 3)

    def __post_init__(self) -> None:
        if not 1 <= self.n <= _MOST:
            raise SettingsError(f"--n {self.n} is out of range; give 1 to {_MOST}")
        if len(self.breed) == 1:
            raise SettingsError(
                f"--breed {self.breed[0]}: a single recipe cannot breed; name two recipes or more"
            )
        if not self.seeds:
            raise SettingsError("--seeds names no seeds; give at least one")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolled:
    """The result of a roll.

    Attributes:
        folder: with the sheet and the recipes.
        num_alive: how many recipes were written.
        num_thrown: how many throws there were.
        faults: how many throws had each fault.
    """

    folder: Path
    num_alive: int
    num_thrown: int
    faults: dict[str, int]


def roll(config: RenderConfig, dice: RollConfig, folder: Path, *, force: bool = False) -> Rolled:
    """Throw, judge, and write what lives.

    Args:
        config: how pictures are drawn, apart from bends and truncation, which are rolled.
        dice: what to roll.
        folder: where to write.
        force: write over an earlier roll there.

    Raises:
        SettingsError: the network cannot be bent so.
        RecipeError: a recipe to breed has no bends.
        RenderError: something is in the way, or no throw is alive.
        StyleganError: the network cannot be read.
    """
    refuse_existing(folder / SHEET, force)
    parents = [_chance_of(path) for path in dice.breed]
    network = load_network(config.network)
    G = render.open_generator(config)
    latents.ws_from_seeds(G, config, dice.seeds)  # refused now rather than when all is thrown
    judged = dataclasses.replace(config, latents=())  # bends are told from one another by plain seeds
    D = network.D if network.D is not None and network.D.img_resolution == G.img_resolution else None
    judge = Judge(_pictures(G, judged, Chance(bends=()), _SEEDS_JUDGED), None if D is None else D.eval())
    alive: list[Chance] = []
    faults: Counter[str] = Counter()
    homes: dict[float, Pixels] = {}
    try:
        with tqdm(total=dice.n, desc="rolling", unit="bend", disable=None) as bar:
            for chance in _throws(dice, parents, list(taps(G).values())):
                verdict = _verdict(judge, G, judged, chance, homes)
                if verdict.fault:
                    faults[verdict.fault] += 1
                    continue
                alive.append(chance)
                bar.update()
                if len(alive) == dice.n:
                    break
    finally:  # interrupted, too, what lives is kept
        if alive:
            folder.mkdir(parents=True, exist_ok=True)
            _write(folder, alive, config, dice, G)
    if not alive:
        raise RenderError("no throw is alive; try another --seed, or another network")
    return Rolled(
        folder=folder,
        num_alive=len(alive),
        num_thrown=len(alive) + faults.total(),
        faults=dict(sorted(faults.items())),
    )


def look_of(recipe: Path) -> dict[str, Any]:
    """How a recipe of a roll draws: its options apart from what the dice say.

    Raises:
        RecipeError: it is not a recipe, or has no bends.
        OSError: the file cannot be read.
    """
    looks = {"seeds", *(field.name for field in dataclasses.fields(RenderConfig))} - {"bend", "trunc"}
    return {name: value for name, value in _bent_options(recipe).items() if name in looks}


def _throws(dice: RollConfig, parents: Sequence[Chance], places: Sequence[Tap]) -> Iterator[Chance]:
    """Throws in order, each seeded by its number; when breeding, the parents come first."""
    yield from parents
    for number in range(dice.n * _TRIES):
        rng = np.random.default_rng([dice.seed, number])
        if parents:
            a, b = rng.choice(len(parents), 2, replace=False)
            yield breed(rng, parents[a], parents[b], places)
        else:
            yield draw(rng, places)


def _verdict(
    judge: Judge, G: Generator, config: RenderConfig, chance: Chance, homes: dict[float, Pixels]
) -> Verdict:
    """Judge a throw; `homes` caches the unbent pictures by their truncation."""
    try:
        if chance.trunc not in homes:
            unbent = Chance(bends=(), trunc=chance.trunc)
            homes[chance.trunc] = _pictures(G, config, unbent, _SEEDS_JUDGED)
        return judge.judge(_pictures(G, config, chance, _SEEDS_JUDGED), homes[chance.trunc])
    except (SettingsError, torch.linalg.LinAlgError):
        return Verdict(distance=0, diversity=0, fault="impossible")


def _pictures(G: Generator, config: RenderConfig, chance: Chance, seeds: Sequence[int]) -> Pixels:
    """uint8 `[N, H, W, 3]`."""
    bent = dataclasses.replace(_bent(config, chance), scale=1)
    return np.stack(draw_seeds(G, bent, seeds, Moment(), render.open_plays(bent, G)))


def _write(
    folder: Path, alive: Sequence[Chance], config: RenderConfig, dice: RollConfig, G: Generator
) -> None:
    digits = max(len(str(len(alive) - 1)), 2)
    for stale in folder.glob("*.toml"):
        if stale.stem.isdecimal():
            stale.unlink()
    for number, chance in enumerate(alive):
        write_recipe(
            folder / f"{number:0{digits}d}.toml", _recipe_of(f"{number:0{digits}d}", chance, config, dice)
        )
    scale = max(_CELL // G.img_resolution, 1)
    columns, _ = square(len(alive))
    cells = [enlarge(_pictures(G, config, chance, dice.seeds[:1])[0], scale, "lanczos") for chance in alive]
    labels = [f"{number:0{digits}d}" for number in range(len(alive))]
    rows = [
        labelled_sheet(labels[start : start + columns], [[cell] for cell in cells[start : start + columns]])
        for start in range(0, len(cells), columns)
    ]
    width = rows[0].shape[1]
    padded = [np.pad(row, [(0, 0), (0, width - row.shape[1]), (0, 0)]) for row in rows]
    save_picture(folder / SHEET, np.concatenate(padded), describe("roll", config, G, None, roll=_facts(dice)))


def _facts(dice: RollConfig) -> dict[str, object]:
    return {
        "n": dice.n,
        "seed": dice.seed,
        "seeds": list(dice.seeds),
        "breed": [path.name for path in dice.breed],
    }


def _recipe_of(number: str, chance: Chance, config: RenderConfig, dice: RollConfig) -> Recipe:
    options = {
        **options_of(_bent(config, chance)),
        "seeds": ",".join(map(str, dice.seeds)),
        "output": f"{number}.png",
    }
    return anchored(
        Recipe(title=f"roll {dice.seed}, {number}", stages=(Stage(do="render grid", options=options),))
    )


def _bent(config: RenderConfig, chance: Chance) -> RenderConfig:
    return dataclasses.replace(config, bend=tuple(map(str, chance.bends)), trunc=chance.trunc)


def _chance_of(path: Path) -> Chance:
    options = _bent_options(path)
    texts, trunc = options["bend"], options.get("trunc", 1.0)
    bends = parse_bends([texts] if isinstance(texts, str) else texts)
    return Chance(bends=bends, trunc=float(trunc) if isinstance(trunc, (int, float)) else 1.0)


def _bent_options(path: Path) -> Mapping[str, Any]:
    """The options of a recipe's first stage that bends."""
    for stage in read_recipe(path).stages:
        if stage.options.get("bend"):
            return stage.options
    raise RecipeError(f"{path}: no stage of it bends anything; breed recipes of `bend roll`")
