"""A synthesis layer in one native call, against the plain operations in float64 and against itself."""

from typing import Any

import pytest
import torch
from torch import Tensor

from stylegan import inference
from stylegan.inference import kernels
from stylegan.ops import bias_act, modulated_conv2d, native, setup_filter

pytestmark = [
    pytest.mark.usefixtures("native_ops"),
    pytest.mark.skipif(
        not native.has_wide_vectors(), reason="the kernels serve processors with AVX2 or AVX-512"
    ),
]

FILTER = setup_filter([1, 3, 3, 1])
LOPSIDED = setup_filter([1, 2, 4, 1])


def operands(
    n: int, channels: int, outputs: int, height: int, width: int, *, up: int = 1, noise: str = "shared"
) -> dict[str, Any]:
    """What `synthesis_layer` takes, in the order it takes it."""
    torch.manual_seed(n * channels + outputs * height + width)
    shape = {"shared": [height * up, width * up], "own": [n, 1, height * up, width * up]}
    return {
        "x": torch.randn(n, channels, height, width).contiguous(memory_format=torch.channels_last),
        "weight": torch.randn(outputs, channels, 3, 3),
        "styles": torch.randn(n, channels) + 1,
        "noise": None if noise == "none" else torch.randn(shape[noise]),
        "bias": torch.randn(outputs),
        "up": up,
    }


def fast(x: Tensor, resample_filter: Tensor = FILTER, **options: Any) -> Tensor:
    """The layer by the fast path, which must not decline."""
    options = {"activation": "lrelu", "gain": 1.5, "clamp": None, **options}
    with torch.no_grad():
        y = inference.synthesis_layer(x, resample_filter=resample_filter, **options)
    assert y is not None
    return y


def plain(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    noise: Tensor | None,
    bias: Tensor,
    up: int,
    resample_filter: Tensor = FILTER,
    activation: str = "lrelu",
    gain: float = 1.5,
    clamp: float | None = None,
) -> Tensor:
    """The same by the plain operations, in float64."""
    y = modulated_conv2d(
        x.double(),
        weight.double(),
        styles.double(),
        noise=None if noise is None else noise.double(),
        up=up,
        padding=1,
        resample_filter=resample_filter,
        flip_weight=up == 1,
    )
    return bias_act(y, bias.double(), act=activation, gain=gain, clamp=clamp)


# From one tile to many, whole and cut, with panels half full; widths that are no power of two; few pixels. Upsampling
# has extra tiles at an edge where four divides a side. The many weights of (2, 192, 176, …) are prepared by each thread
# for itself.
SHAPES = [
    (1, 16, 16, 4, 4),
    (3, 32, 48, 8, 8),
    (2, 16, 64, 16, 16),
    (1, 48, 32, 12, 20),
    (2, 16, 16, 5, 7),
    (2, 16, 32, 8, 6),
    (1, 32, 16, 7, 12),
    (1, 16, 16, 64, 96),
    (2, 16, 32, 40, 37),
    (1, 32, 16, 43, 44),
    (2, 144, 16, 32, 32),
    (2, 192, 176, 44, 40),
    (2, 272, 48, 3, 5),
    (3, 160, 32, 1, 16),
    (1, 16, 32, 16, 1),
    (2, 32, 16, 1, 1),
]


@pytest.mark.parametrize("on_matrix_unit", [False, True])
@pytest.mark.parametrize("up", [1, 2])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_layer_is_the_plain_one(
    shape: tuple[int, int, int, int, int], up: int, on_matrix_unit: bool
) -> None:
    """On a processor without AMX both ways are the same."""
    given = operands(*shape, up=up)
    torch.testing.assert_close(
        fast(**given, on_matrix_unit=on_matrix_unit).double(), plain(**given), atol=5e-5, rtol=0
    )


@pytest.mark.parametrize("on_matrix_unit", [False, True])
@pytest.mark.parametrize("shape", [(2, 32, 64, 96, 130), (3, 48, 16, 131, 67)])
def test_a_large_picture_is_upsampled_in_bands(
    shape: tuple[int, int, int, int, int], on_matrix_unit: bool
) -> None:
    given = operands(*shape, up=2)
    torch.testing.assert_close(
        fast(**given, on_matrix_unit=on_matrix_unit).double(), plain(**given), atol=5e-5, rtol=0
    )


@pytest.mark.parametrize("up", [1, 2])
@pytest.mark.parametrize("size", [(20, 12), (40, 32)])  # direct sums, and Winograd's
@pytest.mark.parametrize("outlier", [1.0, 30.0, 1e4])
def test_the_matrix_unit_is_as_exact_as_float32(outlier: float, size: tuple[int, int], up: int) -> None:
    """Errors of digits are relative to the largest factors; where these stand out, more products are added up."""
    given = operands(2, 144, 48, *size, up=up, noise="none")
    given["x"][:, 5] *= outlier
    given["weight"][:, 7] *= outlier
    expected = plain(**given)
    error = (fast(**given).double() - expected).square().mean().sqrt() / expected.square().mean().sqrt()
    assert error < 3e-6


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 3e38])
@pytest.mark.parametrize("up", [1, 2])
@pytest.mark.parametrize("channels", [16, 64])
@pytest.mark.parametrize("size", [8, 48])
def test_what_is_no_number_stays_where_it_is(size: int, channels: int, up: int, value: float) -> None:
    given = operands(2, channels, 32, size, size, up=up)
    expected = fast(**given)
    given["x"][1, 3, 5, 6] = value
    given["styles"][1, 3] = 2
    y = fast(**given)
    near = torch.zeros(y.shape[-2:], dtype=torch.bool)
    near[: 12 * up, : 12 * up] = True  # a Winograd tile and its neighbours
    assert torch.equal(y[0], expected[0])
    assert not y[1, :, 5 * up, 6 * up].isfinite().any()
    assert y[1][:, ~near].isfinite().all()


def test_a_weight_that_is_no_number_spoils_its_output_alone() -> None:
    for up in (1, 2):
        given = operands(1, 64, 32, 32, 32, up=up)
        given["weight"][9, 3, 1, 1] = float("nan")
        y = fast(**given)[0]
        assert y[9].isnan().all()
        assert torch.cat([y[:9], y[10:]]).isfinite().all()


def test_zeros_stay_zeros() -> None:
    for up in (1, 2):
        given = operands(1, 64, 32, 32, 32, up=up, noise="none")
        given["x"].zero_()
        given["bias"].zero_()
        assert not fast(**given).any()
        given["x"].normal_()
        given["weight"].zero_()
        assert not fast(**given).any()


@pytest.mark.parametrize("up", [1, 2])
@pytest.mark.parametrize(
    "options",
    [
        {"clamp": 0.5},
        {"activation": "linear", "gain": 1.0},
        {"activation": "relu"},
        {"gain": 0.25, "clamp": 0.1},
    ],
)
def test_activations_gains_and_clamps(options: dict[str, Any], up: int) -> None:
    given = operands(2, 32, 16, 16, 16, up=up, noise="own")
    torch.testing.assert_close(
        fast(**given, **options).double(), plain(**given, **options), atol=5e-5, rtol=0
    )


def test_without_noise_and_with_a_lopsided_filter() -> None:
    given = operands(1, 16, 16, 8, 8, up=2, noise="none")
    expected = plain(**given, resample_filter=LOPSIDED)
    torch.testing.assert_close(fast(**given, resample_filter=LOPSIDED).double(), expected, atol=5e-5, rtol=0)


def test_a_filter_that_is_no_product_takes_the_plain_path() -> None:
    given = operands(1, 16, 16, 8, 8, up=2)
    cross = FILTER.clone()
    cross[0, 0] = 0
    with torch.no_grad():
        options: dict[str, Any] = {"activation": "lrelu", "gain": 1.0, "clamp": None}
        assert inference.synthesis_layer(**given, resample_filter=cross, **options) is None


@pytest.mark.parametrize("on_matrix_unit", [False, True])
@pytest.mark.parametrize("up", [1, 2])
@pytest.mark.parametrize(
    "shape",
    [(32, 32, 4), (32, 32, 8), (32, 32, 16), (32, 32, 32), (32, 32, 64), (320, 144, 32), (352, 256, 20)],
)
def test_a_picture_does_not_depend_on_its_neighbours_in_the_batch(
    shape: tuple[int, int, int], up: int, on_matrix_unit: bool
) -> None:
    channels, outputs, size = shape
    given = operands(5, channels, outputs, size, size, up=up, noise="own")
    together = fast(**given, on_matrix_unit=on_matrix_unit)
    for i in range(5):
        alone = {**given, **{key: given[key][i : i + 1] for key in ("x", "styles", "noise")}}
        assert torch.equal(fast(**alone, on_matrix_unit=on_matrix_unit)[0], together[i])


@pytest.mark.parametrize("on_matrix_unit", [False, True])
@pytest.mark.parametrize("up", [1, 2])
@pytest.mark.parametrize(
    "shape",
    [
        (32, 64, 48, 48),
        (64, 64, 48, 48),
        (48, 32, 61, 30),
        (48, 96, 16, 24),
        (160, 16, 16, 16),
        (352, 256, 32, 20),
        (192, 176, 44, 40),
    ],
)
def test_the_number_of_threads_changes_nothing(
    shape: tuple[int, int, int, int], up: int, on_matrix_unit: bool
) -> None:
    """Threads share panels of outputs, or tiles, or ranges of rows with seams between; in every case the same sums."""
    given = {**operands(2, *shape, up=up, noise="own"), "on_matrix_unit": on_matrix_unit}
    threads = torch.get_num_threads()
    results = []
    try:
        for count in (1, 3, 16):
            torch.set_num_threads(count)
            results.append(fast(**given))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


@pytest.mark.parametrize("up", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_comes_close(dtype: torch.dtype, up: int) -> None:
    given = operands(2, 32, 32, 16, 16, up=up)
    given["x"] = given["x"].to(dtype)
    y = fast(**given)
    assert y.dtype == dtype
    expected = plain(**given)
    error = (y.double() - expected).abs().max() / expected.abs().max()
    assert error < 4 * torch.finfo(dtype).eps


def test_where_it_does_not_serve_it_says_so() -> None:
    given = operands(1, 16, 16, 8, 8)
    options: dict[str, Any] = {
        "resample_filter": FILTER,
        "activation": "lrelu",
        "gain": 1.0,
        "clamp": None,
    }
    assert inference.synthesis_layer(**given, **options) is None  # gradients are on
    with torch.no_grad():
        assert inference.synthesis_layer(**given, **options) is not None
        for changes in (
            {"x": given["x"].contiguous()},
            {"x": given["x"].double()},
            {"weight": given["weight"].double()},
            {"noise": torch.zeros(1, 1)},
            {"activation": "swish"},
            {"gain": -1.0},
            {"x": given["x"].to("meta")},
        ):
            assert inference.synthesis_layer(**{**given, **options, **changes}) is None
        odd = operands(1, 16, 24, 8, 8)
        assert inference.synthesis_layer(**odd, **options) is None
        with native.paused():
            assert inference.synthesis_layer(**given, **options) is None


@pytest.mark.parametrize("colours", [1, 3, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_to_rgb_is_the_plain_one(dtype: torch.dtype, colours: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 48, 6, 10).to(dtype).contiguous(memory_format=torch.channels_last)
    weight, styles, bias = torch.randn(colours, 48, 1, 1), torch.randn(2, 48), torch.randn(colours)
    with torch.no_grad():
        y = inference.rgb_layer(x, weight, styles, bias, clamp=5.0)
    assert y is not None
    assert y.dtype == torch.float32
    assert y.is_contiguous()
    expected = modulated_conv2d(x.double(), weight.double(), styles.double(), demodulate=False)
    expected = bias_act(expected, bias.double(), clamp=5.0)
    torch.testing.assert_close(y.double(), expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize("up", [1, 2])
def test_operators_are_declared_as_they_are(up: int) -> None:
    given = operands(2, 16, 32, 8, 8, up=up, noise="own")
    taps = None if up == 1 else torch.full([2, 4], 0.5)
    arguments = (
        *(given[key] for key in ("x", "weight", "styles", "noise", "bias")),
        taps,
        0.2,
        1.5,
        -1.0,
        True,
    )
    checks = ("test_schema", "test_faketensor")
    torch.library.opcheck(torch.ops.bend.styled_conv.default, arguments, test_utils=checks)
    x, demodulation, bias = given["x"], torch.rand(2, 16), torch.rand(16)
    noise = torch.randn(1, 1, 8 if up == 1 else 7, 8 if up == 1 else 7)
    arguments = (x, demodulation, noise, bias, taps, 0.2, 1.5, 2.0)
    torch.library.opcheck(torch.ops.bend.finish_layer.default, arguments, test_utils=checks)
    arguments = (x, torch.randn(2, 3, 16), torch.randn(3), -1.0)
    torch.library.opcheck(torch.ops.bend.to_rgb.default, arguments, test_utils=checks)


def test_kernels_refuse_what_they_cannot_compute() -> None:
    given = operands(1, 16, 16, 8, 8)
    good = [given[key] for key in ("x", "weight", "styles", "noise", "bias")]
    good[3] = good[3][None, None]
    settings = (None, 0.2, 1.0, -1.0)
    kernels.styled_conv(*good, *settings)
    for place, bad in (
        (0, good[0].contiguous()),
        (1, good[1][:8]),
        (2, good[2][:, :8]),
        (3, good[3][..., 1:]),
        (4, good[4][1:]),
    ):
        with pytest.raises(RuntimeError):
            kernels.styled_conv(*[bad if i == place else good[i] for i in range(5)], *settings)
