"""Mixing weights: exact at the ends, linear between and beyond, layer by layer, and only among kin."""

import pytest
import torch

from bend.dial.mixing import (
    layer_of,
    layers_of,
    mix,
    refuse_strangers,
    restored,
    shares_of,
    state_of,
    weighted,
)
from bend.errors import SettingsError
from stylegan.generator import Generator
from tests.bend.tiny import tiny_generator


@pytest.fixture
def pair() -> tuple[Generator, Generator]:
    return tiny_generator(seed=0), tiny_generator(seed=1)


@pytest.mark.parametrize(("share", "which"), [(0.0, 0), (1.0, 1)])
def test_the_ends_are_exact(pair: tuple[Generator, Generator], share: float, which: int) -> None:
    base, bent = (state_of(G) for G in pair)
    mix(pair[0], base, bent, lambda layer: share)
    wanted = (base, bent)[which]
    assert all(torch.equal(value, wanted[key]) for key, value in pair[0].state_dict().items())


def test_weights_move_along_a_line_and_beyond_its_ends(pair: tuple[Generator, Generator]) -> None:
    base, bent = (state_of(G) for G in pair)
    for share in (-0.5, 0.3, 1.5):
        mix(pair[0], base, bent, lambda layer, share=share: share)
        for key, value in pair[0].state_dict().items():
            wanted = (1 - share) * base[key].double() + share * bent[key].double()
            assert torch.allclose(value.double(), wanted, atol=1e-5), key
    assert not torch.equal(base["mapping.w_avg"], bent["mapping.w_avg"])  # buffers mixed too


def test_each_layer_takes_its_own_share(pair: tuple[Generator, Generator]) -> None:
    base, bent = (state_of(G) for G in pair)
    seen: list[str] = []

    def amount(layer: str) -> float:
        seen.append(layer)
        return float(layer.startswith("b8"))

    mix(pair[0], base, bent, amount)
    for key, value in pair[0].state_dict().items():
        wanted = bent if key.startswith("synthesis.b8.") else base
        assert torch.equal(value, wanted[key]), key
    assert seen == layers_of(pair[0])  # once a layer


@pytest.mark.parametrize(
    ("key", "layer"),
    [
        ("mapping.fc0.weight", "mapping"),
        ("mapping.w_avg", "mapping"),
        ("synthesis.b4.const", "b4.const"),
        ("synthesis.b4.resample_filter", "b4"),
        ("synthesis.b32.conv0.affine.weight", "b32.conv0"),
        ("synthesis.b32.conv0.noise_strength", "b32.conv0"),
        ("synthesis.b64.torgb.weight", "b64.torgb"),
    ],
)
def test_names_of_layers(key: str, layer: str) -> None:
    assert layer_of(key) == layer


def test_several_bents_add_up() -> None:
    base, first, second = (state_of(tiny_generator(seed=seed)) for seed in range(3))
    both = weighted(base, [first, second], [0.6, 0.3])
    for key, value in both.items():
        wanted = base[key] + 0.6 * (first[key] - base[key]) + 0.3 * (second[key] - base[key])
        assert torch.allclose(value, wanted, rtol=1e-4, atol=1e-4)
    assert weighted(base, [first], [1.0]) is first


def test_shares_are_equal_unless_given() -> None:
    assert shares_of(4, None) == (0.25,) * 4
    assert shares_of(2, [0.7, 0.1]) == (0.7, 0.1)
    with pytest.raises(SettingsError, match="2 bent networks, but 3 shares"):
        shares_of(2, [1, 1, 1])


def test_weights_are_put_back(pair: tuple[Generator, Generator]) -> None:
    G, other = pair
    before = state_of(G)
    with pytest.raises(RuntimeError), restored(G) as own:
        mix(G, own, state_of(other), lambda layer: 0.5)
        assert not torch.equal(G.mapping.fc0.weight, before["mapping.fc0.weight"])
        raise RuntimeError
    assert all(torch.equal(value, before[key]) for key, value in G.state_dict().items())


def test_strangers_are_refused_by_what_differs(pair: tuple[Generator, Generator]) -> None:
    refuse_strangers(*pair, ("a", "b"))
    with pytest.raises(SettingsError, match="a and b cannot be mixed: img_resolution is 16 and 32"):
        refuse_strangers(pair[0], tiny_generator(resolution=32), ("a", "b"))
    with pytest.raises(SettingsError, match="img_channels is 3 and 1"):
        refuse_strangers(pair[0], tiny_generator(img_channels=1), ("a", "b"))
    with pytest.raises(SettingsError, match="c_dim is 0 and 2"):
        refuse_strangers(pair[0], tiny_generator(c_dim=2), ("a", "b"))
