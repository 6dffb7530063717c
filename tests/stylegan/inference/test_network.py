"""The generator with its fast path against the generator without, in all its shapes, hooks and edits included."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stylegan import Generator
from stylegan.inference import kernels
from stylegan.ops import native
from stylegan.precision import precision_of, set_precision
from tests.stylegan.test_golden_networks import GENERATORS, load

pytestmark = [
    pytest.mark.usefixtures("native_ops"),
    pytest.mark.skipif(
        not native.has_wide_vectors(), reason="the kernels serve processors with AVX2 or AVX-512"
    ),
]

SHAPES: dict[str, dict[str, Any]] = {
    "skip": {},
    "orig": {"architecture": "orig"},
    "resnet": {"architecture": "resnet"},
    "clamped": {"conv_clamp": 0.7},
    "grey": {"img_channels": 1},
    "conditional": {"c_dim": 3},
    "without noise": {"use_noise": False},
    "linear": {"activation": "linear"},
    "swish": {"activation": "swish"},
    "narrow": {"channel_base": 512, "channel_max": 24},
}


def generator(
    resolution: int = 32, *, w_dim: int = 12, c_dim: int = 0, img_channels: int = 3, **synthesis: Any
) -> Generator:
    """With channels in whole vectors, and audible noise; a picture is one call where w is in whole vectors too."""
    torch.manual_seed(0)
    options = {"channel_base": 1024, "channel_max": 32, **synthesis}
    G = Generator(
        8, c_dim, w_dim, resolution, img_channels, mapping_kwargs={"num_layers": 2}, synthesis_kwargs=options
    )
    with torch.no_grad():
        for name, parameter in G.named_parameters():
            if name.endswith("noise_strength"):
                parameter.fill_(0.3)
    return G.eval()


def draw(G: Generator, **options: Any) -> Tensor:
    torch.manual_seed(1)
    c = torch.eye(G.c_dim)[:2] if G.c_dim else None
    with torch.inference_mode():
        return G(torch.randn(2, G.z_dim), c, **{"noise_mode": "const", **options})


def draw_plainly(G: Generator, **options: Any) -> Tensor:
    with native.paused():
        return draw(G, **options)


def count_calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows by one number with each native layer."""
    calls: list[int] = []
    for name in ("styled_conv", "finish_layer"):
        original = getattr(kernels, name)

        def counted(*args: Any, original: Any = original) -> Tensor:
            calls.append(1)
            result: Tensor = original(*args)
            return result

        monkeypatch.setattr(kernels, name, counted)
    return calls


@pytest.mark.parametrize("noise_mode", ["const", "none"])
@pytest.mark.parametrize("name", SHAPES)
def test_pictures_are_the_plain_ones(name: str, noise_mode: str) -> None:
    G = generator(**SHAPES[name])
    expected = draw_plainly(G, noise_mode=noise_mode)
    torch.testing.assert_close(draw(G, noise_mode=noise_mode), expected, atol=1e-4, rtol=0)


def test_networks_of_half_precision_are_drawn_within_a_level_and_exactly_if_told() -> None:
    G = generator(num_fp16_res=3, conv_clamp=256)
    expected = draw_plainly(G, noise_mode="const")
    exact = draw(G, noise_mode="const", force_fp32=True)
    torch.testing.assert_close(exact, expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(draw(G, noise_mode="const"), expected, atol=1 / 255, rtol=0)


def test_random_noise_is_drawn_as_the_plain_path_draws_it() -> None:
    G = generator()
    pictures = [
        run(G, noise_mode="random", generator=torch.Generator().manual_seed(5))
        for run in (draw, draw_plainly)
    ]
    torch.testing.assert_close(*pictures, atol=1e-4, rtol=0)
    assert not torch.equal(pictures[0], draw(G))


def test_every_layer_takes_it_where_gradients_are_off_and_none_where_they_are_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    G = generator()
    calls = count_calls(monkeypatch)
    draw(G)
    assert len(calls) == 7
    with torch.no_grad():
        G(torch.randn(1, 8))
    assert len(calls) == 14
    image = G(torch.randn(1, 8), noise_mode="const")
    assert len(calls) == 14
    assert image.requires_grad


@pytest.mark.parametrize("path", GENERATORS, ids=lambda path: path.stem)
def test_golden_pictures(path: Any) -> None:
    init, state, golden = load(path)
    G = Generator(**init)
    G.load_state_dict(state, strict=True)
    with torch.no_grad():
        for mode in ("const", "none"):
            image = G.eval().synthesis(golden["ws"], noise_mode=mode)
            torch.testing.assert_close(image, golden[f"img_{mode}"], atol=1e-4, rtol=0)


def test_hooks_see_and_change_what_they_would(monkeypatch: pytest.MonkeyPatch) -> None:
    G = generator()
    calls = count_calls(monkeypatch)
    names = ("synthesis.b16.conv0", "synthesis.b16.conv1.affine", "synthesis.b32.torgb", "synthesis.b8")

    def listen() -> dict[str, Tensor]:
        heard: dict[str, Tensor] = {}
        for name in names:

            def hook(module: nn.Module, args: Any, output: Any, name: str = name) -> Any:
                out = output[0] if isinstance(output, tuple) else output
                heard[name] = out.clone()
                changed = out * 0.5 + 0.1
                return (changed, output[1]) if isinstance(output, tuple) else changed

            handles.append(G.get_submodule(name).register_forward_hook(hook))
        return heard

    handles: list[Any] = []
    heard, untouched = listen(), len(calls)
    picture = draw(G)
    assert len(calls) - untouched == 7
    seen = dict(heard)
    expected = draw_plainly(G)
    for handle in handles:
        handle.remove()
    torch.testing.assert_close(picture, expected, atol=1e-4, rtol=0)
    assert set(seen) == set(names)
    for name in names:
        torch.testing.assert_close(seen[name], heard[name], atol=1e-4, rtol=0)
    assert (draw(G) - picture).abs().max() > 1e-2


@pytest.mark.parametrize("through_data", [False, True])
def test_edits_of_weights_are_heard_at_once(through_data: bool) -> None:
    G = generator()
    before = draw(G)
    weight = G.synthesis.b16.conv1.weight
    with torch.no_grad():
        (weight.data if through_data else weight)[3].zero_()
        (weight.data if through_data else weight)[5].mul_(-2)
    after = draw(G)
    torch.testing.assert_close(after, draw_plainly(G), atol=1e-4, rtol=0)
    assert (after - before).abs().max() > 1e-3


@pytest.mark.parametrize("w_dim", [12, 16])
def test_pictures_do_not_depend_on_the_batch(w_dim: int) -> None:
    G = generator(64, w_dim=w_dim, channel_base=2048)
    ws = G.mapping(torch.randn(5, 8), None)
    with torch.inference_mode():
        together = G.synthesis(ws, noise_mode="const")
        alone = torch.cat([G.synthesis(ws[i : i + 1], noise_mode="const") for i in range(5)])
    # With w_dim 12 the styles are products of torch's, which depend on the batch size.
    most = 5e-5 if w_dim == 12 else 0
    torch.testing.assert_close(together, alone, atol=most, rtol=0)


@pytest.mark.parametrize(("precision", "most"), [("fp16", 2), ("bf16", 16)])
def test_half_precision_pictures_are_within_levels(precision: str, most: int) -> None:
    G = generator(64, channel_base=2048, conv_clamp=256)
    expected = draw(G)
    scale = 1 / expected.abs().max()
    set_precision(G, precision)
    assert precision_of(G) == precision
    actual = draw(G)
    levels = ((actual - expected) * scale * 127.5).abs()
    assert levels.max() <= most
    if precision == "fp16":
        assert levels.quantile(0.99) <= 1
    set_precision(G, "fp32")
    assert torch.equal(draw(G), expected)


def test_tracing_and_exporting_see_torch_operations_only() -> None:
    G = generator(8)
    ws = torch.randn(1, G.num_ws, G.w_dim)
    with torch.no_grad():
        exported = torch.export.export(G.synthesis, (ws,), {"noise_mode": "const"})
    assert not any("bend" in str(node.target) for node in exported.graph.nodes)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # torch's own
@pytest.mark.parametrize("with_gradients", [False, True])
def test_forward_derivatives_are_those_that_gradients_give(with_gradients: bool) -> None:
    G = generator().requires_grad_(False)
    ws, along = torch.randn(2, 1, G.num_ws, G.w_dim)

    def shown(ws: Tensor) -> Tensor:
        image: Tensor = G.synthesis(ws, noise_mode="const")
        return image

    _, by_gradients = torch.autograd.functional.jvp(shown, ws, along)
    with torch.set_grad_enabled(with_gradients):
        _, forward = torch.func.jvp(shown, (ws,), (along,))
    assert forward.abs().max() > 0.01
    torch.testing.assert_close(forward, by_gradients, rtol=1e-3, atol=1e-3)
