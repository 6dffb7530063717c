"""The losses against their formulas; `test_golden_networks` has the official networks' figures."""

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from stylegan.draws import SampleDraws
from stylegan.generator import Generator
from stylegan.training.losses import (
    draw_mixing,
    logistic_fake,
    logistic_real,
    mix_styles,
    path_lengths,
    r1_penalty,
)


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

    def mix(self, G: Generator, probability: float, seeds: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Mixed ws, and the unmixed ones of the same z."""
        z, c = (
            torch.randn(len(seeds), 8, generator=torch.Generator().manual_seed(1000)),
            torch.zeros(len(seeds), 0),
        )
        plain = G.mapping(z, c)
        return self.draw(G, plain, c, probability, seeds, seeds), plain

    def draw(
        self,
        G: Generator,
        ws: Tensor,
        c: Tensor,
        probability: float,
        on_cpu: Sequence[int],
        own: Sequence[int],
    ) -> Tensor:
        mixing = draw_mixing(G, len(ws), probability, SampleDraws(on_cpu), SampleDraws(own))
        return ws if mixing is None else mix_styles(G, ws, c, *mixing)

    def test_never(self, G: Generator) -> None:
        mixed, plain = self.mix(G, 0.0, range(10))
        assert torch.equal(mixed, plain)

    def test_always_and_everywhere(self, G: Generator) -> None:
        cuts = set()
        for mixed, plain in zip(*self.mix(G, 1.0, range(60)), strict=True):
            same = (mixed == plain).all(1).tolist()
            cut = same.index(False)
            assert same == [True] * cut + [False] * (G.num_ws - cut)
            assert torch.equal(mixed[cut], mixed[-1])  # one other w from the cut to the end
            cuts.add(cut)
        assert cuts == set(range(1, G.num_ws))

    def test_as_often_as_told(self, G: Generator) -> None:
        mixed, plain = self.mix(G, 0.9, range(200))
        assert 165 <= int((mixed != plain).any(2).any(1).sum()) <= 194

    def test_a_sample_is_mixed_alike_in_any_company(self, G: Generator) -> None:
        z, c = torch.randn(3, 8), torch.zeros(3, 0)
        ws = G.mapping(z, c)
        together = self.draw(G, ws, c, 0.9, [1, 2, 3], [4, 5, 6])
        alone = self.draw(G, ws[1:2], c[1:2], 0.9, [2], [5])
        torch.testing.assert_close(together[1:2], alone)

    def test_the_average_of_w_stays(self, G: Generator) -> None:
        ws = G.mapping(torch.randn(1, 8), None)
        before = G.mapping.w_avg.clone()
        self.draw(G, ws, torch.zeros(1, 0), 1.0, [0], [0])
        assert torch.equal(G.mapping.w_avg, before)
