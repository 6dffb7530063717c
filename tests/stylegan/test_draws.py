"""Numbers of a sample do not depend on its company, and are as random as they should be."""

import pytest
import torch

from stylegan.draws import SampleDraws, normal


def test_company_changes_nothing() -> None:
    shapes = ([4], [2, 3], [70], [5], [1, 8, 8], [60], [61])  # within a block, beyond it, and across its end
    many, one = SampleDraws([5, 6, 7]), SampleDraws([6])
    for shape in shapes:
        assert torch.equal(many.normal([3, *shape])[1:2], one.normal([1, *shape]))
        assert torch.equal(many.uniform([3, *shape])[1:2], one.uniform([1, *shape]))


def test_no_number_comes_twice() -> None:
    draws = SampleDraws([1, 2], block=16)
    numbers = torch.cat([draws.normal([2, size]).flatten() for size in (3, 10, 5, 16, 17, 1)])
    assert len(set(numbers.tolist())) == len(numbers)


def test_moments() -> None:
    draws = SampleDraws(range(100))
    numbers = torch.cat([draws.normal([100, size]) for size in (1, 63, 200)], dim=1)
    assert abs(float(numbers.mean())) < 0.03
    assert float(numbers.std()) == pytest.approx(1, abs=0.03)
    uniforms = draws.uniform([100, 50])
    assert float(uniforms.min()) >= 0
    assert float(uniforms.max()) < 1
    assert float(uniforms.mean()) == pytest.approx(0.5, abs=0.02)


def test_dtype_changes_no_value() -> None:
    single, double = SampleDraws([3]).normal([1, 9]), SampleDraws([3]).normal([1, 9], torch.float64)
    assert double.dtype == torch.float64
    assert torch.equal(single.double(), double)


def test_another_device_is_seeded_from_the_first() -> None:
    first, again = (SampleDraws([1, 2]).on(torch.device("cpu")).normal([2, 3]) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, SampleDraws([1, 2]).normal([2, 3]))


def test_a_shape_for_other_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="2 samples cannot have shape"):
        SampleDraws([1, 2]).normal([3, 4])
    assert SampleDraws([]).normal([0, 4]).shape == (0, 4)


def test_either_kind_of_source_serves() -> None:
    cpu = torch.device("cpu")
    for source in (SampleDraws([1, 2]), torch.Generator().manual_seed(0), None):
        drawn = normal([2, 1, 4, 4], source, device=cpu, dtype=torch.float64)
        assert (drawn.shape, drawn.dtype) == ((2, 1, 4, 4), torch.float64)
