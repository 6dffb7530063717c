"""A mix of networks as a network file: the network at a dial's setting, to keep, to share, and to train further.

Raw generators are mixed with raw ones and averaged with averaged ones, by the same amounts. The discriminator is that
of the first bent network, which has seen most of what the mix draws.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bend.dial.amount import Amount
from bend.dial.mixing import layers_of, mix, refuse_strangers, shares_of, state_of, weighted
from bend.errors import SettingsError, none_made_meanwhile
from bend.picture import refuse_existing
from stylegan.checkpoint import Network, NetworkMeta, load_network, save_network
from stylegan.generator import Generator

__all__ = ["Mixed", "mix_networks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """What was written.

    Attributes:
        output: the file.
        networks: which of `G`, `D` and `G_ema` it holds.
        base: the network at 0.
        bents: the networks at 1.
        shares: of the bents.
        licence: the licences of all of them.
    """

    output: Path
    networks: tuple[str, ...]
    base: str
    bents: tuple[str, ...]
    shares: tuple[float, ...]
    licence: str


def mix_networks(
    base: str,
    bents: Sequence[str],
    amount: Amount,
    output: Path,
    *,
    shares: Sequence[float] | None = None,
    force: bool = False,
) -> Mixed:
    """Write `base + y Σ share (bent - base)` as a network file.

    Args:
        base: a name, file, run folder or RUN@KIMG.
        bents: likewise, at least one.
        amount: y by layer; constant.
        output: a `.safetensors` file.
        shares: of the bents; equal ones if None.
        force: write over the file.

    Raises:
        SettingsError: architectures differ, an amount that varies, a layer that is not there.
        RenderError: the output exists.
        StyleganError: a network cannot be read.
    """
    refuse_existing(output, force)
    if output.suffix != ".safetensors":
        raise SettingsError(
            f"{output}: a mix is written as .safetensors; `bend models convert` makes other formats from it"
        )
    if amount.varies:
        raise SettingsError(
            "an amount that varies over time is a film, not a network; give one number a layer"
        )
    shares = shares_of(len(bents), shares)
    names = (base, *bents)
    networks = [load_network(name) for name in names]
    first = networks[1]
    parts = {
        key: _mixed(networks, names, kind, amount, shares)
        for key, kind in (("G", "raw"), ("G_ema", "ema"))
        if any(getattr(network, key) is not None for network in networks)
    }
    licence = "; ".join(dict.fromkeys(network.meta.licence for network in networks if network.meta.licence))
    meta = NetworkMeta(
        augment_p=first.meta.augment_p,
        kimg=first.meta.kimg,
        data_name=first.meta.data_name,
        base="+".join(Path(name).name for name in names),
        licence=licence,
    )
    with none_made_meanwhile(output):
        save_network(output, G=parts.get("G"), D=first.D, G_ema=parts.get("G_ema"), meta=meta, replace=force)
    held = tuple(key for key in ("G", "D", "G_ema") if key in parts or (key == "D" and first.D is not None))
    return Mixed(output=output, networks=held, base=base, bents=tuple(bents), shares=shares, licence=licence)


def _mixed(
    networks: Sequence[Network], names: Sequence[str], kind: str, amount: Amount, shares: Sequence[float]
) -> Generator:
    generators = [network.generator(kind) for network in networks]
    for G, name in zip(generators[1:], names[1:], strict=True):
        refuse_strangers(generators[0], G, (names[0], name))
    amount.check(layers_of(generators[0]))
    base, *bents = (state_of(G) for G in generators)
    G = copy.deepcopy(generators[1])
    mix(G, base, weighted(base, bents, shares), amount.at(0))
    return G
