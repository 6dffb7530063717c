"""When drawing compiles native operations of its own accord: at the first heavy use, never for light ones."""

import pytest
import torch

from stylegan import Generator
from stylegan.inference import readiness
from stylegan.ops import native


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The devices that something was compiled for, on a machine where nothing is compiled yet."""
    devices: list[str] = []

    def prepare(device_type: str, **options: object) -> bool:
        devices.append(device_type)
        return True

    monkeypatch.setenv("BEND_NATIVE", "auto")
    monkeypatch.setattr(native, "_states", {})
    monkeypatch.setattr(native, "_settled", set())
    monkeypatch.setattr(native, "built", lambda target: None)
    monkeypatch.setattr(native, "prepare", prepare)
    monkeypatch.setattr(readiness, "_drawn_s", 0.0)
    monkeypatch.setattr(native, "has_wide_vectors", lambda: True)
    return devices


def generator() -> Generator:
    torch.manual_seed(0)
    return Generator(8, 0, 8, 32, 3, synthesis_kwargs={"channel_base": 512, "channel_max": 32}).eval()


def draw(G: Generator) -> None:
    with torch.no_grad():
        G.synthesis(torch.zeros(1, G.num_ws, 8))


def test_light_pictures_compile_nothing_until_they_add_up(
    prepared: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    G = generator()
    draw(G)
    assert prepared == []
    monkeypatch.setattr(readiness, "_LONG_S", 1.5 * readiness.plain_seconds(G.synthesis.blocks()))
    draw(G)
    assert prepared == ["cpu"]


def test_a_heavy_picture_compiles_before_it_is_drawn(
    prepared: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "_HEAVY_S", 0.0)
    draw(generator())
    assert prepared == ["cpu"]


def test_nothing_is_compiled_for_gradients_or_where_somebody_decided(
    prepared: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "_HEAVY_S", 0.0)
    G = generator()
    G.synthesis(torch.zeros(1, G.num_ws, 8))
    with native.paused():
        draw(G)
    native.settle("cpu")
    draw(G)
    assert prepared == []
    native.forget()
    monkeypatch.setenv("BEND_NATIVE", "0")
    draw(G)
    assert prepared == []


def test_a_network_of_256_pixels_is_heavy_and_the_embedded_base_is_not() -> None:
    with torch.device("meta"):
        large = Generator(512, 0, 512, 256, 3, synthesis_kwargs={"channel_base": 16384})
        small = Generator(512, 0, 512, 64, 3, synthesis_kwargs={"channel_base": 2048, "channel_max": 128})
    assert readiness.plain_seconds(large.synthesis.blocks()) > readiness._HEAVY_S
    assert 8 * readiness.plain_seconds(small.synthesis.blocks()) < readiness._HEAVY_S


def test_processors_without_wide_vectors_are_left_alone(
    prepared: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "has_wide_vectors", lambda: False)
    monkeypatch.setattr(readiness, "_HEAVY_S", 0.0)
    draw(generator())
    assert prepared == []
