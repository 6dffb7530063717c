"""Weight bends, against numpy."""

import numpy as np
import pytest
import torch
from torch import Tensor

from bend.bends import weights


def weight(*shape: int) -> Tensor:
    return torch.randn(*(shape or (10, 4, 3, 3)), generator=torch.Generator().manual_seed(7))


def filters(w: Tensor) -> list[tuple[float, ...]]:
    return [tuple(row.flatten().tolist()) for row in w]


def test_perturb_adds_noise_of_a_share_of_the_deviation() -> None:
    w = weight(64, 32, 3, 3) * 5
    added = weights.perturb(w, 0.2, 3) - w
    assert added.std().item() == pytest.approx(1.0, rel=0.05)
    assert torch.equal(weights.perturb(w, 0.2, 3) - w, added)


def test_zero_and_negate_take_whole_filters() -> None:
    w = weight()
    silent = [i for i, row in enumerate(weights.zero(w, 0.3, 1)) if not row.any()]
    assert len(silent) == 3
    for i, row in enumerate(weights.zero(w, 0.3, 1)):
        assert i in silent or torch.equal(row, w[i])
    assert set(silent) < {i for i, row in enumerate(weights.zero(w, 0.6, 1)) if not row.any()}
    assert torch.equal(weights.negate(w, 1, 0), -w)


def test_permute_and_swap_keep_the_filters() -> None:
    w = weight()
    assert sorted(filters(weights.permute(w, 1, 2))) == sorted(filters(w))
    swapped = weights.swap(w, 0.6, 2)
    moved = [i for i in range(10) if not torch.equal(swapped[i], w[i])]
    assert len(moved) == 6
    for i in moved:
        other = next(j for j in moved if torch.equal(w[j], swapped[i]))
        assert torch.equal(swapped[other], w[i])


@pytest.mark.parametrize("bits", [1, 2, 3])
def test_quantise_leaves_two_to_the_bits_values(bits: int) -> None:
    w = weight()
    peak = float(w.abs().max())
    levels = np.linspace(-peak, peak, 2**bits)
    nearest = levels[np.abs(w.numpy()[..., None] - levels).argmin(axis=-1)]
    np.testing.assert_allclose(weights.quantise(w, bits), nearest, atol=1e-5)


def test_prune_zeroes_the_smallest() -> None:
    w = weight()
    a = w.numpy()
    cut = np.sort(np.abs(a).ravel())[round(0.7 * a.size)]
    np.testing.assert_array_equal(weights.prune(w, 0.7), np.where(np.abs(a) >= cut, a, 0))


def test_svd_keeps_the_top() -> None:
    w = weight().double()
    u, s, v = np.linalg.svd(w.flatten(1).numpy(), full_matrices=False)
    np.testing.assert_allclose(weights.svd(w, 3).flatten(1), (u[:, :3] * s[:3]) @ v[:3], atol=1e-12)
    kept = np.array([1, 1, 1, 0.5, 0, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(weights.svd(w, 3.5).flatten(1), (u * s * kept) @ v, atol=1e-12)
    assert torch.equal(weights.svd(w, 10), w)


def test_spectrum_remaps_singular_values() -> None:
    w = weight().double()
    s = np.linalg.svd(w.flatten(1).numpy(), compute_uv=False)
    for power in (0.0, 0.5, 2.0):
        bent = np.linalg.svd(weights.spectrum(w, power).flatten(1).numpy(), compute_uv=False)
        np.testing.assert_allclose(bent, s[0] * (s / s[0]) ** power)


def test_kernels_and_the_constant_are_turned() -> None:
    w = weight()
    np.testing.assert_array_equal(weights.turn(w, 1), np.rot90(w, 1, axes=(2, 3)))
    np.testing.assert_array_equal(weights.kernel_flip_h(w), w.numpy()[..., ::-1])
    np.testing.assert_array_equal(weights.kernel_flip_v(w), w.numpy()[..., ::-1, :])
    const = weight(5, 4, 4)
    np.testing.assert_array_equal(
        weights.halves(const), np.concatenate([const[..., 2:], const[..., :2]], axis=-1)
    )
    normal = weights.normalise(const * 3 + 1)
    np.testing.assert_allclose(normal.mean(dim=(1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(normal.std(dim=(1, 2), correction=0), 1, rtol=1e-5)
