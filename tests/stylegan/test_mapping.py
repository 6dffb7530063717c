"""The mapping network: normalisation, labels, the running mean of w, truncation."""

from typing import Any

import pytest
import torch

from stylegan.mapping import MappingNetwork


def mapping(c_dim: int = 0, **options: Any) -> MappingNetwork:
    """A mapping network with z 6, w 8, five ws and two layers; w_avg is not zero."""
    torch.manual_seed(0)
    network = MappingNetwork(6, c_dim, 8, 5, **{"num_layers": 2, **options})
    if options.get("w_avg_beta", 0.995) is not None:
        network.w_avg.copy_(torch.randn(8))
    return network.eval()


def test_default_depth_and_widths() -> None:
    network = MappingNetwork(6, 3, 8, 5, embed_features=4, layer_features=10)
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    assert shapes.pop("embed.weight") == (4, 3)
    assert shapes.pop("embed.bias") == (4,)
    assert shapes.pop("w_avg") == (8,)
    weights = [shapes[f"fc{i}.weight"] for i in range(8)]
    assert weights == [(10, 10)] * 7 + [(8, 10)]
    assert len(shapes) == 16
    assert network.fc0.weight_gain == pytest.approx(0.01 / 10**0.5)


def test_w_is_repeated() -> None:
    ws = mapping()(torch.randn(3, 6), None)
    assert ws.shape == (3, 5, 8)
    assert (ws == ws[:, :1]).all()
    ws[:, 0] = 0  # memory of its own, so that one w can be changed
    assert ws[:, 1:].abs().min() > 0


def test_the_length_of_z_does_not_matter() -> None:
    network = mapping()
    z = torch.randn(3, 6)
    torch.testing.assert_close(network(z * 7, None), network(z, None), atol=1e-5, rtol=1e-5)


def test_z_may_be_float64_as_numpy_draws_it() -> None:
    network = mapping()
    z = torch.randn(2, 6, dtype=torch.float64)
    assert network(z, None).dtype == torch.float32
    torch.testing.assert_close(network(z, None), network(z.float(), None))


def test_unconditional_takes_none_or_an_empty_label() -> None:
    network = mapping()
    z = torch.randn(2, 6)
    assert torch.equal(network(z, None), network(z, torch.zeros(2, 0)))


@pytest.mark.parametrize("c", [torch.zeros(2, 3), torch.tensor(3)])
def test_unconditional_refuses_a_label(c: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"unconditional: c must be None or \[N, 0\], not \("):
        mapping()(torch.randn(2, 6), c)


def test_conditional_uses_the_label() -> None:
    network = mapping(c_dim=3)
    z = torch.randn(1, 6).repeat(2, 1)
    ws = network(z, torch.eye(3)[:2])
    assert (ws[0] - ws[1]).abs().max() > 1e-3


@pytest.mark.parametrize("c", [None, torch.zeros(2, 0), torch.zeros(2, 4), torch.zeros(3)])
def test_conditional_needs_a_label_of_its_width(c: torch.Tensor | None) -> None:
    with pytest.raises(ValueError, match=r"this network is conditional: c must have shape \[N, 3\]"):
        mapping(c_dim=3)(torch.randn(2, 6), c)


@pytest.mark.parametrize("z", [None, torch.zeros(2, 5), torch.zeros(6)])
def test_needs_z_of_its_width(z: torch.Tensor | None) -> None:
    with pytest.raises(ValueError, match=r"z must have shape \[N, 6\]"):
        mapping()(z, None)


def test_truncation_pulls_towards_the_mean() -> None:
    network = mapping()
    z = torch.randn(3, 6)
    ws = network(z, None)
    for psi in (0.0, 0.5, 0.7, 1.0, -1.0, 1.5):
        expected = network.w_avg + psi * (ws - network.w_avg)
        torch.testing.assert_close(network(z, None, truncation_psi=psi), expected)
    torch.testing.assert_close(network(z, None, truncation_psi=0), network.w_avg.expand(3, 5, 8))


@pytest.mark.parametrize("cutoff", [0, 1, 3, 5, 9, None])
def test_cutoff_truncates_the_first_ws_only(cutoff: int | None) -> None:
    network = mapping()
    z = torch.randn(3, 6)
    whole, none = network(z, None, truncation_psi=0.5), network(z, None)
    actual = network(z, None, truncation_psi=0.5, truncation_cutoff=cutoff)
    count = 5 if cutoff is None else cutoff
    torch.testing.assert_close(actual[:, :count], whole[:, :count])
    torch.testing.assert_close(actual[:, count:], none[:, count:])


def test_the_mean_of_w_moves_in_training_only() -> None:
    network = mapping()
    z = torch.randn(16, 6)
    before = network.w_avg.clone()
    network(z, None)
    assert torch.equal(network.w_avg, before)
    network.train()
    network(z, None, skip_w_avg_update=True)
    assert torch.equal(network.w_avg, before)
    ws = network(z, None)
    torch.testing.assert_close(network.w_avg, before * 0.995 + ws[:, 0].mean(dim=0).detach() * 0.005)
    assert not network.w_avg.requires_grad


def test_the_mean_of_w_comes_to_rest_at_the_mean() -> None:
    network = mapping(w_avg_beta=0.9).train()
    z = torch.randn(64, 6)
    for _ in range(100):
        ws = network(z, None)
    torch.testing.assert_close(network.w_avg, ws[:, 0].mean(dim=0).detach(), atol=1e-3, rtol=0)


def test_without_a_running_mean_there_is_no_truncation() -> None:
    network = mapping(w_avg_beta=None)
    assert "w_avg" not in network.state_dict()
    z = torch.randn(2, 6)
    assert network.train()(z, None).shape == (2, 5, 8)
    with pytest.raises(ValueError, match="keeps no w_avg"):
        network(z, None, truncation_psi=0.5)


def test_a_label_mapping_gives_one_vector() -> None:
    network = MappingNetwork(0, 3, 8, None, num_layers=2, w_avg_beta=None)
    assert network(None, torch.eye(3)).shape == (3, 8)


@pytest.mark.parametrize(("z_dim", "c_dim", "num_layers"), [(0, 0, 2), (6, 0, 0), (6, 0, -1)])
def test_refuses_to_map_nothing(z_dim: int, c_dim: int, num_layers: int) -> None:
    with pytest.raises(ValueError, match=r"num_layers must be|no input"):
        MappingNetwork(z_dim, c_dim, 8, 5, num_layers=num_layers)
