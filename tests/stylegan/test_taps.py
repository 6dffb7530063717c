"""Taps: their names, the shapes that pass them, how patterns choose, and that tap points own no weights."""

import pytest
import torch
from torch import Tensor

from stylegan.errors import ConfigError
from stylegan.generator import Generator
from stylegan.taps import find_taps, hang, parameter_of, taps


def generator(architecture: str = "skip", c_dim: int = 0) -> Generator:
    torch.manual_seed(0)
    return Generator(
        12,
        c_dim,
        10,
        16,
        3,
        mapping_kwargs={"num_layers": 2},
        synthesis_kwargs={"channel_base": 128, "channel_max": 8, "architecture": architecture},
    ).eval()


def draw(G: Generator) -> Tensor:
    image: Tensor = G(torch.ones(2, 12), None, noise_mode="const")
    return image


@pytest.mark.parametrize("architecture", ["skip", "orig", "resnet"])
def test_what_passes_is_as_described(architecture: str) -> None:
    G = generator(architecture)
    for tap in taps(G).values():
        if tap.is_parameter:
            assert parameter_of(G, tap).numel() == tap.channels
            continue
        seen: list[Tensor] = []
        with hang(G, tap, lambda x, seen=seen: (seen.append(x), x)[1]):  # type: ignore[misc]
            draw(G)
        [x] = seen
        assert x.shape[0] == 2
        if tap.kind == "ws":
            assert x.shape[1:] == (G.num_ws, tap.channels)
        elif tap.resolution is None:
            assert x.shape[1:] == (tap.channels,)
        else:
            assert x.shape[1:] == (tap.channels, tap.resolution, tap.resolution)


def test_names_in_the_order_of_the_flow() -> None:
    names = list(taps(generator()))
    assert names[:3] == ["mapping.fc0", "mapping.fc1", "ws"]
    assert names[-1] == "b16.image"
    assert {"b4.const", "b4.conv1", "b8.conv0.affine", "b8.conv0.noise", "b8.conv0.bias", "b8.torgb"} <= set(
        names
    )
    assert next(iter(taps(generator(c_dim=3)))) == "mapping.embed"
    assert "b8.torgb" not in taps(generator("orig"))
    assert "b16.image" in taps(generator("orig"))


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("b8.conv0", ["b8.conv0"]),
        ("synthesis.b8.conv0", ["b8.conv0"]),
        ("b8.conv0.style", ["b8.conv0.affine"]),
        ("b8.*", ["b8.conv0", "b8.conv1"]),
        ("b1?.*", ["b16.conv0", "b16.conv1"]),
        ("*", ["b4.conv1", "b8.conv0", "b8.conv1", "b16.conv0", "b16.conv1"]),
        ("*.torgb", ["b4.torgb", "b8.torgb", "b16.torgb"]),
        ("*.conv0.affine", ["b8.conv0.affine", "b16.conv0.affine"]),
        (
            "*.noise",
            [f"{name}.noise" for name in ("b4.conv1", "b8.conv0", "b8.conv1", "b16.conv0", "b16.conv1")],
        ),
        ("mapping.*", ["mapping.fc0", "mapping.fc1"]),
        ("b16.image, ws", ["ws", "b16.image"]),
    ],
)
def test_patterns(pattern: str, names: list[str]) -> None:
    assert [tap.name for tap in find_taps(generator(), pattern)] == names


@pytest.mark.parametrize(
    ("pattern", "near"), [("b9.conv0", "b8.conv0"), ("b8.conv0,w", "ws"), ("b4.konst", "b4.const")]
)
def test_an_unknown_place_is_refused_with_the_nearest(pattern: str, near: str) -> None:
    with pytest.raises(ConfigError, match=f"is not a place in this network; the nearest is {near}"):
        find_taps(generator(), pattern)


def test_a_function_replaces_the_signal_until_removed() -> None:
    G = generator()
    plain = draw(G)
    handle = hang(G, taps(G)["b16.image"], lambda x: x * 2)
    torch.testing.assert_close(draw(G), plain * 2)
    handle.remove()
    assert torch.equal(draw(G), plain)


def test_tap_points_own_nothing() -> None:
    assert not any("tap" in name for name in generator().state_dict())
