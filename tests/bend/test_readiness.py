"""When native operations are compiled for drawing: never for a short command."""

import threading

import pytest

from bend.readiness import prepare_drawing, prepare_meanwhile
from stylegan import Generator, load_network
from stylegan.inference.readiness import plain_seconds
from stylegan.ops import native


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The devices that something was compiled for."""
    monkeypatch.setattr(native, "_settled", set())
    devices: list[str] = []

    def prepare(device_type: str, **options: object) -> bool:
        devices.append(device_type)
        return True

    monkeypatch.setattr(native, "prepare", prepare)
    return devices


def test_pictures_and_short_films_of_the_embedded_base_compile_nothing(prepared: list[str]) -> None:
    G = load_network("faces64").generator("ema")
    prepare_drawing(G, 1)
    prepare_drawing(G, 240)
    assert prepared == []
    prepare_drawing(G, 100_000)
    assert prepared == ["cpu"]


def test_a_live_session_draws_while_they_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    G = load_network("faces64").generator("ema")
    begun, drawn, ended = threading.Event(), threading.Event(), threading.Event()

    def prepare(device_type: str, **options: object) -> bool:
        begun.set()
        assert drawn.wait(10)
        ended.set()
        return True

    monkeypatch.setattr(native, "_settled", set())
    monkeypatch.setattr(native, "may_build", lambda kind: kind not in native._settled)
    monkeypatch.setattr(native, "prepare", prepare)
    prepare_meanwhile(G)
    assert begun.wait(10)
    assert not native.may_build("cpu"), "the first picture would wait for the compilation"
    monkeypatch.setattr(native, "prepare", lambda *_, **__: pytest.fail("compiled twice"))
    prepare_meanwhile(G)
    drawn.set()
    assert ended.wait(10)


def test_the_work_grows_with_the_pictures_area() -> None:
    small, large = (
        Generator(
            8, 0, 8, res, 3, mapping_kwargs={"num_layers": 1}, synthesis_kwargs={"channel_base": 16 * res}
        )
        for res in (16, 64)
    )
    assert plain_seconds(large.synthesis.blocks()) > 4 * plain_seconds(small.synthesis.blocks()) > 0
