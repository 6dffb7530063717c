"""Drawing: the bytes of the spec, batches that change nothing, noise that belongs to its picture."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from bend import render
from bend.config import RenderConfig
from bend.errors import SettingsError
from bend.latents import ws_from_z, z_from_seeds
from stylegan.checkpoint import Network, NetworkMeta, load_network
from stylegan.errors import ConfigError
from tests.bend.tiny import save_tiny, tiny_generator


def test_pictures_are_the_official_bytes() -> None:
    G = tiny_generator()
    z = torch.from_numpy(np.random.RandomState(4).randn(1, 32))
    image = G(z, None, truncation_psi=0.7, noise_mode="const")
    expected = (image.permute(0, 2, 3, 1) * 127.5 + 128).clamp(0, 255).to(torch.uint8)[0].numpy()
    picture = next(iter(render.images(G, [4], truncation_psi=0.7)))
    assert picture.shape == (16, 16, 3)
    assert picture.dtype == np.uint8
    assert np.abs(picture.astype(int) - expected).max() <= 1
    assert picture.std() > 10


@pytest.mark.parametrize("noise_mode", ["const", "random", "none"])
def test_batch_changes_at_most_rounding(noise_mode: str) -> None:
    G = tiny_generator()
    one, three = ([*render.images(G, range(7), noise_mode=noise_mode, batch=b)] for b in (1, 3))
    assert len(one) == len(three) == 7
    assert max(np.abs(a.astype(int) - b).max() for a, b in zip(one, three, strict=True)) <= 1


def test_random_noise_belongs_to_the_seed() -> None:
    G = tiny_generator()
    first, again = ([*render.images(G, [5, 6], noise_mode="random")] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    [alone] = render.images(G, [6], noise_mode="random")
    np.testing.assert_array_equal(alone, first[1])
    ws = ws_from_z(G, z_from_seeds([5], 32)).repeat(2, 1, 1)
    grain = render.draw(G, ws, noise_mode="random", noise_seeds=[0, 1])
    assert (grain[0] != grain[1]).any()


def test_random_noise_leaves_torch_s_own_generator_alone() -> None:
    before = torch.get_rng_state()
    list(render.images(tiny_generator(), [], noise_mode="random"))
    torch.set_rng_state(before)
    G = tiny_generator()
    before = torch.get_rng_state()
    list(render.images(G, [1], noise_mode="random"))
    assert torch.equal(torch.get_rng_state(), before)


def test_streams_lazily() -> None:
    drawn = render.images(tiny_generator(), itertools.count(), batch=2)
    assert len(list(itertools.islice(drawn, 5))) == 5


def test_frames_draw_ws() -> None:
    G = tiny_generator()
    ws = ws_from_z(G, z_from_seeds(range(3), 32))
    np.testing.assert_array_equal([*render.frames(G, ws, batch=2)], [*render.images(G, range(3), batch=2)])


def test_grey_becomes_three_channels() -> None:
    [picture] = render.images(tiny_generator(img_channels=1), [0])
    assert picture.shape == (16, 16, 3)
    np.testing.assert_array_equal(picture[..., 0], picture[..., 2])
    with pytest.raises(SettingsError, match="4 channels"):
        list(render.images(tiny_generator(img_channels=4), [0]))


def test_values_that_are_no_numbers_are_black() -> None:
    G = tiny_generator()
    G.get_parameter("synthesis.b16.torgb.bias").fill_(float("nan"))
    [picture] = render.images(G, [0])
    assert not picture.any()


def test_conditional_network_needs_its_class() -> None:
    G = tiny_generator(c_dim=2)
    zero, one = (next(iter(render.images(G, [0], class_index=k))) for k in (0, 1))
    assert (zero != one).any()
    with pytest.raises(SettingsError, match="choose --class"):
        render.images(G, [0])


@pytest.mark.parametrize(
    "settings",
    [{"truncation_psi": float("nan")}, {"noise_mode": "loud"}, {"class_index": 0}, {"device": "abacus"}],
)
def test_nonsense_is_refused_at_the_call(settings: dict[str, object]) -> None:
    with pytest.raises((SettingsError, ConfigError)):
        render.images(tiny_generator(), [0], **settings)  # type: ignore[arg-type]


def test_network_gives_ema_or_raw() -> None:
    G, G_ema = tiny_generator(seed=0), tiny_generator(seed=1)
    net = Network(G=G, D=None, G_ema=G_ema, meta=NetworkMeta(), path=None)  # type: ignore[arg-type]
    assert render.generator_of(net) is G_ema
    assert render.generator_of(net, "raw") is G
    [picture] = render.images(net, [0])
    [expected] = render.images(G_ema, [0])
    np.testing.assert_array_equal(picture, expected)


def test_open_generator_loads_and_draws_the_same(tmp_path: Path) -> None:
    path = save_tiny(tmp_path / "net.safetensors")
    G = render.open_generator(RenderConfig(network=str(path), device="cpu"))
    [picture] = render.images(G, [9])
    [expected] = render.images(tiny_generator(), [9])
    np.testing.assert_array_equal(picture, expected)
    assert load_network(path).G is None


def test_batch_fits_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    with torch.device("meta"):
        big = render.Generator(
            64, 0, 64, 1024, 3, synthesis_kwargs={"channel_base": 32768, "channel_max": 512}
        )
    monkeypatch.setattr(render, "device_of", lambda _: torch.device("cpu"))
    monkeypatch.setattr(render, "free_bytes", lambda _: 2**40)
    assert render.fitting_batch(big) == 1
    assert render.fitting_batch(tiny_generator()) == 16
    monkeypatch.setattr(render, "free_bytes", lambda _: 2**20)
    assert render.fitting_batch(tiny_generator()) == 2


@pytest.mark.gpu
def test_gpu_draws_the_same() -> None:
    G = tiny_generator()
    on_cpu = [*render.images(G, range(8))]
    on_gpu = [*render.images(G, range(8), device="cuda")]
    difference = np.abs(np.stack(on_cpu).astype(int) - np.stack(on_gpu))
    assert difference.max() <= 2


def test_a_file_stands_for_its_network(tiny_network: Path) -> None:
    by_path = list(render.images(tiny_network, [0, 1]))
    by_name = list(render.images(str(tiny_network), [0, 1]))
    wanted = list(render.images(load_network(tiny_network), [0, 1]))
    assert all(np.array_equal(a, b) for a, b in zip(by_path + by_name, wanted * 2, strict=True))
