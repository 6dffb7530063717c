"""The networks against the official ones' outputs, weight by weight (tests/golden)."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stylegan import Discriminator, Generator

GOLDEN = Path(__file__).parents[1] / "golden"
GENERATORS = sorted(GOLDEN.glob("generator_*.npz"))
DISCRIMINATORS = sorted(GOLDEN.glob("discriminator_*.npz"))


def load(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """The init kwargs, the state dict, and every other array of a golden file."""
    with np.load(path) as file:
        meta = json.loads(bytes(file["meta"]))
        arrays = {k: torch.from_numpy(file[k]) for k in file.files if k != "meta"}
    state = {k.removeprefix("state/"): v for k, v in arrays.items() if k.startswith("state/")}
    return meta["init"], state, {k: v for k, v in arrays.items() if not k.startswith("state/")}


def assert_relative(actual: torch.Tensor, expected: torch.Tensor, rtol: float = 1e-3) -> None:
    """Largest deviation against the largest expected magnitude."""
    assert actual.shape == expected.shape
    scale = expected.abs().max().clamp(min=1e-8)
    assert ((actual - expected).abs().max() / scale).item() <= rtol


@pytest.fixture(params=GENERATORS, ids=lambda path: path.stem)
def golden_generator(request: pytest.FixtureRequest) -> tuple[Generator, dict[str, torch.Tensor]]:
    init, state, arrays = load(request.param)
    generator = Generator(**init)
    generator.load_state_dict(state, strict=True)
    return generator.eval(), arrays


@pytest.fixture(params=DISCRIMINATORS, ids=lambda path: path.stem)
def golden_discriminator(request: pytest.FixtureRequest) -> tuple[Discriminator, dict[str, torch.Tensor]]:
    init, state, arrays = load(request.param)
    discriminator = Discriminator(**init)
    discriminator.load_state_dict(state, strict=True)
    return discriminator.eval(), arrays


def test_every_golden_network_is_covered() -> None:
    assert len(GENERATORS) == 4
    assert len(DISCRIMINATORS) == 3


def test_mapping_gives_the_official_ws(golden_generator: tuple[Generator, dict[str, torch.Tensor]]) -> None:
    generator, golden = golden_generator
    z, c = golden["z"], golden["c"]
    with torch.no_grad():
        for key, options in {
            "ws": {},
            "ws_psi0.7": {"truncation_psi": 0.7},
            "ws_psi0.5_cut3": {"truncation_psi": 0.5, "truncation_cutoff": 3},
        }.items():
            torch.testing.assert_close(generator.mapping(z, c, **options), golden[key], atol=1e-5, rtol=0)


def test_synthesis_gives_the_official_images(
    golden_generator: tuple[Generator, dict[str, torch.Tensor]],
) -> None:
    generator, golden = golden_generator
    with torch.no_grad():
        for mode in ("const", "none"):
            image = generator.synthesis(golden["ws"], noise_mode=mode)
            torch.testing.assert_close(image, golden[f"img_{mode}"], atol=1e-4, rtol=0)
        image = generator(golden["z"], golden["c"], truncation_psi=0.7, noise_mode="none")
        torch.testing.assert_close(image, golden["img_none_psi0.7"], atol=1e-4, rtol=0)


def test_path_lengths_and_their_gradients_are_the_official_ones(
    golden_generator: tuple[Generator, dict[str, torch.Tensor]],
) -> None:
    generator, golden = golden_generator
    generator.train()
    ws = generator.mapping(golden["pl_z"], golden["c"], skip_w_avg_update=True)
    image = generator.synthesis(ws, noise_mode="none")
    noise = golden["pl_noise"] / np.sqrt(image.shape[2] * image.shape[3])
    (jacobian,) = torch.autograd.grad((image * noise).sum(), ws, create_graph=True)
    lengths = jacobian.square().sum(2).mean(1).sqrt()
    assert_relative(lengths.detach(), golden["pl_lengths"])
    (lengths - 0.25 * lengths.mean().detach()).square().mean().backward()
    parameters = dict(generator.named_parameters())
    keys = [key for key in golden if key.startswith("pl_grad/")]
    assert len(keys) > 5
    for key in keys:
        gradient = parameters[key.removeprefix("pl_grad/")].grad
        assert gradient is not None, key
        assert_relative(gradient, golden[key])


def test_discriminator_gives_the_official_logits_and_r1(
    golden_discriminator: tuple[Discriminator, dict[str, torch.Tensor]],
) -> None:
    discriminator, golden = golden_discriminator
    image = golden["img"].clone().requires_grad_()
    logits = discriminator(image, golden["c"])
    torch.testing.assert_close(logits.detach(), golden["logits"], atol=1e-4, rtol=0)
    (gradient,) = torch.autograd.grad(logits.sum(), image, create_graph=True)
    penalty = gradient.square().sum([1, 2, 3])
    assert_relative(penalty.detach(), golden["r1_penalty"])
    penalty.mean().backward()
    parameters = dict(discriminator.named_parameters())
    keys = [key for key in golden if key.startswith("r1_grad/")]
    assert len(keys) >= 5
    for key in keys:
        weight_gradient = parameters[key.removeprefix("r1_grad/")].grad
        assert weight_gradient is not None, key
        assert_relative(weight_gradient, golden[key])
