"""A picture in one native call against the same network block by block: bit for bit, and only without hooks."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from stylegan import Generator
from stylegan.inference import whole as whole_module
from stylegan.layers import DenseLayer, SynthesisLayer
from stylegan.ops import native
from stylegan.precision import set_precision
from tests.stylegan.inference.test_network import SHAPES, generator

pytestmark = [
    pytest.mark.usefixtures("native_ops"),
    pytest.mark.skipif(
        not native.has_wide_vectors(), reason="the kernels serve processors with AVX2 or AVX-512"
    ),
]

WHOLE = {name: SHAPES[name] for name in ("skip", "clamped", "grey", "conditional", "without noise", "linear")}
IN_BLOCKS = {name: SHAPES[name] for name in ("orig", "resnet", "swish", "narrow")}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Tensor]]:
    """A list that grows by one picture with each whole call."""
    found: list[Tensor] = []
    original = whole_module.synthesis

    def counted(*args: Any) -> Tensor:
        found.append(original(*args))
        return found[-1]

    monkeypatch.setattr(whole_module, "synthesis", counted)
    yield found


def whole(**options: Any) -> Generator:
    return generator(w_dim=16, **options)


def draw(G: Generator, count: int = 2, **options: Any) -> Tensor:
    ws = torch.randn([count, G.num_ws, G.w_dim], generator=torch.Generator().manual_seed(count))
    with torch.inference_mode():
        image: Tensor = G.synthesis(ws, **{"noise_mode": "const", **options})
    return image


def draw_in_blocks(G: Generator, count: int = 2, **options: Any) -> Tensor:
    handle = G.synthesis.b4.register_forward_hook(lambda *_: None)
    try:
        return draw(G, count, **options)
    finally:
        handle.remove()


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("noise_mode", ["const", "none", "random"])
@pytest.mark.parametrize("name", WHOLE)
def test_it_is_the_blocks_picture_bit_for_bit(
    name: str, noise_mode: str, count: int, calls: list[Tensor]
) -> None:
    G = whole(**WHOLE[name])
    sources = [torch.Generator().manual_seed(3) for _ in range(2)]
    image = draw(G, count, noise_mode=noise_mode, generator=sources[0])
    assert len(calls) == 1
    assert torch.equal(image, draw_in_blocks(G, count, noise_mode=noise_mode, generator=sources[1]))
    assert len(calls) == 1
    assert torch.equal(sources[0].get_state(), sources[1].get_state())


def test_other_filters_sizes_and_strengths(calls: list[Tensor]) -> None:
    G = whole(resample_filter=[1, 2, 4, 3])
    for i, block in enumerate(G.synthesis.blocks()):
        block.conv1.noise_strength.data.fill_(0.1 * i)
        block.resample_filter.copy_(torch.rand(4, 4))  # not separable, as only the image's filter may be
    assert torch.equal(draw(G, 5), draw_in_blocks(G, 5))
    assert len(calls) == 1
    G = whole(resolution=4)
    assert torch.equal(draw(G), draw_in_blocks(G))
    assert len(calls) == 2


@pytest.mark.parametrize("name", IN_BLOCKS)
def test_other_networks_are_left_to_their_blocks(name: str, calls: list[Tensor]) -> None:
    draw(whole(**IN_BLOCKS[name]))
    assert not calls


class Louder(SynthesisLayer):
    """A layer of somebody else's."""

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        return super().forward(*args, **kwargs) * 2


class Shifted(nn.Module):
    """A style of somebody else's."""

    def forward(self, w: Tensor) -> Tensor:
        return torch.cat([w, w.flip(1)], dim=1)


class Halved(nn.Module):
    """A parametrisation that halves a weight."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight / 2


def _hang(G: Generator) -> None:
    G.synthesis.b8.conv0.affine.register_forward_hook(lambda module, args, output: output.flip(1))


def _hang_before(G: Generator) -> None:
    G.synthesis.b16.torgb.register_forward_pre_hook(lambda module, args: (args[0] * 2, args[1]))


def _replace_forward(G: Generator) -> None:
    layer = G.synthesis.b8.conv1
    original = layer.forward
    layer.forward = lambda *args, **kwargs: original(*args, **kwargs) * 2  # type: ignore[method-assign]


def _replace_class(G: Generator) -> None:
    G.synthesis.b8.conv1.__class__ = Louder


def _parametrize(G: Generator) -> None:
    parametrize.register_parametrization(G.synthesis.b8.conv1, "weight", Halved())
    parametrize.register_parametrization(G.synthesis.b8.conv1, "bias", Halved())
    parametrize.register_parametrization(G.synthesis.b16.torgb, "weight", Halved())


def _use_half(G: Generator) -> None:
    set_precision(G, "fp16")


def _replace_tap(G: Generator) -> None:
    G.synthesis.tap_ws = DenseLayer(16, 16, activation="relu", bias=False)  # type: ignore[assignment]


def _trace(G: Generator) -> None:
    G.synthesis.b8.conv0.affine = torch.jit.trace(Shifted(), torch.zeros(2, 16), check_trace=False)


def _keep_as_buffer(G: Generator) -> None:
    layer = G.synthesis.b8.conv1
    weight = layer.weight.detach() / 2
    del layer.weight
    layer.register_buffer("weight", weight)
    layer.bias.data.add_(1)


def _spread_noise(G: Generator) -> None:
    G.synthesis.b8.conv1.noise_const = torch.ones(1, 1)


def _map_strength(G: Generator) -> None:
    G.synthesis.b8.conv1.noise_strength = nn.Parameter(torch.rand(8, 8))


def _take_nearest(G: Generator) -> None:
    G.synthesis.b16.resample_filter = torch.ones(1, 1)


def _leave_out_blocks(G: Generator) -> None:
    G.synthesis.block_resolutions = G.synthesis.block_resolutions[:-1]


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.parametrize(
    "change",
    [
        _hang,
        _hang_before,
        _replace_forward,
        _replace_class,
        _replace_tap,
        _trace,
        _parametrize,
        _keep_as_buffer,
        _spread_noise,
        _map_strength,
        _take_nearest,
        _use_half,
        _leave_out_blocks,
    ],
)
def test_whoever_touches_a_module_is_heard(change: Callable[[Generator], None], calls: list[Tensor]) -> None:
    G = whole()
    before = draw(G)
    change(G)
    after = draw(G)
    assert len(calls) == 1
    assert not torch.equal(after, before)


def test_a_changed_class_is_heard(monkeypatch: pytest.MonkeyPatch, calls: list[Tensor]) -> None:
    G, original = whole(), SynthesisLayer.forward
    before = draw(G)
    monkeypatch.setattr(
        SynthesisLayer, "forward", lambda self, *args, **kwargs: original(self, *args, **kwargs) * 2
    )
    assert not torch.equal(draw(G), before)
    assert len(calls) == 1


def test_hooks_on_all_modules_are_heard(calls: list[Tensor]) -> None:
    G, heard = whole(), []
    handle = nn.modules.module.register_module_forward_hook(lambda module, *_: heard.append(type(module)))
    try:
        draw(G)
    finally:
        handle.remove()
    assert SynthesisLayer in heard
    assert not calls


def test_edits_are_heard_at_once(calls: list[Tensor]) -> None:
    G = whole()
    pictures = [draw(G)]
    for name in (
        "b4.const", "b8.conv0.weight", "b8.conv1.affine.bias", "b16.conv1.noise_const", "b16.conv1.noise_strength",
        "b32.conv0.bias", "b32.conv0.resample_filter", "b32.resample_filter", "b32.torgb.weight",
    ):  # fmt: skip
        G.synthesis.state_dict()[name].data.mul_(1.5).add_(0.1 if name.endswith("bias") else 0)
        pictures.append(draw(G))
        assert not torch.equal(pictures[-1], pictures[-2]), name
    assert len(calls) == len(pictures)
    assert torch.equal(pictures[-1], draw_in_blocks(G))


def test_gradients_large_batches_and_float64_are_left_to_the_blocks(calls: list[Tensor]) -> None:
    G = whole()
    G.synthesis(torch.randn(1, G.num_ws, 16), noise_mode="const").sum().backward()
    assert draw(G, 33).shape == (33, 3, 32, 32)
    assert draw(G, 0).shape == (0, 3, 32, 32)
    assert draw(G.double()).dtype == torch.float64
    assert not calls


def test_the_operator_and_what_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    G, given = whole(), []
    original = whole_module.synthesis
    monkeypatch.setattr(whole_module, "synthesis", lambda *args: given.append(args) or original(*args))
    draw(G)
    (args,) = given
    ws, x, convs, noises, rgbs, settings = args
    convs, noises, rgbs = ([t.detach().clone() for t in tensors] for tensors in (convs, noises, rgbs))
    x = x.clone(memory_format=torch.channels_last)
    args = (ws.clone(), x, convs, noises, rgbs, settings)
    operator = torch.ops.bend.synthesis.default
    torch.library.opcheck(operator, args, test_utils=("test_schema", "test_faketensor"))
    for place, bad in (
        (0, ws[:, 1:].contiguous()),
        (0, ws.half()),
        (2, convs[:-1]),
        (2, [convs[0][:, :8].contiguous(), *convs[1:]]),
        (3, noises[:-1]),
        (3, [noises[0][1:], *noises[1:]]),
        (3, [torch.zeros(3, 1, 4, 4), *noises[1:]]),
        (4, rgbs[5:]),
        (4, [*rgbs[:2], rgbs[2].half(), *rgbs[3:]]),
        (5, settings[1:]),
    ):
        with pytest.raises(RuntimeError):
            operator(*[bad if i == place else arg for i, arg in enumerate(args)])
