"""Blends: each half of a picture shows the picture that it is taken from; layers and masks do what they say."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bend import latents
from bend.blend import open_blends, parse_blend
from bend.config import RenderConfig
from bend.errors import SettingsError
from bend.latent_file import write_latents
from bend.picture import Pixels
from bend.play import Moment
from bend.render import draw, open_plays
from stylegan.generator import Generator
from tests.bend.tiny import tiny_generator


@pytest.fixture(name="G", scope="module")
def generator() -> Generator:
    return tiny_generator(resolution=32)


def drawn(G: Generator, *blends: str, seeds: tuple[int, ...] = (1,), **settings: object) -> np.ndarray:
    config = RenderConfig(blend=blends, **settings)  # type: ignore[arg-type]
    ws = latents.ws_from_seeds(G, RenderConfig(), seeds)
    pictures: Pixels = draw(G, ws, plays=open_plays(config, G), noise_mode="const")
    return pictures.astype(int)


def apart(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).mean())


def test_far_from_the_edge_each_half_is_its_own_seed_s(G: Generator) -> None:
    """A picture of tiles, 1024 wide, would show it best; the corners of one of 32 pixels show it well enough."""
    wide = {"size": (256, 32), "extend": "tile"}
    one, two = drawn(G, seeds=(1,), **wide)[0], drawn(G, seeds=(2,), **wide)[0]
    both = drawn(G, "2@right/soft=0", **wide)[0]
    assert apart(both[:, :80], one[:, :80]) < 0.5
    assert apart(both[:, -80:], two[:, -80:]) < 0.5
    assert apart(one, two) > 10


def test_everywhere_is_the_other_picture_and_nowhere_the_first(G: Generator) -> None:
    one, two = drawn(G, seeds=(1,)), drawn(G, seeds=(2,))
    assert np.abs(drawn(G, "2@rect:-9,-9,20,20") - two).max() <= 1
    assert np.abs(drawn(G, "2@rect:-9,-9,20,20/mix=0") - one).max() <= 1
    assert np.abs(drawn(G, "2@rect:5,5,1,1/soft=0") - one).max() <= 1
    half = drawn(G, "2@rect:-9,-9,20,20/mix=.5")
    assert apart(half, one) > 1
    assert apart(half, two) > 1


def test_layers_of_the_other(G: Generator) -> None:
    """Coarse layers everywhere: what style mixing draws."""
    ws = latents.ws_from_seeds(G, RenderConfig(), [1, 2])
    mixed = ws[:1].clone()
    mixed[:, :3] = ws[1:, :3]
    assert np.abs(drawn(G, "2@rect:-9,-9,20,20/layers=coarse") - draw(G, mixed)).max() <= 1


def test_later_blends_lie_over_earlier_ones_and_batches_keep_apart(G: Generator) -> None:
    three = drawn(G, seeds=(3,))
    assert np.abs(drawn(G, "2@left", "3@rect:-9,-9,20,20") - three).max() <= 1
    batch = drawn(G, "2@left", "3@ellipse:.5,.5,.2,.2", seeds=(1, 4))
    for index, seed in enumerate((1, 4)):
        alone = drawn(G, "2@left", "3@ellipse:.5,.5,.2,.2", seeds=(seed,))
        assert np.abs(batch[index] - alone[0]).max() <= 1


def test_a_blend_is_its_own_in_tiles(G: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    from bend import tiles

    typed = ("2@ellipse:.7,.5,.2,.3", "3@left/mix=.7")
    whole = drawn(G, *typed, size=(320, 96))
    monkeypatch.setattr(tiles, "_TILE_FLOATS", tiles._floats_per_place(G) * 17**2)
    assert np.abs(drawn(G, *typed, size=(320, 96)) - whole).max() <= 1


def test_latents_and_masks_from_files(G: Generator, tmp_path: Path) -> None:
    write_latents(tmp_path / "a.npz", w=latents.w_from_z(G, latents.z_from_seeds([7, 2], 32)).numpy())
    left = np.zeros([64, 64], np.uint8)
    left[:, :32] = 255
    Image.fromarray(left).save(tmp_path / "left.png")
    by_file = drawn(G, f"{tmp_path}/a.npz:1@{tmp_path}/left.png/soft=0")
    assert np.abs(by_file - drawn(G, "2@left/soft=0")).max() <= 3
    blend = parse_blend(f"{tmp_path}/a.npz:1@{tmp_path}/left.png/soft=0")
    assert blend.files == (f"{tmp_path}/a.npz", f"{tmp_path}/left.png")


def test_truncation_and_time_reach_the_other_too(G: Generator) -> None:
    everywhere = "2@rect:-9,-9,20,20"
    ws = latents.ws_from_seeds(G, RenderConfig(trunc=0.3), [2])
    assert np.abs(drawn(G, everywhere, trunc=0.3) - draw(G, ws)).max() <= 1
    [play] = open_blends(RenderConfig(blend=(f"{everywhere}/mix=lfo(sine,0..1,2s)",)), G)
    assert play.varies
    first = latents.ws_from_seeds(G, RenderConfig(), [1])
    at = {t: draw(G, first, plays=[play], moments=[Moment(seconds=t)]).astype(int) for t in (0.0, 1.0)}
    assert np.abs(at[0.0] - drawn(G)).max() <= 1
    assert np.abs(at[1.0] - drawn(G, seeds=(2,))).max() <= 1


def test_nothing_stays_behind(G: Generator) -> None:
    before = drawn(G)
    drawn(G, "2@left")
    np.testing.assert_array_equal(drawn(G), before)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("7", "not a blend; write SEED@AREA"),
        ("x@left", "not a blend"),
        ("4294967296@left", "not a blend"),
        ("7@middle", "--blend 7@middle: 'middle' is not a mask; choose from rect, ellipse, image, left"),
        ("7@lft", "--blend 7@lft: 'lft' is not a mask; did you mean left"),
        ("7@ellipse:1,2", "takes X,Y,RX,RY"),
        ("7@nowhere.png", "image:nowhere.png: No such file"),
        ("7@left/hard=1", "hard is unknown; choose from soft, mix, layers"),
        ("7@left/soft=lfo(sine,0..1,1s)", "does not vary"),
        ("7@left/mix=x", "not a number"),
        ("7@left/layers=9-99", "this network has 8"),
        ("nowhere.npz@left", "no such file"),
    ],
)
def test_refusals(G: Generator, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        open_blends(RenderConfig(blend=(text,)), G)


def test_grammar() -> None:
    blend = parse_blend("face.npz:2@ellipse:.5,.4,.2,.3/soft=.2/mix=.8/layers=0-5")
    assert (blend.source, blend.row, blend.soft, blend.layers) == ("face.npz", 2, 0.2, "0-5")
    assert str(blend.area) == "ellipse:0.5,0.4,0.2,0.3"
    assert blend.mix.at(0) == 0.8
