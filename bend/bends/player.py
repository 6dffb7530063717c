"""Bends put in place: hung on a generator's taps, or written into its weights, while pictures are drawn.

`open_bends` resolves what was asked for against a network: places, channels, clusters, maps of other seeds. What
comes of it is a `bend.play.Play` and so works in every render. The table says what a bend does, `on_signals` and
`on_weights` do it; here is only what goes where, and that it ends.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bend import clusters, latents
from bend.bends.grammar import BendSpec, parse_bends
from bend.bends.memory import FIRST_FRAME
from bend.bends.on_signals import SignalAtTap
from bend.bends.on_weights import BentParameter, WeightStep, bend_of_filters, bend_of_parameter, stay_bent
from bend.bends.row import MemoryBend, SignalBend, WeightBend
from bend.bends.selection import Clusters, Top
from bend.errors import SettingsError
from bend.play import Moment
from stylegan.errors import ConfigError
from stylegan.generator import Generator
from stylegan.taps import Tap, find_taps, hang, parameter_of

__all__ = ["BendPlay", "open_bends"]


class BendPlay:
    """All bends of one work, on one generator; a `bend.play.Play`.

    Args:
        specs: in the order in which they act where they meet.
        signals: those hung on taps.
        parameters: those written into weights, by the name of the parameter.
    """

    def __init__(
        self, specs: tuple[BendSpec, ...], signals: list[SignalAtTap], parameters: dict[str, BentParameter]
    ) -> None:
        self.specs = specs
        self._signals = signals
        self._parameters = parameters

    @property
    def acts(self) -> bool:
        """Whether it bends anything at all."""
        return bool(self._signals or self._parameters)

    @property
    def varies(self) -> bool:
        """Whether it differs from moment to moment."""
        return self.remembers or any(spec.varies for spec in self.specs)

    @property
    def remembers(self) -> bool:
        """Whether a frame depends on those before it."""
        return any(signal.remembers for signal in self._signals)

    @contextlib.contextmanager
    def during(self, G: Generator, moment: Moment) -> Iterator[None]:
        """Bend `G` as it is at `moment`, for as long as the context lasts."""
        with contextlib.ExitStack() as undo:
            for name, bent in self._parameters.items():
                undo.enter_context(bent.during(G.get_parameter(name), moment))
            self._hang(G, moment, undo)
            yield

    def stay(self, G: Generator) -> None:
        """Bend `G` for good, for a training: gradients flow through the bends, and weights go on learning under them.

        Raises:
            SettingsError: a bend varies over time, or remembers frames.
        """
        for spec in self.specs:
            if spec.varies or isinstance(spec.row, MemoryBend):
                raise SettingsError(f"--bend {spec}: a training has no time; take a bend that does not vary")
        self._hang(G, Moment(), contextlib.ExitStack())
        for name, bent in self._parameters.items():
            path, _, own_name = name.rpartition(".")
            stay_bent(G.get_submodule(path), own_name, bent)

    def _hang(self, G: Generator, moment: Moment, undo: contextlib.ExitStack) -> None:
        for signal in self._signals:
            if (function := signal.at(moment)) is not None:
                undo.callback(hang(G, signal.tap, function).remove)


def open_bends(
    bends: Iterable[str | BendSpec],
    G: Generator,
    *,
    ws_of_seed: Callable[[int], Tensor] | None = None,
    labels: Callable[[str], NDArray[np.int64] | None] | None = None,
    only: Callable[[Tap], bool] = lambda tap: True,
) -> BendPlay:
    """Resolve bends against a network.

    Args:
        bends: in the grammar of `bend.bends.grammar`, or read already.
        G: the generator that they will bend, on its device.
        ws_of_seed: the latent `[1, num_ws, w_dim]` that `freeze` takes a seed for; None for the seed's own.
        labels: the cluster of each channel `[C]` of the layer of that name, None where it has none; None for
            those of `bend.clusters`, found when they are needed and kept.
        only: taps to bend, of those that are named; the others are checked all the same.

    Raises:
        SettingsError: no such bend, place, channel or cluster, or a bend that does not suit the place; one line that
            names the part that is wrong.
    """
    specs = tuple(bend if isinstance(bend, BendSpec) else parse_bends([bend])[0] for bend in bends)
    known_labels = labels or clusters.labels_of(G)
    signals: list[SignalAtTap] = []
    parameters: dict[str, BentParameter] = {}

    def into_weight(name: str, step: WeightStep, varies: bool) -> None:
        bent = parameters.setdefault(name, BentParameter())
        bent.steps.append(step)
        bent.varies |= varies

    for spec in specs:
        try:
            for tap in find_taps(G, spec.tap):
                _check_fit(spec, tap)
                if not only(tap):
                    continue
                indices = _indices(spec, tap, known_labels, latents.device_of(G))
                placed = SignalAtTap(spec=spec, tap=tap, indices=indices, clamp=_clamp(G, spec, tap))
                if tap.is_parameter:
                    into_weight(_name_of(G, tap), bend_of_parameter(placed), spec.varies)
                elif isinstance(spec.row, WeightBend) and not _is_activation_gain(spec, tap):
                    for name in _weights_of(spec, tap):
                        into_weight(name, bend_of_filters(spec, indices), spec.varies)
                else:
                    signals.append(placed)
        except (SettingsError, ConfigError) as error:
            raise SettingsError(f"--bend {spec}: {error}") from None
    _fix_maps(
        G, signals, ws_of_seed or (lambda seed: latents.ws_from_z(G, latents.z_from_seeds([seed], G.z_dim)))
    )
    return BendPlay(specs, signals, parameters)


def _check_fit(spec: BendSpec, tap: Tap) -> None:
    row = spec.row
    if isinstance(row, WeightBend):
        if tap.kind not in row.kinds:
            raise SettingsError(
                f"{tap.name} has no weights that {spec.name} could bend; it takes {_places(row)}"
            )
        if isinstance(spec.channels, Top):
            raise SettingsError(
                f"channels={spec.channels}: weights are not loud; choose them by number or share"
            )
    elif tap.resolution is None:
        if isinstance(row, SignalBend) and row.is_spatial:
            raise SettingsError(
                f"{tap.name} has no height and width, which {spec.name} needs; bend a convolution or torgb"
            )
        if spec.mask is not None:
            raise SettingsError(f"mask={spec.mask}: {tap.name} has no height and width; leave it out")
    if spec.name == "freeze" and spec.values[0].varies:
        raise SettingsError(f"seed {spec.values[0]}: the seed that is frozen does not vary; let /mix vary")
    if isinstance(row, MemoryBend) and tap.is_parameter:
        raise SettingsError(f"{tap.name} is a parameter, the same in every frame; {spec.name} needs a signal")


def _places(row: WeightBend) -> str:
    examples = {
        "conv": "b32.conv0",
        "torgb": "b32.torgb",
        "affine": "b32.conv0.affine",
        "mapping": "mapping.fc0",
        "const": "b4.const",
        "bias": "b32.conv0.bias",
        "noise": "b32.conv0.noise",
    }
    return ", ".join(examples[kind] for kind in row.kinds)


def _indices(
    spec: BendSpec, tap: Tap, labels: Callable[[str], NDArray[np.int64] | None], device: torch.device
) -> Tensor | None:
    found = labels(tap.name) if isinstance(spec.channels, Clusters) else None
    num_channels = tap.channels
    indices = spec.channels.indices(tap.name, num_channels, found)
    return None if indices is None else indices.to(device)


def _is_activation_gain(spec: BendSpec, tap: Tap) -> bool:
    """A gain on a demodulated weight would be cancelled; behind the activation it is heard."""
    return spec.name == "gain" and tap.kind == "conv"


def _clamp(G: Generator, spec: BendSpec, tap: Tap) -> float | None:
    return getattr(G.get_submodule(tap.path), "conv_clamp", None) if _is_activation_gain(spec, tap) else None


def _weights_of(spec: BendSpec, tap: Tap) -> list[str]:
    """Names of the parameters that a weight bend bends at a tap that is a layer, or the constant."""
    row = spec.row
    assert isinstance(row, WeightBend)
    if tap.kind == "const":
        return [f"{tap.path.rpartition('.')[0]}.const"]
    # torgb adds its bias behind the convolution: its gain is on what the picture says, not on the average colour.
    names = ("weight",) if tap.kind == "torgb" else row.names
    return [f"{tap.path}.{name}" for name in names]


def _name_of(G: Generator, tap: Tap) -> str:
    wanted = parameter_of(G, tap)
    return next(name for name, parameter in G.named_parameters() if parameter is wanted)


@torch.inference_mode()
def _fix_maps(G: Generator, signals: list[SignalAtTap], ws_of_seed: Callable[[int], Tensor]) -> None:
    """Draw the seeds whose maps are frozen, without bends, and keep what passes the taps."""
    frozen = [signal for signal in signals if signal.spec.name == "freeze" and not signal.remembers]
    for seed in sorted({int(signal.spec.values_at(0.0)[0]) for signal in frozen}):
        assert seed != FIRST_FRAME
        with contextlib.ExitStack() as undo:
            for signal in frozen:
                if signal.spec.values_at(0.0)[0] == seed:
                    undo.callback(hang(G, signal.tap, _keeping(signal)).remove)
            ws = ws_of_seed(seed)
            G.synthesis(ws.to(latents.device_of(G)), noise_mode="const")


def _keeping(signal: SignalAtTap) -> Callable[[Tensor], Tensor]:
    def keep(x: Tensor) -> Tensor:
        signal.memory.fixed = (x.transpose(1, 2) if signal.tap.kind == "ws" else x).clone()
        return x

    return keep
