"""Other sizes: what the wider constant holds, tiles that show no seam, and pictures that keep their middle."""

import numpy as np
import pytest
import torch
from torch import Tensor

from bend import latents, tiles
from bend.config import EXTEND_MODES, RenderConfig
from bend.errors import SettingsError
from bend.play import Moment
from bend.render import draw, open_plays
from bend.sizes import Sized, extend, extend_noise, open_size
from bend.tiles import HALO, current_canvas, tile_spans
from stylegan.generator import Generator
from tests.bend.tiny import tiny_generator

ROW = torch.tensor([0.0, 1, 2, 3]).reshape(1, 1, 1, 4)


@pytest.fixture(name="G", scope="module")
def generator() -> Generator:
    return tiny_generator(resolution=32)


@pytest.fixture(scope="module")
def ws(G: Generator) -> Tensor:
    return latents.ws_from_z(G, latents.z_from_seeds([0], 32))


def synthesised(G: Generator, ws: Tensor, play: Sized, noise_mode: str = "const") -> Tensor:
    with torch.inference_mode(), play.during(G, Moment()):
        generator = torch.Generator().manual_seed(5)
        image: Tensor = G.synthesis(ws, noise_mode=noise_mode, generator=generator)
        return image


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("tile", [2, 3, 0, 1, 2, 3, 0, 1, 2]),
        ("reflect", [1, 0, 0, 1, 2, 3, 3, 2, 1]),
        ("stretch", np.clip((np.arange(9) + 0.5) * 4 / 9 - 0.5, 0, 3)),
    ],
)
def test_a_wider_constant(how: str, expected: object) -> None:
    wide = extend(ROW, 1, 9, how)
    np.testing.assert_allclose(wide.flatten().numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("how", EXTEND_MODES)
def test_its_own_size_is_itself(how: str) -> None:
    x = torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(extend(x, 4, 4, how), x)
    noise = torch.randn(8, 8)
    torch.testing.assert_close(extend_noise(noise, 8, 8, seed=1), noise)


@pytest.mark.parametrize("how", ["tile", "reflect"])
def test_a_narrower_constant_is_the_middle(how: str) -> None:
    assert extend(ROW, 1, 2, how).flatten().tolist() == [1, 2]


def test_noise_keeps_its_own_in_the_middle_and_is_seeded() -> None:
    noise = torch.randn(8, 8)
    wide = extend_noise(noise, 16, 6, seed=3)
    assert wide.shape == (16, 6)
    torch.testing.assert_close(wide[4:12], noise[:, 1:7])
    torch.testing.assert_close(wide, extend_noise(noise, 16, 6, seed=3))
    assert not torch.equal(wide[:4], extend_noise(noise, 16, 6, seed=4)[:4])
    assert 0.5 < extend_noise(noise, 64, 64, seed=0).std() < 1.5


def test_layers_of_one_size_have_noise_of_their_own(G: Generator, ws: Tensor) -> None:
    noises: list[Tensor] = []
    block = G.synthesis.b16

    def watch(module: object, args: object, output: Tensor) -> None:
        noises.extend(layer.noise_const for layer in (block.conv0, block.conv1))

    with block.conv1.register_forward_hook(watch):
        synthesised(G, ws, Sized(rows=8, columns=8, how="reflect"))
    one, other = (noise[0] for noise in noises)  # a row beyond what the layers have
    assert one.shape == (32,)
    assert abs(torch.corrcoef(torch.stack([one, other]))[0, 1]) < 0.6


@pytest.mark.parametrize(("width", "height"), [(96, 32), (32, 64), (40, 24), (16, 16)])
@pytest.mark.parametrize("how", EXTEND_MODES)
def test_pictures_have_the_size(G: Generator, ws: Tensor, how: str, width: int, height: int) -> None:
    plays = open_plays(RenderConfig(size=(width, height), extend=how), G)
    assert draw(G, ws, plays=plays).shape == (1, height, width, 3)
    assert draw(G, ws).shape == (1, 32, 32, 3)


def test_the_network_is_as_it_was_afterwards(G: Generator, ws: Tensor) -> None:
    before = {name: tensor.clone() for name, tensor in G.state_dict().items()}
    plain = draw(G, ws)
    for config in (RenderConfig(size=(96, 64)), RenderConfig(size=(32, 32)), RenderConfig()):
        draw(G, ws, plays=open_plays(config, G))
    assert all(torch.equal(tensor, before[name]) for name, tensor in G.state_dict().items())
    assert "forward" not in vars(G.synthesis)
    np.testing.assert_array_equal(draw(G, ws), plain)


def test_the_native_size_by_the_wide_way_is_the_plain_picture(G: Generator, ws: Tensor) -> None:
    wide = synthesised(G, ws, Sized(rows=4, columns=4, how="reflect"))
    with torch.inference_mode():
        torch.testing.assert_close(wide, G.synthesis(ws, noise_mode="const"), atol=1e-5, rtol=0)


@pytest.mark.parametrize("noise_mode", ["const", "random", "none"])
def test_tiles_show_no_seam(
    G: Generator, ws: Tensor, noise_mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = synthesised(G, ws, Sized(rows=18, columns=20, how="tile", in_tiles=False), noise_mode)
    monkeypatch.setattr(tiles, "_TILE_FLOATS", tiles._floats_per_place(G) * (2 * HALO + 6) ** 2)
    seen = []

    def watch(module: object, args: object, output: Tensor) -> None:
        canvas = current_canvas()
        assert canvas is not None
        seen.append(str(canvas.span))

    with G.synthesis.b4.conv1.register_forward_hook(watch):
        tiled = synthesised(G, ws, Sized(rows=18, columns=20, how="tile"), noise_mode)
    assert len(set(seen)) == 3 * 4
    assert whole.shape == (1, 3, 144, 160)
    assert whole.std() > 0.1
    torch.testing.assert_close(tiled, whole, atol=1e-4, rtol=0)
    assert current_canvas() is None


def test_half_the_halo_would_show() -> None:
    """The halo is not much wider than necessary: with two pixels less, a seam shows."""
    G = tiny_generator(resolution=64)
    ws = latents.ws_from_z(G, latents.z_from_seeds([0], 32))
    whole = synthesised(G, ws, Sized(rows=12, columns=30, how="tile", in_tiles=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "_TILE_FLOATS", tiles._floats_per_place(G) * 18**2)
        torch.testing.assert_close(
            synthesised(G, ws, Sized(rows=12, columns=30, how="tile")), whole, atol=1e-4, rtol=0
        )
        patch.setattr(tiles, "HALO", 3)
        seam = synthesised(G, ws, Sized(rows=12, columns=30, how="tile")) - whole
        assert seam.abs().max() > 1e-3


def test_spans_cover_once_and_overlap_by_the_halo() -> None:
    spans = tile_spans(23, 4)
    assert [place for start, stop, _, _ in spans for place in range(start, stop)] == list(range(23))
    assert spans[0][2] == 0
    assert spans[-1][3] == 23
    assert all(
        low == max(start - HALO, 0) and high == min(stop + HALO, 23) for start, stop, low, high in spans
    )


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((100, 32), "this network draws multiples of 8; ask for 96x32"),
        ((32, 100), "this network draws multiples of 8; ask for 32x96"),
        ((1, 1), "ask for 8x8"),
        ((16384, 16384), "more than 67,108,864 pixels"),
    ],
)
def test_refusals(G: Generator, size: tuple[int, int], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        open_size(RenderConfig(size=size), G)
    assert open_size(RenderConfig(size=(32, 32)), G) == ()
