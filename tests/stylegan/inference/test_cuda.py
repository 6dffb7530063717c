"""The fast path on a GPU, against the plain operations in float64 on a CPU and against the plain path there."""

import itertools
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from stylegan import inference
from stylegan.inference import kernels
from stylegan.inference.replay import _recordings
from stylegan.ops import bias_act, modulated_conv2d, native, setup_filter
from stylegan.ops.build import build
from stylegan.precision import set_precision
from tests.stylegan.inference.test_layer import FILTER, LOPSIDED, operands, plain
from tests.stylegan.inference.test_network import count_calls, generator

pytestmark = pytest.mark.gpu

# For numbers up to ten.
TOLERANCES = {torch.float32: 2e-4, torch.float16: 2e-2, torch.bfloat16: 1.5e-1}
# Sizes and channels that fill blocks and packs, and others that do not.
SHAPES = [
    (2, 32, 48, 16, 16),
    (1, 64, 512, 8, 8),
    (3, 16, 24, 5, 7),
    (2, 10, 7, 33, 70),
    (1, 128, 64, 128, 128),
]


@pytest.fixture(autouse=True)
def cuda_ops(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Use the native operations for CUDA, and no TensorFloat-32."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    native.use("cuda", build("cuda"))
    yield
    native.forget()


def on_gpu(given: dict[str, Any], dtype: torch.dtype, is_last: bool) -> dict[str, Any]:
    """Operands of a layer on the GPU, `x` in a dtype and layout."""
    moved = {key: value.cuda() if isinstance(value, Tensor) else value for key, value in given.items()}
    layout = torch.channels_last if is_last else torch.contiguous_format
    return {**moved, "x": moved["x"].to(dtype).contiguous(memory_format=layout)}


def fast(resample_filter: Tensor = FILTER, **options: Any) -> Tensor:
    options = {"activation": "lrelu", "gain": 1.5, "clamp": None, **options}
    with torch.no_grad():
        y = inference.synthesis_layer(resample_filter=resample_filter.cuda(), **options)
    assert y is not None
    return y


@pytest.mark.parametrize("is_last", [True, False], ids=["last", "planar"])
@pytest.mark.parametrize("up", [1, 2])
@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_layer_is_the_plain_one(
    shape: tuple[int, int, int, int, int], dtype: torch.dtype, up: int, is_last: bool
) -> None:
    options: list[dict[str, Any]] = [
        {},
        {"activation": "relu", "clamp": 0.5},
        {"activation": "linear", "gain": 1.0},
    ]
    for noise, option in zip(("own", "shared", "none"), options, strict=True):
        given = operands(*shape, up=up, noise=noise)
        given["x"] = given["x"].to(dtype)
        actual = fast(**on_gpu(given, dtype, is_last), **option, resample_filter=LOPSIDED)
        assert actual.dtype == dtype
        assert actual.is_contiguous(memory_format=torch.channels_last if is_last else torch.contiguous_format)
        expected = plain(**given, **option, resample_filter=LOPSIDED)
        torch.testing.assert_close(actual.cpu().double(), expected, atol=TOLERANCES[dtype], rtol=0)


@pytest.mark.parametrize("is_last", [True, False], ids=["last", "planar"])
@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
def test_finish_layer_alone_is_what_a_cpu_computes(dtype: torch.dtype, is_last: bool) -> None:
    """Without a convolution before it, so that only its own rounding is left."""
    torch.manual_seed(0)
    layout = torch.channels_last if is_last else torch.contiguous_format
    taps = torch.tensor([[0.1, 0.9, 0.5, 0.3], [0.2, 0.7, 0.4, -0.1]])
    for (n, channels, height, width), up in itertools.product(
        [(2, 72, 40, 50), (1, 5, 11, 131), (3, 256, 7, 4), (2, 16, 70, 130)], (False, True)
    ):
        crop = int(up)
        x = torch.randn(n, channels, height + crop, width + crop).to(dtype)
        demodulation, bias = torch.rand(n, channels) + 0.5, torch.randn(channels)
        noise = torch.randn(n, 1, height, width)
        moved = [t.cuda() for t in (demodulation, noise, bias)]
        given = x.cuda().contiguous(memory_format=layout)
        actual = kernels.finish_layer(given, *moved, taps.cuda() if up else None, 0.2, 1.5, 2.0)
        y = x.double()
        if up:
            kernel = torch.outer(taps[0], taps[1]).double().expand(channels, 1, 4, 4)
            y = torch.nn.functional.conv2d(y, kernel, padding=1, groups=channels)
        y = y * demodulation.double()[:, :, None, None] + noise
        y = bias_act(y, bias.double(), act="lrelu", gain=1.5, clamp=2.0)
        rtol = 2e-6 if dtype == torch.float32 else 0.51 * torch.finfo(dtype).eps
        torch.testing.assert_close(actual.cpu().double(), y, atol=5e-6, rtol=rtol)


@pytest.mark.parametrize("is_last", [True, False], ids=["last", "planar"])
@pytest.mark.parametrize("colours", [1, 3, 4])
@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
def test_to_rgb_is_the_plain_one(dtype: torch.dtype, colours: int, is_last: bool) -> None:
    torch.manual_seed(0)
    layout = torch.channels_last if is_last else torch.contiguous_format
    for shape in ((2, 48, 6, 10), (1, 512, 4, 4), (1, 64, 200, 130), (2, 7, 33, 5), (1, 8, 1030, 1024)):
        x = torch.randn(shape).to(dtype)
        weight, styles, bias = (
            torch.randn(colours, shape[1], 1, 1),
            torch.randn(shape[:2]),
            torch.randn(colours),
        )
        with torch.no_grad():
            moved = [t.cuda() for t in (weight, styles, bias)]
            y = inference.rgb_layer(x.cuda().contiguous(memory_format=layout), *moved, clamp=5.0)
        assert y is not None
        assert y.dtype == torch.float32
        assert y.is_contiguous()
        expected = modulated_conv2d(x.double(), weight.double(), styles.double(), demodulate=False)
        expected = bias_act(expected, bias.double(), clamp=5.0)
        torch.testing.assert_close(y.cpu().double(), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("precision", "most"), [("fp32", 1e-4), ("fp16", 1 / 127.5), ("bf16", 16 / 127.5)])
def test_pictures_are_the_plain_ones(monkeypatch: pytest.MonkeyPatch, precision: str, most: float) -> None:
    G = generator(64, channel_base=2048, conv_clamp=256).cuda()
    set_precision(G, precision)
    calls = count_calls(monkeypatch)
    ws = G.mapping(torch.randn(2, 8, device="cuda"), None).detach()
    with torch.inference_mode():
        actual = G.synthesis(ws, noise_mode="const")
        assert len(calls) == 9
        with native.paused():
            expected = G.synthesis(ws, noise_mode="const", force_fp32=True)
        assert len(calls) == 9
    assert (actual - expected).abs().max() / expected.abs().max() < most


def test_nothing_waits_for_the_device_and_graphs_can_be_captured() -> None:
    G = generator(32).cuda()
    ws = torch.randn(2, G.num_ws, G.w_dim, device="cuda")
    with torch.inference_mode():
        expected = G.synthesis(ws, noise_mode="const")
        torch.cuda.set_sync_debug_mode("error")
        try:
            G.synthesis(ws, noise_mode="const")
        finally:
            torch.cuda.set_sync_debug_mode("default")
        graph, kept = torch.cuda.CUDAGraph(), torch.zeros_like(ws)
        with torch.cuda.graph(graph):
            image = G.synthesis(kept, noise_mode="const")
        kept.copy_(ws)
        graph.replay()
        torch.testing.assert_close(image, expected)


def test_replayed_pictures_are_the_computed_ones() -> None:
    torch.manual_seed(0)
    G = generator(64, channel_base=2048, conv_clamp=256, num_fp16_res=2).cuda()
    tolerance = {
        "atol": 8e-3,
        "rtol": 0,
    }  # four roundings to float16 of numbers beyond 2: kernels may differ
    ws = torch.randn(5, 2, G.num_ws, G.w_dim, device="cuda")
    with torch.inference_mode():
        hook = G.synthesis.b8.register_forward_hook(lambda module, inputs, output: None)
        expected = [G.synthesis(own, noise_mode="const") for own in ws]
        hook.remove()
        actual = [G.synthesis(own, noise_mode="const") for own in ws]
        for image, computed in zip(actual, expected, strict=True):
            torch.testing.assert_close(image, computed, **tolerance)
        G.synthesis.b64.conv1.weight.mul_(-1)
        changed = G.synthesis(ws[4], noise_mode="const")
        assert (changed - expected[4]).abs().max() > 5e-2
        hook = G.synthesis.b8.register_forward_hook(lambda module, inputs, output: None)
        torch.testing.assert_close(changed, G.synthesis(ws[4], noise_mode="const"), **tolerance)
        hook.remove()
    assert [len(kept) for network, kept in _recordings.items() if network is G.synthesis] == [1]


def test_replayed_noise_is_fresh_and_follows_the_seed() -> None:
    G = generator(32).cuda()
    ws = torch.randn(1, G.num_ws, G.w_dim, device="cuda")
    with torch.inference_mode():
        images = []
        for seed in (1, 2, 3, 3):
            torch.manual_seed(seed)
            images.append(G.synthesis(ws))
        images.append(G.synthesis(ws))
    assert [len(kept) for network, kept in _recordings.items() if network is G.synthesis] == [1]
    torch.testing.assert_close(images[2], images[3])
    assert (images[3] - images[4]).abs().max() > 1e-2
    assert (images[1] - images[2]).abs().max() > 1e-2


def test_a_replayed_mapping_is_the_computed_one() -> None:
    G = generator(32).cuda()
    z = torch.randn(5, 3, 8, device="cuda")
    expected = [G.mapping(own, None, truncation_psi=0.5).detach() for own in z]
    with torch.inference_mode():
        for own, computed in zip(z, expected, strict=True):
            torch.testing.assert_close(G.mapping(own, None, truncation_psi=0.5), computed)


def test_it_runs_on_the_current_stream() -> None:
    given = on_gpu(operands(2, 64, 64, 64, 64, up=2), torch.float16, True)
    expected = fast(**given)
    torch.cuda.synchronize()
    with torch.cuda.stream(torch.cuda.Stream()):
        actual = fast(**given)
    torch.cuda.synchronize()
    assert torch.equal(actual, expected)


def test_edits_of_filters_and_weights_are_heard_at_once() -> None:
    given = on_gpu(operands(1, 16, 16, 8, 8, up=2), torch.float32, False)
    f = setup_filter([1, 3, 3, 1]).cuda()
    before = fast(**given, resample_filter=f)
    f.copy_(LOPSIDED)
    assert (fast(**given, resample_filter=f) - before).abs().max() > 1e-2
    torch.testing.assert_close(fast(**given, resample_filter=f), fast(**given, resample_filter=LOPSIDED))


@pytest.mark.parametrize("up", [1, 2])
@pytest.mark.parametrize("is_last", [True, False], ids=["last", "planar"])
def test_operators_are_declared_as_they_are(up: int, is_last: bool) -> None:
    x = on_gpu(operands(2, 16, 32, 8, 8), torch.float16, is_last)["x"]
    taps = None if up == 1 else torch.full([2, 4], 0.5).cuda()
    size = 8 if up == 1 else 7
    noise = torch.randn(1, 1, size, size, device="cuda")
    demodulation, bias = torch.rand(2, 16, device="cuda"), torch.rand(16, device="cuda")
    checks = ("test_schema", "test_faketensor")
    arguments: tuple[Any, ...] = (x, demodulation, noise, bias, taps, 0.2, 1.5, 2.0)
    torch.library.opcheck(torch.ops.bend.finish_layer.default, arguments, test_utils=checks)
    weight, styles = torch.randn(32, 16, 3, 3, device="cuda"), torch.randn(2, 16, device="cuda")
    torch.library.opcheck(torch.ops.bend.demodulate.default, (weight, styles, True), test_utils=checks)
    torch.library.opcheck(torch.ops.bend.scale_channels.default, (x, styles), test_utils=checks)
    for scales in (None, styles[0].contiguous()):
        arguments = (x, weight, torch.ones(32, device="cuda"), scales, up == 2)
        torch.library.opcheck(torch.ops.bend.lay_out.default, arguments, test_utils=checks)
    arguments = (x, torch.randn(2, 3, 16, device="cuda"), torch.randn(3, device="cuda"), -1.0)
    torch.library.opcheck(torch.ops.bend.to_rgb.default, arguments, test_utils=checks)


def test_kernels_refuse_what_they_cannot_compute() -> None:
    """In a process of its own, whose last output names the case that ended it."""
    path = native.state("cuda").path
    words = [sys.executable, "-m", "tests.stylegan.inference.refusals", str(path)]
    ran = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
    assert (ran.returncode, ran.stdout.splitlines()[-1:]) == (0, ["all refused"]), (
        ran.stdout + ran.stderr[-2000:]
    )


def test_nothing_is_finished() -> None:
    x, bias = torch.randn(2, 16, 8, 8, device="cuda")[:0], torch.rand(16, device="cuda")
    demodulation = torch.rand(0, 16, device="cuda")
    assert kernels.finish_layer(x, demodulation, None, bias, None, 0.2, 1.0, -1.0).shape == (0, 16, 8, 8)
