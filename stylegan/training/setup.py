"""What a training starts from: networks from a base or from random weights, what is frozen, optimisers.

The architecture of a fine-tuning comes from its base alone.
"""

import copy
import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import nn

from stylegan.augment import AUGMENT_PIPES, AdaConfig, AdaController, AugmentPipe
from stylegan.checkpoint import Network, NetworkMeta, load_network
from stylegan.checkpoint.description import blank_network
from stylegan.discriminator import Discriminator
from stylegan.errors import ConfigError
from stylegan.generator import Generator
from stylegan.precision import set_half_dtype
from stylegan.training.config import Hyperparameters, TrainConfig
from stylegan.training.first_discriminator import discriminator_note, first_discriminator
from stylegan.training.optim import lazy_adam
from stylegan.training.state import TrainState
from stylegan.training.step import D_REG_INTERVAL, G_REG_INTERVAL

__all__ = ["as_trained", "base_notes", "build_state", "load_base", "rebuild_base"]

_HALF_DTYPES = {"auto": None, "fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
_MIN_RESOLUTION = 8


def load_base(
    config: TrainConfig, hyper: Hyperparameters, *, resolution: int, num_channels: int, label_dim: int
) -> Network:
    """The networks to start from; a base without labels ignores those of the data.

    Raises:
        CheckpointError: the base cannot be read.
        ConfigError: base and data do not fit each other.
    """
    if resolution < _MIN_RESOLUTION:
        raise ConfigError(
            f"{config.data}: pictures of {resolution} pixels are too small to train on; run `bend package … "
            f"--resolution {_MIN_RESOLUTION}` or larger"
        )
    if config.base == "none":
        return _from_scratch(config, hyper, resolution, num_channels, label_dim)
    base = load_network(config.base)
    G = base.generator()
    if G.img_resolution != resolution:
        raise ConfigError(
            f"{config.data}: pictures of {resolution} pixels, but {config.base} makes {G.img_resolution}; "
            f"run `bend package … --resolution {G.img_resolution}`"
        )
    if G.img_channels != num_channels:
        kind = {1: "grey", 3: "rgb"}.get(G.img_channels, "?")
        raise ConfigError(
            f"{config.data}: pictures with {num_channels} channels, but {config.base} makes {G.img_channels}; "
            f"run `bend package … --colour {kind}`"
        )
    if G.c_dim and G.c_dim != label_dim:
        raise ConfigError(
            f"{config.data}: labels of width {label_dim}, but {config.base} is conditional with {G.c_dim}; "
            "package with labels of as many classes, or choose an unconditional base"
        )
    return base


def rebuild_base(G: dict[str, Any], D: dict[str, Any] | None, meta: NetworkMeta) -> Network:
    """Networks of the shapes a run was started with, for a saved state to fill; the base itself may be gone.

    Args:
        G: keyword arguments of the generator.
        D: of the discriminator; None for none.
        meta: of the base.

    Raises:
        ValueError: arguments beyond any network's, or that do not fit one another.
    """
    for kind, arguments in (("G", G), ("D", D)):
        if arguments is not None:
            blank_network(kind, arguments)  # before any memory is taken
    with torch.random.fork_rng(devices=[]):
        return Network(
            G=Generator(**G),
            D=None if D is None else Discriminator(**D),
            G_ema=None,
            meta=meta,
            path=Path(meta.base),
        )


def base_notes(base: Network, data_label_dim: int) -> list[str]:
    """What a person should know about what a training starts from, a line each."""
    notes = []
    if note := discriminator_note(base):
        notes.append(note)
    if base.G is None:
        notes.append("the base has no raw generator: training goes on from its average")
    if data_label_dim and not base.generator().c_dim:
        notes.append("the base is unconditional: the labels of the data are ignored")
    return notes


def build_state(
    base: Network, config: TrainConfig, hyper: Hyperparameters, device: torch.device
) -> TrainState:
    """Networks on their device, what trains and what is frozen, optimisers, augmentation."""
    G_ema = copy.deepcopy(base.generator("ema")).train().to(device)
    G = copy.deepcopy(base.generator("raw")).train().to(device)
    D = first_discriminator(base, config, hyper).train().to(device)
    for network in (G, D, G_ema):
        network.requires_grad_(False)
        set_half_dtype(network, _HALF_DTYPES[config.precision])
    _check_freezing(config, G, D)
    augment, ada = _augmentation(config, hyper, base.meta.augment_p, device)
    return TrainState(
        G=G,
        D=D,
        G_ema=G_ema.eval(),
        G_opt=lazy_adam(
            _g_parameters(G, config), hyper.g_lr, G_REG_INTERVAL if hyper.pl_weight > 0 else None
        ),
        D_opt=lazy_adam(_d_parameters(D, config), hyper.d_lr, D_REG_INTERVAL if hyper.r1_gamma > 0 else None),
        augment=augment,
        ada=ada,
        pl_mean=torch.zeros([], device=device),
    )


def as_trained(hyper: Hyperparameters, state: TrainState) -> Hyperparameters:
    """The same with what the networks themselves decide, whatever the preset has: a base brings its own."""
    synthesis, group = state.G.init_kwargs["synthesis_kwargs"], state.D.b4.mbstd_group_size
    return dataclasses.replace(
        hyper,
        channel_base=synthesis.get("channel_base", 32768),
        mapping_layers=state.G.mapping.num_layers,
        mbstd_group=hyper.batch if group is None else group,
        d_architecture=state.D.init_kwargs["architecture"],
    )


def _from_scratch(
    config: TrainConfig, hyper: Hyperparameters, resolution: int, num_channels: int, label_dim: int
) -> Network:
    common: dict[str, Any] = {
        "channel_base": hyper.channel_base,
        "channel_max": config.channel_max,
    }
    if config.precision in ("fp16", "bf16") or (config.precision == "auto" and resolution >= 128):
        common |= {"num_fp16_res": 4, "conv_clamp": 256}
    if hyper.channel_base < resolution:
        raise ConfigError(f"--channel-base {hyper.channel_base}: give at least the resolution, {resolution}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        G = Generator(
            z_dim=config.w_dim,
            c_dim=label_dim,
            w_dim=config.w_dim,
            img_resolution=resolution,
            img_channels=num_channels,
            mapping_kwargs={"num_layers": hyper.mapping_layers},
            synthesis_kwargs=common,
        )
        D = Discriminator(
            c_dim=label_dim,
            img_resolution=resolution,
            img_channels=num_channels,
            architecture=hyper.d_architecture,
            epilogue_kwargs={"mbstd_group_size": hyper.mbstd_group},
            **common,
        )
    return Network(G=G, D=D, G_ema=None, meta=NetworkMeta(base="none"), path=Path("none"))


def _augmentation(
    config: TrainConfig, hyper: Hyperparameters, base_p: float, device: torch.device
) -> tuple[AugmentPipe | None, AdaController | None]:
    if config.aug == "noaug":
        return None, None
    if config.aug_pipe not in AUGMENT_PIPES:
        raise ConfigError(f"--aug-pipe {config.aug_pipe}: choose from {', '.join(AUGMENT_PIPES)}")
    augment = AugmentPipe(**AUGMENT_PIPES[config.aug_pipe]).to(device)
    p = base_p if config.aug_p is None else config.aug_p
    if config.aug == "fixed" and p == 0:
        raise ConfigError("--aug fixed: give the probability to keep with --aug-p, or use --aug noaug")
    target = config.ada_target if config.aug == "ada" else None
    return augment, AdaController(AdaConfig(target=target, kimg=hyper.ada_kimg, initial_p=p), augment)


def _check_freezing(config: TrainConfig, G: Generator, D: Discriminator) -> None:
    num_layers = sum(block.num_layers for block in D.blocks())
    if config.freeze_d > num_layers:
        raise ConfigError(f"--freeze-d {config.freeze_d}: this discriminator has {num_layers} such layers")
    if config.freeze_g >= G.img_resolution:
        raise ConfigError(
            f"--freeze-g {config.freeze_g}: would freeze all of a generator of {G.img_resolution} pixels"
        )


def _g_parameters(G: Generator, config: TrainConfig) -> list[nn.Parameter]:
    frozen = {
        id(parameter)
        for block in G.synthesis.blocks()
        if block.resolution <= config.freeze_g
        for parameter in block.parameters()
    }
    return [parameter for parameter in G.parameters() if id(parameter) not in frozen]


def _d_parameters(D: Discriminator, config: TrainConfig) -> list[nn.Parameter]:
    """Freeze-D: the first layers, counted fromrgb, conv0, conv1, skip from the highest resolution down."""
    layers = [
        getattr(block, name)
        for block in D.blocks()
        for name in ("fromrgb", "conv0", "conv1", "skip")
        if hasattr(block, name)
    ]
    frozen = {id(p) for layer in layers[: config.freeze_d] for p in layer.parameters()}
    return [parameter for parameter in D.parameters() if id(parameter) not in frozen]
