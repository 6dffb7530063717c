"""Shifts along directions while a network draws: `w + amount · direction` in the chosen layers.

Directions are a `Play` on the `ws` tap, so that they work in every render, after truncation and before any bend. An
amount may vary over time.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bend.automation import Automation
from bend.config import RenderConfig
from bend.directions.direction import Direction, parse_direction
from bend.directions.pca import spread_of_w
from bend.directions.sefa import sefa
from bend.errors import SettingsError, about
from bend.latent_file import read_arrays
from bend.latents import device_of
from bend.play import Moment
from bend.style_layers import rows_of
from stylegan.generator import Generator
from stylegan.taps import hang, taps

__all__ = ["BASES", "Steering", "open_directions", "vector_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A direction of one network: `ws[:, rows] += amount · vector`.

    Attributes:
        vector: `[w_dim]`, or `[num_ws, w_dim]` from a file of w+.
        amount: the multiple of the vector.
        rows: of ws.
    """

    vector: Tensor
    amount: Automation
    rows: slice

    def applied(self, ws: Tensor, t: float) -> Tensor:
        """`ws` `[N, num_ws, w_dim]` shifted as at `t` seconds."""
        vector = self.vector.to(ws).expand(ws.shape[1], -1)
        moved = ws.clone()
        moved[:, self.rows] += self.amount.at(t) * vector[self.rows]
        return moved


@dataclass(frozen=True, slots=True)
class Steering:
    """The play that shifts ws along directions."""

    shifts: tuple[Shift, ...]

    @property
    def varies(self) -> bool:
        return any(shift.amount.varies for shift in self.shifts)

    @contextlib.contextmanager
    def during(self, G: Generator, moment: Moment) -> Iterator[None]:
        """Shift every ws that `G` draws."""

        def steer(ws: Tensor) -> Tensor:
            for shift in self.shifts:
                ws = shift.applied(ws, moment.seconds)
            return ws

        with hang(G, taps(G)["ws"], steer):
            yield


def open_directions(config: RenderConfig, G: Generator) -> tuple[Steering, ...]:
    """The play of `config.direction`: one or none.

    Raises:
        SettingsError: a malformed direction, or one that this network does not have.
    """
    shifts = tuple(_shift(G, text, config.class_index) for text in config.direction)
    return (Steering(shifts),) if shifts else ()


def _shift(G: Generator, text: str, class_index: int | None) -> Shift:
    with about(f"--direction {text}"):
        direction = parse_direction(text)
        return Shift(
            vector=vector_of(G, direction, class_index).to(device_of(G), torch.float32),
            amount=direction.amount,
            rows=rows_of(G, direction.layers),
        )


def vector_of(G: Generator, direction: Direction, class_index: int | None = None) -> Tensor:
    """The vector that an amount of 1 adds: `[w_dim]`, or `[num_ws, w_dim]` from a file of w+.

    Raises:
        SettingsError: no such direction.
    """
    find = BASES.get(direction.source)
    known = _from_file(G, direction) if find is None else find(G, direction, class_index)
    if direction.index >= len(known):
        raise SettingsError(f"{direction.source} has {len(known)} directions; choose 0 to {len(known) - 1}")
    return known[direction.index]


def _sefa(G: Generator, direction: Direction, class_index: int | None) -> Sequence[Tensor]:
    unit = sefa(G, rows_of(G, direction.layers))
    return list(unit * spread_of_w(G, class_index).along(unit)[:, None])


def _pca(G: Generator, direction: Direction, class_index: int | None) -> Sequence[Tensor]:
    spread = spread_of_w(G, class_index)
    return list(spread.components * spread.std[:, None])


def _from_file(G: Generator, direction: Direction) -> Sequence[Tensor]:
    if not direction.files:
        known = ", ".join(BASES)
        raise SettingsError(f"{direction.source!r} is unknown; choose from {known}, or an .npz file")
    arrays = read_arrays(direction.source)
    rows = arrays.get("directions", next(iter(arrays.values()), None))
    if rows is not None and rows.ndim == 1:
        rows = rows[None]
    if rows is None or rows.dtype.kind not in "fiu" or rows.ndim not in (2, 3) or rows.shape[-1] != G.w_dim:
        raise SettingsError(
            f"{direction.source}: holds no directions of this network; give directions [K, {G.w_dim}]"
        )
    if rows.ndim == 3 and rows.shape[1] != G.num_ws:
        raise SettingsError(
            f"{direction.source}: directions of {rows.shape[1]} layers, this network has {G.num_ws}"
        )
    return [torch.from_numpy(row.astype("float64")) for row in rows]


BASES: dict[str, Callable[[Generator, Direction, int | None], Sequence[Tensor]]] = {
    "sefa": _sefa,
    "pca": _pca,
}
"""Finds the directions of a source, each as long as one standard deviation of w along it; by the source's name."""
