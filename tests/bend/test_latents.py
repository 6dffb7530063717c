"""Seeds, labels, truncation and planes, checked against the network's own mapping."""

import numpy as np
import pytest
import torch

from bend import latents
from bend.errors import SettingsError
from tests.bend.tiny import tiny_generator


def test_a_seed_is_the_same_latent_everywhere() -> None:
    z = latents.z_from_seeds([3, 2**32 - 1, 3], 32)
    np.testing.assert_array_equal(z[0], np.random.RandomState(3).randn(1, 32)[0])
    np.testing.assert_array_equal(z[0], z[2])
    assert z.shape == (3, 32)
    assert latents.z_from_seeds([], 32).shape == (0, 32)


@pytest.mark.parametrize(
    ("psi", "cutoff"), [(1.0, None), (0.5, None), (0.5, 2), (0.0, 1), (-1.0, 0), (1.5, 99)]
)
def test_truncation_is_the_mapping_network_s(psi: float, cutoff: int | None) -> None:
    G = tiny_generator()
    z = latents.z_from_seeds(range(4), 32)
    expected = G.mapping(torch.from_numpy(z).float(), None, psi, cutoff)
    torch.testing.assert_close(latents.ws_from_z(G, z, psi, cutoff), expected, rtol=0, atol=1e-6)


def test_classes() -> None:
    G = tiny_generator(c_dim=3)
    one_hot = latents.class_vectors(G, 2, 1)
    assert one_hot is not None
    assert one_hot.tolist() == [[0, 1, 0], [0, 1, 0]]
    z = latents.z_from_seeds([0], 32)
    assert not torch.equal(latents.w_from_z(G, z, 0), latents.w_from_z(G, z, 2))
    for wrong in (None, 3, -1):
        with pytest.raises(SettingsError, match="--class 0 to 2"):
            latents.class_vectors(G, 1, wrong)
    assert latents.class_vectors(tiny_generator(), 1, None) is None
    with pytest.raises(SettingsError, match="leave --class out"):
        latents.class_vectors(tiny_generator(), 1, 0)


def test_mapping_leaves_the_running_mean_alone_even_in_training_mode() -> None:
    G = tiny_generator().train()
    before = G.mapping.w_avg.clone()
    latents.w_from_z(G, latents.z_from_seeds(range(8), 32))
    assert torch.equal(G.mapping.w_avg, before)


def test_plane_has_the_three_latents_in_its_corners() -> None:
    a, b, c = corners = torch.randn(3, 8, dtype=torch.float64)
    points = latents.plane(corners, columns=5, rows=3).reshape(3, 5, 8)
    torch.testing.assert_close(points[0, 0], a)
    torch.testing.assert_close(points[0, 4], b)
    torch.testing.assert_close(points[2, 0], c)
    torch.testing.assert_close(points[2, 4], b + c - a)
    torch.testing.assert_close(points[1, 2], (b + c) / 2)


def test_plane_reaches_beyond_by_its_extent() -> None:
    a, b, c = corners = torch.randn(3, 8, dtype=torch.float64)
    points = latents.plane(corners, columns=3, rows=3, extent=0.5).reshape(3, 3, 8)
    torch.testing.assert_close(points[0, 0], a - 0.5 * (b - a) - 0.5 * (c - a))
    torch.testing.assert_close(points[1, 1], (b + c) / 2)
