"""A discriminator of random weights for a generator without one, for its pictures and with its channels."""

import torch

from stylegan.discriminator import Discriminator
from stylegan.generator import Generator

__all__ = ["fresh_discriminator"]

_SHARED_SETTINGS = ("channel_base", "channel_max", "num_fp16_res", "conv_clamp")


def fresh_discriminator(G: Generator, *, seed: int = 0, mbstd_group_size: int = 4) -> Discriminator:
    """A discriminator of random weights, on the CPU.

    Args:
        G: whose pictures and classes it takes, and whose settings it shares.
        seed: of the weights; torch's own generator stays where it is.
        mbstd_group_size: samples a group of the minibatch standard deviation.
    """
    synthesis = G.init_kwargs["synthesis_kwargs"]
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.manual_seed(seed)
        return Discriminator(
            c_dim=G.c_dim,
            img_resolution=G.img_resolution,
            img_channels=G.img_channels,
            epilogue_kwargs={"mbstd_group_size": mbstd_group_size},
            **{key: synthesis[key] for key in _SHARED_SETTINGS if key in synthesis},
        )
