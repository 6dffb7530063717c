"""Features: a picture's own, on a scale that both worlds share."""

import math

import pytest
import torch

from bend.score.features import Ruler, feature_maps
from stylegan.discriminator import Discriminator


@pytest.mark.parametrize("architecture", ["resnet", "skip", "orig"])
def test_a_pictures_features_are_its_own(architecture: str) -> None:
    torch.manual_seed(0)
    D = Discriminator(0, 16, 3, architecture=architecture, channel_base=256, channel_max=16)
    images = torch.rand([6, 3, 16, 16]) * 2 - 1
    maps = feature_maps(D, images)
    assert maps.shape == (6, 32, 16)  # 16 channels of each of the blocks of 16 and 8 pixels
    alone = torch.cat([feature_maps(D, image[None]) for image in images])
    assert torch.allclose(maps, alone, atol=1e-5)


def test_what_is_no_number_counts_as_nothing() -> None:
    D = Discriminator(0, 16, 3, channel_base=256, channel_max=16)
    assert torch.isfinite(feature_maps(D, torch.full([1, 3, 16, 16], math.nan))).all()


def test_each_feature_counts_the_same_whatever_its_loudness() -> None:
    generator = torch.Generator().manual_seed(0)
    loudness = torch.logspace(-3, 3, 8)[:, None]
    base, data = (torch.randn([400, 8, 16], generator=generator) * loudness for _ in range(2))
    ruler = Ruler.of([base, data])
    vectors = ruler.places(base)
    # Two independent pictures lie √2 spreads apart in every feature.
    assert (vectors[::2] - vectors[1::2]).norm(dim=1).mean() == pytest.approx(math.sqrt(2), rel=0.02)
    assert torch.allclose(ruler.overall(base).std(dim=0), torch.ones(8).double(), atol=0.15)


def test_worlds_count_the_same_however_many_pictures_they_have() -> None:
    few, many = torch.zeros([3, 1, 16]), torch.ones([300, 1, 16])
    assert Ruler.of([few, many]).mean.unique().tolist() == [0.5]


def test_a_single_monster_cannot_decide() -> None:
    ruler = Ruler.of([torch.randn([50, 4, 16]), torch.randn([50, 4, 16])])
    assert ruler.overall(torch.full([1, 4, 16], 1e6)).abs().max() == 3
