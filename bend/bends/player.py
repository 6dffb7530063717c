"""Bends put in place: hung on a generator's taps, or written into its weights, while pictures are drawn.

`open_bends` resolves bends against a network: places, channels, clusters, maps of other seeds. The result is a
`bend.play.Play`, and so works in every render. The table says what a bend does, `on_signals` and `on_weights` do it;
this module only decides what goes where, and undoes it afterwards.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from bend import clusters, latents
from bend.bends.grammar import BendSpec, parse_bends
from bend.bends.on_signals import SignalAtTap
from bend.bends.on_weights import BentParameter, bend_of_filters, bend_of_parameter, stay_bent
from bend.bends.row import MemoryBend, SignalBend, WeightBend
from bend.bends.selection import Clusters, Top
from bend.errors import SettingsError
from bend.play import Moment
from stylegan.errors import ConfigError
from stylegan.generator import Generator
from stylegan.taps import Tap, find_taps, hang, parameter_of

__all__ = ["BendPlay", "check_places", "open_bends"]


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
        """Whether it changes over time."""
        return self.remembers or any(spec.varies for spec in self.specs)

    @property
    def remembers(self) -> bool:
        """Whether a frame depends on those before it."""
        return any(signal.remembers for signal in self._signals)

    def run_up(self, num_frames: int, fps: float) -> int:
        """How many frames before the first one a loop needs (`bend.play.run_up`); 0 if it would never settle."""
        found = [signal.settles(index / fps for index in range(num_frames)) for signal in self._signals]
        return 0 if None in found else sum(frames for frames in found if frames is not None)

    @contextlib.contextmanager
    def during(self, G: Generator, moment: Moment) -> Iterator[None]:
        """Bend `G` as it is at `moment`, for as long as the context lasts."""
        with contextlib.ExitStack() as undo:
            for name, bent in self._parameters.items():
                undo.enter_context(bent.during(G.get_parameter(name), moment))
            self._hang(G, moment, undo)
            yield

    def stay(self, G: Generator) -> None:
        """Bend `G` for good, for a training: gradients flow through the bends, and the weights below them learn.

        Raises:
            SettingsError: a bend varies over time, or remembers frames.
        """
        for spec in self.specs:
            if spec.varies or isinstance(spec.row, MemoryBend):
                raise SettingsError(f"--bend {spec}: a training has no time; take a bend that does not vary")
        self._hang(G, Moment(), contextlib.ExitStack())  # never closed: the bends stay
        for name, bent in self._parameters.items():
            path, _, own_name = name.rpartition(".")
            stay_bent(G.get_submodule(path), own_name, bent)

    def _hang(self, G: Generator, moment: Moment, undo: contextlib.ExitStack) -> None:
        for signal in self._signals:
            if (function := signal.at(moment)) is not None:
                undo.enter_context(hang(G, signal.tap, function))


def open_bends(
    bends: Iterable[str | BendSpec],
    G: Generator,
    *,
    ws_of_seed: Callable[[int], Tensor] | None = None,
    labels: clusters.LabelsOf | None = None,
    only: Callable[[Tap], bool] = lambda tap: True,
) -> BendPlay:
    """Resolve bends against a network.

    Args:
        bends: in the grammar of `bend.bends.grammar`, or read already.
        G: the generator that they will bend, on its device.
        ws_of_seed: the latent `[1, num_ws, w_dim]` that `freeze` draws for a seed; None for the seed's own.
        labels: the clusters of each layer; None for those of `bend.clusters`.
        only: which of the named taps to bend; all of them are checked.

    Raises:
        SettingsError: no such bend, place, channel or cluster, or a bend that does not suit the place.
    """
    specs = tuple(bend if isinstance(bend, BendSpec) else parse_bends([bend])[0] for bend in bends)
    labels = labels or clusters.labels_of(G)
    signals: list[SignalAtTap] = []
    parameters: dict[str, BentParameter] = {}
    for spec in specs:
        try:
            for tap in find_taps(G, spec.tap):
                _check_fit(spec, tap)
                if only(tap):
                    _place(G, spec, tap, labels, signals, parameters)
        except (SettingsError, ConfigError) as error:
            raise SettingsError(f"--bend {spec}: {error}") from None
    _fix_maps(
        G, signals, ws_of_seed or (lambda seed: latents.ws_from_z(G, latents.z_from_seeds([seed], G.z_dim)))
    )
    return BendPlay(specs, signals, parameters)


def check_places(spec: BendSpec, G: Generator) -> None:
    """Check that a bend suits a network, of which the outline is enough; which clusters there are is not known by that.

    Raises:
        SettingsError: no such place or channel, or a bend that does not suit the place.
    """
    try:
        for tap in find_taps(G, spec.tap):
            _check_fit(spec, tap)
            if not isinstance(spec.channels, Clusters):
                spec.channels.indices(tap.name, tap.channels, None)
    except (SettingsError, ConfigError) as error:
        raise SettingsError(f"--bend {spec}: {error}") from None


def _place(
    G: Generator,
    spec: BendSpec,
    tap: Tap,
    labels: clusters.LabelsOf,
    signals: list[SignalAtTap],
    parameters: dict[str, BentParameter],
) -> None:
    """Add a bend to the signals at its tap, or to the parameters that it bends there."""
    found = labels(tap.name) if isinstance(spec.channels, Clusters) else None
    indices = spec.channels.indices(tap.name, tap.channels, found)
    indices = None if indices is None else indices.to(latents.device_of(G))
    placed = SignalAtTap(spec=spec, tap=tap, indices=indices, clamp=_clamp(G, spec, tap))
    if tap.is_parameter:
        steps = {_name_of(G, tap): bend_of_parameter(placed)}
    elif isinstance(spec.row, WeightBend) and not _is_activation_gain(spec, tap):
        steps = dict.fromkeys(_weights_of(spec, tap), bend_of_filters(spec, indices))
    else:
        signals.append(placed)
        return
    for name, step in steps.items():
        bent = parameters.setdefault(name, BentParameter())
        bent.steps.append(step)
        bent.varies |= spec.varies


def _check_fit(spec: BendSpec, tap: Tap) -> None:
    row = spec.row
    if isinstance(row, WeightBend):
        if tap.kind not in row.kinds:
            raise SettingsError(
                f"{tap.name} has no weights that {spec.name} could bend; it takes {_places(row)}"
            )
        if isinstance(spec.channels, Top):
            raise SettingsError(
                f"channels={spec.channels}: weights have no loudness; choose them by number or share"
            )
    elif tap.resolution is None:
        if isinstance(row, SignalBend) and row.is_spatial:
            raise SettingsError(
                f"{tap.name} has no height and width, which {spec.name} needs; bend a convolution or torgb"
            )
        if spec.mask is not None:
            raise SettingsError(f"mask={spec.mask}: {tap.name} has no height and width; leave it out")
    if spec.name == "freeze" and spec.values[0].varies:
        raise SettingsError(f"seed {spec.values[0]}: a frozen seed cannot vary; let /mix vary")
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


def _is_activation_gain(spec: BendSpec, tap: Tap) -> bool:
    """Whether a gain acts after the activation: demodulation would cancel a gain on the weight itself."""
    return spec.name == "gain" and tap.kind == "conv"


def _clamp(G: Generator, spec: BendSpec, tap: Tap) -> float | None:
    return getattr(G.get_submodule(tap.path), "conv_clamp", None) if _is_activation_gain(spec, tap) else None


def _weights_of(spec: BendSpec, tap: Tap) -> list[str]:
    """Names of the parameters that a weight bend changes at a tap, which is a layer or the constant."""
    row = spec.row
    assert isinstance(row, WeightBend)
    if tap.kind == "const":
        return [f"{tap.path.rpartition('.')[0]}.const"]
    # torgb adds its bias after the convolution: a gain there is for the picture, not for its average colour.
    names = ("weight",) if tap.kind == "torgb" else row.names
    return [f"{tap.path}.{name}" for name in names]


def _name_of(G: Generator, tap: Tap) -> str:
    wanted = parameter_of(G, tap)
    return next(name for name, parameter in G.named_parameters() if parameter is wanted)


@torch.inference_mode()
def _fix_maps(G: Generator, signals: list[SignalAtTap], ws_of_seed: Callable[[int], Tensor]) -> None:
    """Draw the seeds that `freeze` names, without bends, and keep the maps that pass their taps."""
    by_seed: dict[int, list[SignalAtTap]] = {}
    for signal in signals:
        if signal.spec.name == "freeze" and not signal.remembers:
            by_seed.setdefault(int(signal.spec.values_at(0.0)[0]), []).append(signal)
    for seed, frozen in by_seed.items():
        with contextlib.ExitStack() as undo:
            for signal in frozen:
                undo.enter_context(hang(G, signal.tap, _keeping(signal)))
            G.synthesis(ws_of_seed(seed).to(latents.device_of(G)), noise_mode="const")


def _keeping(signal: SignalAtTap) -> Callable[[Tensor], Tensor]:
    def keep(x: Tensor) -> Tensor:
        signal.memory.fixed = (x.transpose(1, 2) if signal.tap.kind == "ws" else x).clone()
        return x

    return keep
