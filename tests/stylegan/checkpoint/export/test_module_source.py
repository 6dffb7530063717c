"""The exported source computes what our networks compute, whatever their settings."""

from typing import Any

import pytest
import torch

from stylegan.checkpoint.export import module_source
from tests.stylegan.checkpoint.legacy.writers import SYNTHESIS, discriminator, generator

ARCHITECTURES = ("skip", "orig", "resnet")
FILTERS = ((1, 3, 3, 1), (1, 2, 1), (1, 1), (1, 2, 3, 4, 4, 3, 2, 2), None)
ACTIVATIONS = ("lrelu", "relu", "swish", "elu", "selu", "softplus", "tanh", "sigmoid", "linear")


def check(settings: dict[str, Any], c_dim: int = 0) -> None:
    kwargs = SYNTHESIS | settings
    ours = generator(c_dim=c_dim, synthesis_kwargs=kwargs)
    theirs = module_source.Generator(**ours.init_kwargs)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    z, c = torch.randn(4, 8), torch.eye(3)[[0, 1, 2, 0]] if c_dim else None
    img = ours(z, c, truncation_psi=0.7, truncation_cutoff=3, noise_mode="const")
    close(theirs.eval()(z, c, truncation_psi=0.7, truncation_cutoff=3, noise_mode="const"), img)
    block = {key: settings[key] for key in ("resample_filter", "activation") if key in settings}
    shared = {key: settings[key] for key in ("architecture", "conv_clamp") if key in settings}
    D = discriminator(c_dim=c_dim, block_kwargs=block, **shared)
    other = module_source.Discriminator(**D.init_kwargs)
    other.load_state_dict(D.state_dict(), strict=True)
    close(other(img, c), D(img, c))


def close(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b, atol=1e-4 * (1 + float(b.abs().max())), rtol=1e-4)


@pytest.mark.parametrize("c_dim", [0, 3])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("taps", FILTERS, ids=str)
def test_architectures_and_filters(architecture: str, taps: Any, c_dim: int) -> None:
    check({"architecture": architecture, "resample_filter": taps, "conv_clamp": 256}, c_dim)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(activation: str) -> None:
    check({"activation": activation})


def test_without_noise_and_without_average() -> None:
    ours = generator(synthesis_kwargs=SYNTHESIS | {"use_noise": False}, mapping_kwargs={"w_avg_beta": None})
    theirs = module_source.Generator(**ours.init_kwargs)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    z = torch.randn(2, 8)
    close(theirs(z), ours(z))
