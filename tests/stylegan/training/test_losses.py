"""The losses against their formulas; `test_golden_networks` has the official networks' figures."""

import math

import numpy as np
import pytest
import torch

from stylegan.generator import Generator
from stylegan.training.losses import logistic_fake, logistic_real, mix_styles, path_lengths, r1_penalty


def test_logistic_losses() -> None:
    logits = torch.tensor([-3.0, 0.0, 2.0], dtype=torch.float64)
    expected = [math.log1p(math.exp(x)) for x in logits.tolist()]
    assert logistic_fake(logits).tolist() == pytest.approx(expected)
    assert logistic_real(-logits).tolist() == pytest.approx(expected)
    assert logistic_fake(torch.tensor(1e4)).item() == 1e4  # no overflow


def test_r1_of_a_known_gradient() -> None:
    images = torch.randn(3, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 4, 4, dtype=torch.float64, requires_grad=True)
    logits = (images.square() * weight).sum([1, 2, 3])[:, None]
    penalty = r1_penalty(images, logits)
    expected = (2 * images * weight).square().sum([1, 2, 3])
    assert torch.allclose(penalty, expected)
    (gradient,) = torch.autograd.grad(penalty.sum(), weight)
    assert torch.allclose(gradient, (8 * images.square() * weight).sum(0))


def test_path_lengths_of_a_known_jacobian() -> None:
    ws = torch.randn(2, 3, 5, dtype=torch.float64, requires_grad=True)
    matrix = torch.randn(15, 1 * 4 * 8, dtype=torch.float64)
    noise = torch.randn(2, 1, 4, 8, dtype=torch.float64)
    images = (ws.flatten(1) @ matrix).reshape(2, 1, 4, 8)
    jacobian = (noise.flatten(1) / math.sqrt(4 * 8) @ matrix.T).reshape(2, 3, 5)
    expected = jacobian.square().sum(2).mean(1).sqrt()
    assert torch.allclose(path_lengths(images, ws, noise), expected)


class TestMixing:
    """ws of two zs, cut somewhere."""

    @pytest.fixture
    def G(self) -> Generator:  # noqa: N802
        torch.manual_seed(0)
        return Generator(
            8, 0, 8, 16, 3, mapping_kwargs={"num_layers": 1}, synthesis_kwargs={"channel_base": 64}
        )

    def mix(self, G: Generator, probability: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Mixed ws, and the unmixed ones of the same z."""
        z, c = torch.randn(4, 8, generator=torch.Generator().manual_seed(1000)), torch.zeros(4, 0)
        host, device = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        return mix_styles(G, z, c, probability, host, device), G.mapping(z, c, skip_w_avg_update=True)

    def test_never(self, G: Generator) -> None:
        for seed in range(10):
            mixed, plain = self.mix(G, 0.0, seed)
            assert torch.equal(mixed, plain)

    def test_always_and_everywhere(self, G: Generator) -> None:
        cuts = set()
        for seed in range(60):
            mixed, plain = self.mix(G, 1.0, seed)
            same = (mixed == plain).all(2).all(0).tolist()
            cut = same.index(False)
            assert same == [True] * cut + [False] * (G.num_ws - cut)
            assert torch.equal(mixed[:, cut], mixed[:, -1])  # one other w from the cut to the end
            cuts.add(cut)
        assert cuts == set(range(1, G.num_ws))

    def test_as_often_as_told(self, G: Generator) -> None:
        mixed = sum(not torch.equal(*self.mix(G, 0.9, seed)) for seed in range(200))
        assert 165 <= mixed <= 194

    def test_the_average_of_w_moves_once_and_by_the_first_z(self, G: Generator) -> None:
        before = G.mapping.w_avg.clone()
        _, plain = self.mix(G, 1.0, 0)
        assert torch.allclose(G.mapping.w_avg, plain[:, 0].mean(0).lerp(before, 0.995))
