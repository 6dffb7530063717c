"""Layers and whole generators as CUDA computes them: torch's convolution, then the emulated kernels, on a CPU."""

import ctypes
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from stylegan import Generator, inference
from stylegan.inference import filters, kernels
from stylegan.ops import setup_filter
from tests.stylegan.inference.test_layer import LOPSIDED, SHAPES, fast, operands, plain
from tests.stylegan.inference.test_network import draw, generator
from tests.stylegan.ops.native import emulation
from tests.stylegan.test_golden_networks import GENERATORS, load


@pytest.fixture
def calls(emulated: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Use the emulated kernels, as if a CPU were CUDA; gives a list that grows by a name with each call."""
    called: list[str] = []

    def finish_layer(*operands: Any) -> Tensor:
        called.append("finish_layer")
        return emulation.finish_layer(emulated, *operands)[0]

    def to_rgb(*operands: Any) -> Tensor:
        called.append("to_rgb")
        return emulation.to_rgb(emulated, *operands)[0]

    def demodulate(*operands: Any) -> tuple[Tensor, Tensor, Tensor]:
        called.append("demodulate")
        return emulation.demodulate(emulated, *operands)

    def lay_out(*operands: Any) -> Tensor:
        return emulation.lay_out(emulated, *operands)

    def scale_channels(*operands: Any) -> Tensor:
        return emulation.scale_channels(emulated, *operands)[0]

    def serves(x: Tensor, *channels: int) -> bool:
        return x.is_contiguous() or x.is_contiguous(memory_format=torch.channels_last)

    monkeypatch.setattr(kernels, "serves", serves)
    monkeypatch.setattr(kernels, "takes_whole_layer", lambda x: False)
    monkeypatch.setattr(kernels, "modulates", lambda x: True)
    for kernel in (demodulate, lay_out, scale_channels):
        monkeypatch.setattr(kernels, kernel.__name__, kernel)
    monkeypatch.setattr(kernels, "finish_layer", finish_layer)
    monkeypatch.setattr(kernels, "to_rgb", to_rgb)
    yield called


@pytest.mark.parametrize("is_last", [True, False], ids=["last", "planar"])
@pytest.mark.parametrize("up", [1, 2])
@pytest.mark.parametrize("shape", [*SHAPES[:5], (2, 10, 7, 6, 9)], ids=str)
def test_a_layer_is_the_plain_one(
    calls: list[str], shape: tuple[int, int, int, int, int], up: int, is_last: bool
) -> None:
    for noise, options in (("own", {"clamp": 0.5}), ("none", {}), ("shared", {"activation": "linear"})):
        given = operands(*shape, up=up, noise=noise)
        given["x"] = given["x"] if is_last else given["x"].contiguous()
        actual = fast(**given, **options, resample_filter=LOPSIDED)
        assert actual.is_contiguous(memory_format=torch.channels_last if is_last else torch.contiguous_format)
        expected = plain(**given, **options, resample_filter=LOPSIDED)
        torch.testing.assert_close(actual.double(), expected, atol=5e-5, rtol=0)
    assert calls == ["demodulate", "finish_layer"] * 3


@pytest.mark.slow
@pytest.mark.parametrize("up", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_comes_close(calls: list[str], dtype: torch.dtype, up: int) -> None:
    given = operands(2, 32, 20, 16, 12, up=up)
    given["x"] = given["x"].to(dtype)
    actual, expected = fast(**given), plain(**given)
    assert actual.dtype == dtype
    assert (actual.double() - expected).abs().max() / expected.abs().max() < 4 * torch.finfo(dtype).eps


@pytest.mark.slow
def test_float16_products_stay_in_range(calls: list[str]) -> None:
    """Weights and styles whose products float16 cannot hold."""
    given = operands(1, 64, 16, 8, 8, up=2)
    given["x"] = given["x"].to(torch.float16)
    given["weight"], given["styles"] = given["weight"] * 3e4, given["styles"] * 3e4
    actual, expected = fast(**given), plain(**given)
    assert actual.isfinite().all()
    assert (actual.double() - expected).abs().max() / expected.abs().max() < 4e-3


@pytest.mark.parametrize("path", GENERATORS, ids=lambda path: path.stem)
def test_golden_pictures(calls: list[str], path: Any) -> None:
    init, state, golden = load(path)
    G = Generator(**init)
    G.load_state_dict(state, strict=True)
    with torch.no_grad():
        for mode in ("const", "none"):
            image = G.eval().synthesis(golden["ws"], noise_mode=mode)
            torch.testing.assert_close(image, golden[f"img_{mode}"], atol=1e-4, rtol=0)
    assert "to_rgb" in calls


@pytest.mark.parametrize(
    "options", [{"architecture": "resnet"}, {"channel_max": 24, "channel_base": 600}], ids=str
)
def test_pictures_are_the_plain_ones(
    calls: list[str], monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    G = generator(**options)
    actual = draw(G)
    assert calls.count("finish_layer") == 7
    monkeypatch.setattr(kernels, "serves", lambda x, *channels: False)
    torch.testing.assert_close(actual, draw(G), atol=1e-4, rtol=0)


def test_taps_of_a_filter_on_a_device_are_read_once_and_anew_when_it_changes() -> None:
    f = setup_filter([1, 3, 3, 1])
    first = filters._kept_taps(f, f._version)
    assert filters._kept_taps(f, f._version) is first
    torch.testing.assert_close(first, filters.taps_of(f, f.device))
    f.copy_(LOPSIDED)
    torch.testing.assert_close(filters._kept_taps(f, f._version), filters.taps_of(LOPSIDED, f.device))
    cross = setup_filter([1, 3, 3, 1])
    cross[0, 0] = 0
    assert filters._kept_taps(cross, cross._version) is None
    assert filters.taps_of(f, torch.device("meta")) is None


def test_casting_and_other_devices_take_the_plain_path(calls: list[str]) -> None:
    given = operands(1, 16, 16, 8, 8)
    options: dict[str, Any] = {"resample_filter": LOPSIDED, "activation": "lrelu", "gain": 1.0, "clamp": None}
    with torch.no_grad():
        assert inference.synthesis_layer(**given, **options) is not None
        for name in ("weight", "styles", "noise", "bias"):
            elsewhere = {**given, name: given[name].to("meta")}
            assert inference.synthesis_layer(**elsewhere, **options) is None
        with torch.autocast("cpu", torch.bfloat16):
            assert inference.synthesis_layer(**given, **options) is None


@pytest.mark.parametrize("is_last", [True, False], ids=["last", "planar"])
def test_shapes_without_data_are_those_of_either_layout(is_last: bool) -> None:
    x = torch.empty([2, 16, 9, 5], device="meta").contiguous(memory_format=emulation.layout(is_last))
    with torch.device("meta"):
        operands = (torch.empty([2, 16]), None, torch.empty([16]), torch.empty([2, 4]))
        weights, bias = torch.empty([2, 3, 16]), torch.empty([3])
    y = kernels.finish_layer(x, *operands, 0.2, 1.0, -1.0)
    assert y.shape == (2, 16, 8, 4)
    assert y.is_contiguous(memory_format=emulation.layout(is_last))
    assert kernels.to_rgb(x, weights, bias, -1.0).shape == (2, 3, 9, 5)
