"""The layers that own weights: equalised learning rate, styles, noise, clamps, and their names in a state dict."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.layers import ConvLayer, DenseLayer, SynthesisLayer, ToRGBLayer, normalize_2nd_moment
from stylegan.ops import conv2d_resample, modulated_conv2d, setup_filter


def randomize(layer: torch.nn.Module) -> None:
    """Nothing hides behind a zero bias or noise strength."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn_like(parameter))


def test_normalized_vectors_have_unit_root_mean_square() -> None:
    torch.manual_seed(0)
    x = torch.randn(5, 64) * torch.tensor([1e-2, 1, 10, 100, 1000])[:, None]
    y = normalize_2nd_moment(x)
    torch.testing.assert_close(y.square().mean(dim=1), torch.ones(5), atol=1e-3, rtol=0)
    torch.testing.assert_close(F.normalize(y), F.normalize(x))
    assert normalize_2nd_moment(torch.zeros(2, 3)).abs().max() == 0


@pytest.mark.parametrize("lr_multiplier", [1, 0.01])
def test_dense_computes_the_scaled_product(lr_multiplier: float) -> None:
    torch.manual_seed(0)
    layer = DenseLayer(6, 4, activation="lrelu", lr_multiplier=lr_multiplier)
    randomize(layer)
    assert layer.bias is not None
    x = torch.randn(3, 6)
    y = x @ (layer.weight * lr_multiplier / math.sqrt(6)).T + layer.bias * lr_multiplier
    torch.testing.assert_close(layer(x), F.leaky_relu(y, 0.2) * math.sqrt(2))


def test_dense_starts_at_unit_gain_whatever_the_learning_rate() -> None:
    torch.manual_seed(0)
    x = torch.randn(256, 512)
    for lr_multiplier in (1, 0.01):
        layer = DenseLayer(512, 256, lr_multiplier=lr_multiplier)
        assert layer.weight.std().item() == pytest.approx(1 / lr_multiplier, rel=0.02)
        assert layer(x).std().item() == pytest.approx(1, rel=0.05)


def test_dense_bias_may_start_elsewhere_or_be_absent() -> None:
    layer = DenseLayer(3, 5, bias_init=1)
    torch.testing.assert_close(layer(torch.zeros(2, 3)), torch.ones(2, 5))
    assert list(DenseLayer(3, 5, bias=False).state_dict()) == ["weight"]
    assert DenseLayer(3, 5, bias=False)(torch.zeros(2, 3)).abs().max() == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_dense_follows_the_dtype_of_its_input(dtype: torch.dtype) -> None:
    layer = DenseLayer(8, 4, activation="lrelu")
    x = torch.randn(3, 8)
    assert layer(x.to(dtype)).dtype == dtype
    torch.testing.assert_close(layer(x.to(dtype)).float(), layer(x), atol=0.05, rtol=0)


@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("kernel", [1, 3])
def test_conv_resamples_with_a_scaled_weight(kernel: int, up: int, down: int) -> None:
    layer = ConvLayer(4, 6, kernel, up=up, down=down, activation="lrelu")
    randomize(layer)
    x = torch.randn(2, 4, 8, 8)
    weight = layer.weight / math.sqrt(4 * kernel**2)
    f = setup_filter([1, 3, 3, 1])
    y = conv2d_resample(x, weight, f, up, down, padding=kernel // 2, flip_weight=up == 1)
    assert layer.bias is not None
    expected = F.leaky_relu(y + layer.bias[:, None, None], 0.2) * math.sqrt(2)
    assert expected.shape == (2, 6, 8 * up // down, 8 * up // down)
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-5)


def test_conv_gain_scales_output_and_clamp() -> None:
    layer = ConvLayer(2, 3, 3, conv_clamp=0.5)
    x = torch.randn(2, 2, 8, 8) * 5
    assert layer(x).abs().max().item() == pytest.approx(0.5)
    torch.testing.assert_close(layer(x, gain=0.5), layer(x) * 0.5)


@pytest.mark.parametrize("bias", [True, False])
def test_a_frozen_conv_keeps_its_names_and_has_no_parameters(bias: bool) -> None:
    free, frozen = (ConvLayer(2, 3, 3, bias=bias, trainable=trainable) for trainable in (True, False))
    assert set(free.state_dict()) == set(frozen.state_dict())
    assert not list(frozen.parameters())
    frozen.load_state_dict(free.state_dict(), strict=True)
    x = torch.randn(1, 2, 4, 4)
    torch.testing.assert_close(frozen(x), free(x))


def synthesis_layer(up: int = 1, conv_clamp: float | None = None) -> SynthesisLayer:
    layer = SynthesisLayer(4, 6, 5, 8, up=up, conv_clamp=conv_clamp)
    randomize(layer)
    return layer


def test_synthesis_layer_has_the_official_names_and_shapes() -> None:
    shapes = {key: tuple(value.shape) for key, value in synthesis_layer().state_dict().items()}
    assert shapes == {
        "affine.weight": (4, 5),
        "affine.bias": (4,),
        "weight": (6, 4, 3, 3),
        "bias": (6,),
        "noise_const": (8, 8),
        "noise_strength": (),
        "resample_filter": (4, 4),
    }
    fresh = SynthesisLayer(4, 6, 5, 8)
    assert fresh.noise_strength.item() == 0
    assert fresh.affine.bias is not None
    assert fresh.affine.bias.tolist() == [1] * 4
    assert "noise_const" not in SynthesisLayer(4, 6, 5, 8, use_noise=False).state_dict()


@pytest.mark.parametrize("up", [1, 2])
@pytest.mark.parametrize("noise_mode", ["const", "none"])
def test_synthesis_layer_computes_its_steps(noise_mode: str, up: int) -> None:
    layer = synthesis_layer(up)
    x, w = torch.randn(3, 4, 8 // up, 8 // up), torch.randn(3, 5)
    options = {"up": up, "padding": 1, "flip_weight": up == 1}
    y = modulated_conv2d(x, layer.weight, layer.affine(w), resample_filter=layer.resample_filter, **options)  # type: ignore[arg-type]
    if noise_mode == "const":
        y = y + layer.noise_const * layer.noise_strength
    expected = F.leaky_relu(y + layer.bias[:, None, None], 0.2) * math.sqrt(2)
    assert expected.shape == (3, 6, 8, 8)
    torch.testing.assert_close(layer(x, w, noise_mode=noise_mode), expected, atol=1e-5, rtol=1e-5)


def test_random_noise_is_one_field_a_sample_shared_by_the_channels() -> None:
    layer = synthesis_layer()
    layer.activation, layer.act_gain = "linear", 1.0
    x, w = torch.randn(3, 4, 8, 8), torch.randn(3, 5)

    def noise() -> Tensor:
        return layer(x, w, noise_mode="random") - layer(x, w, noise_mode="none")  # type: ignore[no-any-return]

    first = noise()
    torch.testing.assert_close(first, first[:, :1].expand_as(first), atol=1e-4, rtol=0)
    assert (first[0, 0] - first[1, 0]).abs().max() > 0.1
    assert (first - noise()).abs().max() > 0.1
    strength = layer.noise_strength.abs().item()
    many = torch.stack([noise()[:, 0] for _ in range(40)])
    assert many.std().item() == pytest.approx(strength, rel=0.05)


def test_synthesis_layer_without_noise_ignores_the_mode() -> None:
    layer = SynthesisLayer(4, 6, 5, 8, use_noise=False)
    x, w = torch.randn(1, 4, 8, 8), torch.randn(1, 5)
    torch.testing.assert_close(layer(x, w, noise_mode="random"), layer(x, w, noise_mode="none"))


def test_synthesis_gain_scales_output_and_clamp() -> None:
    layer = synthesis_layer(conv_clamp=0.5)
    x, w = torch.randn(2, 4, 8, 8) * 10, torch.randn(2, 5)
    whole = layer(x, w, noise_mode="none")
    assert whole.abs().max().item() == pytest.approx(0.5)
    torch.testing.assert_close(layer(x, w, noise_mode="none", gain=0.5), whole * 0.5)


def test_to_rgb_scales_styles_and_does_not_demodulate() -> None:
    layer = ToRGBLayer(4, 3, 5)
    randomize(layer)
    x, w = torch.randn(2, 4, 8, 8), torch.randn(2, 5)
    weight = layer.weight[None, :, :, 0, 0] * layer.affine(w)[:, None] / math.sqrt(4)  # [N, 3, 4]
    expected = torch.einsum("noi,nihw->nohw", weight, x) + layer.bias[:, None, None]
    torch.testing.assert_close(layer(x, w), expected, atol=1e-5, rtol=1e-5)
    assert set(layer.state_dict()) == {"affine.weight", "affine.bias", "weight", "bias"}


def test_to_rgb_is_clamped() -> None:
    layer = ToRGBLayer(4, 3, 5, conv_clamp=0.25)
    y = layer(torch.randn(1, 4, 8, 8) * 100, torch.randn(1, 5))
    assert y.abs().max().item() == 0.25


@pytest.mark.parametrize(
    "make", [DenseLayer, lambda i, o, activation: ConvLayer(i, o, 3, activation=activation)]
)
def test_layers_refuse_an_unknown_activation_when_built(make: type[DenseLayer]) -> None:
    with pytest.raises(ValueError, match="unknown activation 'gelu'"):
        make(3, 4, activation="gelu")
