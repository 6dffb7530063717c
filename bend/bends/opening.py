"""Opens the bends of a render: those of the synthesis as a play, those of the mapping network for good.

Latents are mapped before the first picture is drawn, and in several places, so bends of the mapping act whenever the
network maps. This is a module of its own so that a render without bends does not import them.
"""

import contextlib
from typing import Any

from bend.config import RenderConfig
from bend.errors import SettingsError
from bend.play import Moment, Play
from stylegan.generator import Generator

__all__ = ["bend_mapping", "open_bends_of"]

_MAPPING = "mapping"


def open_bends_of(config: RenderConfig, G: Generator) -> tuple[Play, ...]:
    """The play of the bends of `config` that act while `G` draws: one or none.

    Raises:
        SettingsError: see `bend.bends.player.open_bends`.
    """
    if not config.bend:
        return ()
    from bend import latents
    from bend.bends.player import open_bends

    play = open_bends(
        config.bend,
        G,
        ws_of_seed=lambda seed: latents.ws_from_seeds(G, config, [seed]),
        only=lambda tap: tap.kind != _MAPPING,
    )
    return (play,) if play.acts else ()


def bend_mapping(config: RenderConfig, G: Generator) -> None:
    """Have those bends of `config` that bend the mapping network act whenever `G` maps, for good.

    Raises:
        SettingsError: see `bend.bends.player.open_bends`; or one varies over time.
    """
    if not any(_MAPPING in bend for bend in config.bend):
        return
    from bend.bends.player import open_bends

    play = open_bends(config.bend, G, only=lambda tap: tap.kind == _MAPPING)
    if not play.acts:
        return
    if moving := next((spec for spec in play.specs if spec.varies and _MAPPING in spec.tap), None):
        raise SettingsError(
            f"--bend {moving}: latents are mapped before the film starts; let @ws vary instead"
        )
    running = contextlib.ExitStack()

    def begin(module: Any, args: Any) -> None:
        running.enter_context(play.during(G, Moment()))

    def end(module: Any, args: Any, output: Any) -> None:
        running.close()

    G.mapping.register_forward_pre_hook(begin)
    G.mapping.register_forward_hook(end, always_call=True)
