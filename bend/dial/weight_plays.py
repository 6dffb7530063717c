"""The weights that a render draws with: training time first, then the dial, as `RenderConfig` asks for them.

Settings that hold for the whole work are applied to the network once, mapping included. Those that vary become plays;
latents are then mapped by the network as it was opened.
"""

from bend.automation import parse
from bend.config import RenderConfig
from bend.dial.amount import Amount, parse_amount
from bend.dial.play import Dial, open_dial
from bend.dial.training_time import open_training_time
from bend.errors import about
from bend.play import Play
from stylegan.generator import Generator

__all__ = ["open_own_dial", "open_weight_plays", "set_weights"]


def set_weights(config: RenderConfig, G: Generator) -> None:
    """Apply to `G` what holds for the whole work.

    Raises:
        SettingsError: no run folder, a malformed amount, or networks that cannot be mixed.
        StyleganError: a network cannot be read.
    """
    if config.kimg is not None:
        kimg = parse(config.kimg)
        if kimg.varies:
            return
        open_training_time(config.network, kimg, config.weights).set(G, kimg.at(0))
    if not _amount(config).varies and (dial := open_own_dial(config, G)) is not None:
        dial.set(G, 0)


def open_weight_plays(config: RenderConfig, G: Generator) -> tuple[Play, ...]:
    """The plays of what varies over time, for a `G` that `set_weights` has been applied to.

    Raises:
        SettingsError, StyleganError: as `set_weights`.
    """
    plays: list[Play] = []
    if config.kimg is not None and (kimg := parse(config.kimg)).varies:
        plays.append(open_training_time(config.network, kimg, config.weights))
    if (plays or _amount(config).varies) and (dial := open_own_dial(config, G)) is not None:
        plays.append(dial)
    return tuple(plays)


def open_own_dial(config: RenderConfig, G: Generator) -> Dial | None:
    """The dial that `config` asks for, turned as far as it says; None if it asks for none.

    Raises:
        SettingsError, StyleganError: as `set_weights`.
    """
    if config.dial_from is None:
        return None
    return open_dial(G, config.dial_from, _amount(config), network=config.network, weights=config.weights)


def _amount(config: RenderConfig) -> Amount:
    with about(f"--dial {config.dial}"):
        return parse_amount(config.dial)
