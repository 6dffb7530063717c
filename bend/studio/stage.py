"""The network on the stage, and the picture of a patch at a moment.

One network draws picture after picture, each a little different from the one before, so what did not change is kept:
weights are mixed only when the dial or the training time has moved, and bends are put in place only when the rack has
changed.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from bend import latents, render
from bend.automation import Constant
from bend.bends.player import BendPlay, open_bends
from bend.clusters import ChannelClusters, Labels, find_clusters
from bend.config import RenderConfig
from bend.dial.amount import parse_amount
from bend.dial.mixing import State, layers_of, put_back, refuse_strangers, restored, state_of
from bend.dial.play import Dial
from bend.dial.training_time import TrainingTime, run_snapshots
from bend.directions import Spread, spread_of_w
from bend.errors import SettingsError
from bend.picture import Pixels
from bend.play import Moment
from bend.readiness import prepare_meanwhile
from bend.studio.bent_mapping import BentMapping
from bend.studio.patch import DialSetting, Patch, Place
from bend.studio.preview import Enough, stopping
from bend.studio.recipes import frozen_seeds, mapping_bends
from bend.studio.shelf import Opened, Shelf
from stylegan.checkpoint import load_network
from stylegan.discriminator import Discriminator
from stylegan.generator import Generator
from stylegan.taps import Tap, hang, taps

__all__ = ["Stage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weights:
    """What the weights were last set to."""

    kimg: float | None = None
    base: str | None = None
    amounts: tuple[float, ...] = ()


class Stage:
    """One network, ready to be drawn again and again.

    Args:
        shelf: where networks come from.
        name: shelf name.
        weights: `ema` or `raw`.
        device: `auto`, `cpu`, `cuda` or `mps`.

    Attributes:
        standing: its place on the shelf, with the moments that were there when training time was last moved.
        config: what it was opened with.
        last_kimg: the training time of a run at which it was opened; None for a plain network.

    Raises:
        SettingsError: it is not on the shelf.
        StyleganError: it cannot be read.
    """

    def __init__(self, shelf: Shelf, name: str, weights: str = "ema", device: str = "auto") -> None:
        self.standing = shelf.find(name)
        self.config = RenderConfig(network=self.standing.as_now, weights=weights, device=device)
        self.G: Generator = render.open_generator(self.config)
        prepare_meanwhile(self.G)
        self._shelf = shelf
        self.last_kimg = max(self.standing.moments, default=None)
        self._own: State | None = None
        self._set = _Weights()
        self._bases: dict[str, tuple[str, State]] = {}
        self._training: tuple[list[tuple[float, Path]], TrainingTime] | None = None
        self._layers = layers_of(self.G)
        self._bends: tuple[tuple[object, ...], BendPlay] | None = None
        self._mapping = BentMapping(self.G, self._labels)
        self._points: dict[tuple[object, ...], Tensor] = {}
        self._clusters: ChannelClusters | None = None
        self._spreads: dict[int | None, Spread] = {}
        self._judge: Discriminator | None = None
        self._has_looked = False

    @property
    def resolution(self) -> int:
        """Side of the picture at full size."""
        return self.G.img_resolution

    def discriminator(self) -> Discriminator | None:
        """The network's own discriminator; None if the file has none that fits."""
        if not self._has_looked:
            D = load_network(self.config.network).D
            self._judge = D.eval() if D is not None and D.img_resolution == self.G.img_resolution else None
            self._has_looked = True
        return self._judge

    def prepare(self, patch: Patch, seconds: float = 0.0) -> None:
        """Set the weights and the mapping's bends as the patch wants them; training time is limited to that of the run.

        Raises:
            SettingsError: no such base or layer, a bend that does not suit it, or a run without snapshots.
        """
        self._bend_mapping(patch, seconds)
        kimg = None if patch.kimg is None or not self.standing.moments else patch.kimg.at(seconds)
        wanted = _Weights(kimg=kimg, base=patch.dial.base, amounts=self._amounts(patch.dial, seconds))
        if wanted == self._set:
            return
        if self._own is None:
            self._own = state_of(self.G)
        put_back(self.G, self._own)
        self._set, self._points = _Weights(), {}
        if kimg is not None:
            training_time = self._training_time()  # updates `standing`, since a run may have grown
            held = self.standing.held(patch.kimg)
            assert held is not None
            training_time.set(self.G, held.at(seconds))
        if patch.dial.base is not None:
            amount = parse_amount(patch.dial.amount)
            amount.check(self._layers)
            Dial(base=self._base(patch.dial.base)[1], amount=amount).set(self.G, seconds)
        self._set = wanted

    def opened(self, patch: Patch) -> Opened:
        """The networks that draw the patch.

        Raises:
            SettingsError, StyleganError: its base cannot be opened, or mixed with this network.
        """
        base = None if patch.dial.base is None else self._base(patch.dial.base)[0]
        return Opened(standing=self.standing, network=self.config.network, base=base)

    def w(self, place: Place, class_index: int | None = None) -> Tensor:
        """The w `[w_dim]` of a place, before truncation, with the weights as they are."""
        if place.to is not None:
            here = self.w(dataclasses.replace(place, to=None, share=0.0), class_index)
            return here.lerp(self.w(place.to, class_index), place.share)
        first, right, below = self._corners(place, class_index)
        return first + place.x * right + place.y * below

    def w_of_seeds(self, seeds: Sequence[int], class_index: int | None = None) -> Tensor:
        """The w `[N, w_dim]` of seeds, before truncation, with the weights as they are."""
        with self._mapping.acting():
            return latents.w_from_z(self.G, latents.z_from_seeds(seeds, self.G.z_dim), class_index)

    def draw(
        self,
        patch: Patch,
        w: Tensor,
        moment: Moment,
        *,
        most: int | None = None,
        listeners: dict[str, Tensor | None] | None = None,
    ) -> Pixels:
        """Draw one picture.

        Args:
            patch: already given to `prepare`.
            w: `[w_dim]`, before truncation.
            moment: of what varies.
            most: resolution to stop at, for a preview; None for the whole picture.
            listeners: its keys are taps; filled with their signals after the bends, if drawing gets that far.

        Returns:
            uint8 `[H, W, 3]`.

        Raises:
            SettingsError: a bend that does not suit the network.
        """
        psi = patch.trunc.at(moment.seconds)
        ws = latents.truncate(self.G, w.expand(1, self.G.num_ws, -1), psi)
        return self._draw(patch, ws, moment, most=most, listeners=listeners)

    def still(self, patch: Patch, moment: Moment) -> Pixels:
        """Draw the whole picture of a patch's own place, uint8 `[H, W, 3]`; raises as `draw`.

        On a plane of seeds it has the bits of `bend render plane`, which truncates the corners: to truncate the point
        instead, as is done while it moves, comes to the same but for rounding.
        """
        place, psi = patch.place, patch.trunc.at(moment.seconds)
        if not place.is_plain:
            return self.draw(patch, self.w(place, patch.class_index), moment)
        corners = latents.ws_from_w(self.G, self.w_of_seeds(place.seeds, patch.class_index), psi)
        return self._draw(patch, latents.on_plane(corners, place.x, place.y)[None], moment)

    def pictures(self, patch: Patch, seeds: Sequence[int]) -> Pixels:
        """Stills of several seeds with the bends and truncation of a patch, uint8 `[N, H, W, 3]`."""
        psi = patch.trunc.at(0.0)
        self._bend_mapping(patch, 0.0)
        ws = latents.ws_from_w(self.G, self.w_of_seeds(seeds, patch.class_index), psi)
        play = open_bends(patch.bends, self.G, labels=self._labels, only=_is_drawn)
        return render.draw(self.G, ws, noise_mode=patch.noise_mode, noise_seeds=seeds, plays=(play,))

    def clusters(self) -> ChannelClusters:
        """The clusters of the network as it was opened, whatever the dial says."""
        if self._clusters is None:
            with self._as_opened():
                self._clusters = find_clusters(self.G)
        return self._clusters

    def previews(self) -> list[int]:
        """Resolutions at which drawing can stop, the largest first."""
        images = [tap.resolution for tap in taps(self.G).values() if tap.kind == "image" and tap.resolution]
        return sorted({*images, self.resolution}, reverse=True)

    def forget(self) -> None:
        """Forget earlier frames, so that the next one counts as the first."""
        self._bends = None

    def _draw(
        self,
        patch: Patch,
        ws: Tensor,
        moment: Moment,
        *,
        most: int | None = None,
        listeners: dict[str, Tensor | None] | None = None,
    ) -> Pixels:
        """Draw ws `[1, num_ws, w_dim]`."""
        play = self._play(patch)
        with play.during(self.G, moment), self._listening(listeners), stopping(self.G, most):
            try:
                return render.draw(self.G, ws, noise_mode=patch.noise_mode, moments=[moment])[0]
            except Enough as enough:
                return render.pixels_of(enough.image.float())[0]

    def _bend_mapping(self, patch: Patch, seconds: float) -> None:
        if self._mapping.set(mapping_bends(patch, seconds)):
            self._points = {}

    def _amounts(self, dial: DialSetting, seconds: float) -> tuple[float, ...]:
        if dial.base is None:
            return ()
        amounts = parse_amount(dial.amount).at(seconds)
        return tuple(amounts(layer) for layer in self._layers)

    def _base(self, name: str) -> tuple[str, State]:
        """A base of the dial, as it was opened, and its weights."""
        if name not in self._bases:
            network = self._shelf.find(name).as_now
            other = load_network(network).generator(self.config.weights)
            refuse_strangers(self.G, other, (self.standing.title, name))
            self._bases = {name: (network, state_of(other, latents.device_of(self.G)))}
        return self._bases[name]

    def _training_time(self) -> TrainingTime:
        """The training time of the run as it is now; its loaded networks are kept until a snapshot comes or goes."""
        snapshots = run_snapshots(self.config.network)
        if self._training is None or self._training[0] != snapshots:
            self._training = (snapshots, TrainingTime(snapshots, Constant(0.0), self.config.weights))
            self.standing = dataclasses.replace(self.standing, moments=tuple(at for at, _ in snapshots))
        return self._training[1]

    def _corners(self, place: Place, class_index: int | None) -> tuple[Tensor, Tensor, Tensor]:
        """The origin of the map and its two axes, `[w_dim]` each."""
        key = (place.mode, place.seeds, place.axes, class_index)
        if key not in self._points:
            if len(self._points) > 64:
                self._points.clear()
            self._points[key] = self._find_corners(place, class_index)
        found = self._points[key]
        return found[0], found[1], found[2]

    def _find_corners(self, place: Place, class_index: int | None) -> Tensor:
        a, b, c = self.w_of_seeds(place.seeds, class_index)
        if place.mode == "seeds":
            return torch.stack([a, b - a, c - a])
        spread = self._spread(class_index)
        if max(place.axes) >= len(spread.components):
            raise SettingsError(f"axis {max(place.axes)}: this network has {len(spread.components)}")
        axes = [(spread.components[i] * spread.std[i]).to(a) for i in place.axes]
        return torch.stack([a, *axes])

    def _spread(self, class_index: int | None) -> Spread:
        """The spread of w in the network as it was opened, since finding it for every dial would take too long."""
        if class_index not in self._spreads:
            with self._as_opened():
                self._spreads[class_index] = spread_of_w(self.G, class_index)
        return self._spreads[class_index]

    @contextlib.contextmanager
    def _as_opened(self) -> Iterator[None]:
        """Restore the network's own weights for a while, whatever the dial says."""
        if self._own is None:
            yield
            return
        with restored(self.G):
            put_back(self.G, self._own)
            yield

    def _play(self, patch: Patch) -> BendPlay:
        """The play of the rack; kept while the rack stays the same, since bends may remember frames.

        A frozen seed is drawn as `bend render` draws it: truncated unless truncation varies, and of the patch's class.
        """
        psi = 1.0 if patch.trunc.varies else patch.trunc.at(0.0)
        look = (psi, patch.class_index, self._set, self._mapping.key) if frozen_seeds(patch) else ()
        key = (look, *map(str, patch.bends))
        if self._bends is None or self._bends[0] != key:
            play = open_bends(
                patch.bends,
                self.G,
                labels=self._labels,
                only=_is_drawn,
                ws_of_seed=lambda seed: latents.ws_from_w(
                    self.G, self.w_of_seeds([seed], patch.class_index), psi
                ),
            )
            self._bends = (key, play)
        return self._bends[1]

    def _labels(self, name: str) -> Labels | None:
        return self.clusters().labels.get(name)

    @contextlib.contextmanager
    def _listening(self, listeners: dict[str, Tensor | None] | None) -> Iterator[None]:
        wanted = listeners or {}
        known = taps(self.G) if wanted else {}
        with contextlib.ExitStack() as undo:
            for name in wanted:
                if name in known and not known[name].is_parameter:
                    undo.enter_context(hang(self.G, known[name], _keeping(wanted, name)))
            yield


def _is_drawn(tap: Tap) -> bool:
    """Whether a picture passes it: the latents are mapped before."""
    return tap.kind != "mapping"


def _keeping(listeners: dict[str, Tensor | None], name: str) -> Callable[[Tensor], Tensor]:
    def keep(x: Tensor) -> Tensor:
        listeners[name] = x
        return x

    return keep
