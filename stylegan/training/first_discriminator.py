"""The discriminator that a training starts with: its base's own, else an embedded network's that fits, else a new one.

Checkpoints are often passed on without one. A discriminator that has seen other pictures is a better opponent than one
of random weights: a trained generator fools that at first, and then unlearns from it. A note tells which one was taken.
"""

import copy

import torch

from stylegan.checkpoint import Network, load_network, outline_network
from stylegan.checkpoint.load import EMBEDDED
from stylegan.discriminator import Discriminator
from stylegan.errors import CheckpointError
from stylegan.generator import Generator
from stylegan.opponent import fresh_discriminator
from stylegan.training.config import Hyperparameters, TrainConfig

__all__ = ["discriminator_note", "first_discriminator"]


def first_discriminator(base: Network, config: TrainConfig, hyper: Hyperparameters) -> Discriminator:
    """A discriminator for the generator of `base`, on the CPU, with no layer frozen; `--freeze-d` freezes anew."""
    if base.D is not None:
        return _thawed(base.D)
    G = base.generator()
    if (name := nearest_embedded(G)) is not None:
        network = load_network(name)
        assert network.D is not None
        return _thawed(network.D)
    return fresh_discriminator(G, seed=config.seed, mbstd_group_size=hyper.mbstd_group)


def discriminator_note(base: Network) -> str | None:
    """A note on where the discriminator comes from; None where it is the base's own."""
    if base.D is not None:
        return None
    name = nearest_embedded(base.generator())
    start = "one starts from random weights" if name is None else f"that of {name} stands in"
    return f"the base has no discriminator: {start}"


def nearest_embedded(G: Generator) -> str | None:
    """The embedded network whose discriminator takes the pictures that `G` makes, and whose generator is most like it.

    Discriminators of other resolutions are not taken: their layers would meet signals that they have never seen.
    """
    fitting: dict[str, int] = {}
    for name in EMBEDDED:
        try:
            network = outline_network(name)
        except CheckpointError:  # an installation without it
            continue
        D = network.D
        if D is None or G.c_dim or D.c_dim:
            continue
        if (D.img_resolution, D.img_channels) == (G.img_resolution, G.img_channels):
            fitting[name] = abs(_num_weights(network.generator()) - _num_weights(G))
    return min(fitting, key=lambda name: fitting[name], default=None)


def _thawed(D: Discriminator) -> Discriminator:
    """A copy in which every layer can be trained, whatever an earlier training has frozen."""
    options = D.init_kwargs["block_kwargs"]
    if not options.get("freeze_layers"):
        return copy.deepcopy(D)
    thawed = {key: value for key, value in options.items() if key != "freeze_layers"}
    with torch.device("meta"):
        network = Discriminator(**{**D.init_kwargs, "block_kwargs": thawed})
    state = {key: value.clone() for key, value in D.state_dict().items()}
    network.load_state_dict(state, strict=True, assign=True)
    return network


def _num_weights(network: Generator) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
