"""Directions: SeFa and PCA against numpy's own decompositions, the grammar, and what steering does to w."""

from pathlib import Path

import numpy as np
import pytest
import torch

from bend import latents
from bend.automation import Constant
from bend.config import RenderConfig
from bend.directions import Direction, open_directions, parse_direction, spread_of_w
from bend.directions.sefa import sefa
from bend.directions.steering import vector_of
from bend.errors import SettingsError
from bend.play import Moment
from bend.render import draw, open_plays
from bend.style_layers import style_layers
from stylegan.generator import Generator
from tests.bend.tiny import tiny_generator


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BEND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(name="G")
def generator() -> Generator:
    return tiny_generator()


def aligned(found: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Cosines of rows, whatever their signs."""
    return np.abs((found * reference).sum(axis=1))


def test_sefa_is_the_right_singular_vectors_of_the_stacked_affines(G: Generator) -> None:
    stacked = np.concatenate(
        [at.layer.affine.weight.double().numpy() * at.layer.affine.weight_gain for at in style_layers(G)]
    )
    _, strengths, reference = np.linalg.svd(stacked)
    found = sefa(G, slice(0, G.num_ws)).numpy()
    assert found.shape == (32, 32)
    np.testing.assert_allclose(aligned(found, reference), 1, atol=1e-9)
    assert (np.diff(np.linalg.norm(stacked @ found.T, axis=0)) <= 1e-9).all()
    np.testing.assert_allclose(np.linalg.norm(stacked @ found[0]), strengths[0])
    largest = found[np.arange(32), np.abs(found).argmax(axis=1)]
    assert (largest > 0).all()


def test_sefa_of_some_layers_looks_at_those_only(G: Generator) -> None:
    only = style_layers(G)[2].layer.affine.weight.double().numpy()
    _, _, reference = np.linalg.svd(only)
    found = sefa(G, slice(2, 3)).numpy()
    np.testing.assert_allclose(aligned(found[:16], reference[:16]), 1, atol=1e-8)


def test_pca_is_numpy_s(G: Generator) -> None:
    z = np.random.RandomState(0).randn(10_000, 32)
    w = latents.w_from_z(G, z).double().numpy()
    _, singular, reference = np.linalg.svd(w - w.mean(axis=0), full_matrices=False)
    spread = spread_of_w(G)
    np.testing.assert_allclose(aligned(spread.components.numpy(), reference), 1, atol=1e-6)
    np.testing.assert_allclose(spread.std.numpy(), singular / 100, rtol=1e-6)
    np.testing.assert_allclose(spread.mean.numpy(), w.mean(axis=0), atol=1e-9)
    unit = sefa(G, slice(0, 5))
    np.testing.assert_allclose(spread.along(unit).numpy(), (w @ unit.numpy().T).std(axis=0), rtol=1e-5)


def test_spread_is_kept_by_network_and_mended_if_broken(
    G: Generator, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = spread_of_w(G)
    [kept] = (cache / "directions").iterdir()
    before = kept.read_bytes()
    kept.unlink()
    spread_of_w(G)
    assert kept.read_bytes() == before
    with monkeypatch.context() as patch:
        patch.setattr(latents, "w_from_z", lambda *args: pytest.fail("sampled again"))
        again = spread_of_w(G)
    assert torch.equal(first.components, again.components)
    assert torch.equal(first.std, again.std)
    kept.write_bytes(b"cut short")
    assert torch.equal(spread_of_w(G).std, first.std)
    spread_of_w(tiny_generator(seed=1))
    assert len(list((cache / "directions").iterdir())) == 2


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(
    G: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("BEND_CACHE", str(tmp_path / "file" / "below"))
    assert spread_of_w(G).std.shape == (32,)


@pytest.mark.parametrize(
    ("text", "direction"),
    [
        ("sefa:3*2.5", Direction(source="sefa", index=3, amount=Constant(2.5))),
        ("pca:0*-2@4-8", Direction(source="pca", index=0, amount=Constant(-2.0), layers="4-8")),
        ("sefa", Direction(source="sefa")),
        ("sefa:1@coarse", Direction(source="sefa", index=1, layers="coarse")),
        ("a@b/smile.npz:2*1", Direction(source="a@b/smile.npz", index=2)),
        ("a@b/SMILE.NPZ", Direction(source="a@b/SMILE.NPZ")),
    ],
)
def test_grammar(text: str, direction: Direction) -> None:
    assert parse_direction(text) == direction
    assert parse_direction(str(direction)) == direction


def test_amounts_vary() -> None:
    direction = parse_direction("sefa:3*lfo(sine,-2..2,4s)@0-2")
    assert direction.amount.varies
    assert direction.amount.at(2) == 2
    assert direction.layers == "0-2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a direction"),
        ("sefa:-1*1", r"--direction sefa:-1\*1: -1 is not an index; directions count from 0"),
        ("pca:0*nan", r"--direction pca:0\*nan: 'nan' is not finite"),
        ("foo", "--direction foo: 'foo' is unknown"),
        ("sefa:3*x", "not a number"),
        ("sefa:3*1@x-y", "not a range of layers"),
        ("sefa:3*1@5-2", "run backwards; write 2-5"),
        ("sefa:32*1", "sefa has 32 directions; choose 0 to 31"),
        ("tsne:0*1", "'tsne' is unknown; choose from sefa, pca, or an .npz file"),
        ("sefa:0*1@0-6", "this network has 6; name layers from 0 to 5"),
        ("sefa:0*1@fine", "no fine layers, it ends at 16 pixels"),
        ("nowhere.npz*1", "nowhere.npz: no such file"),
    ],
)
def test_refusals(G: Generator, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        open_directions(RenderConfig(direction=(text,)), G)


@pytest.mark.parametrize("shape", [(), (2, 31), (1, 2, 3, 32)])
def test_files_of_other_shapes_are_refused(G: Generator, tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.savez(tmp_path / "a.npz", directions=np.zeros(shape))
    with pytest.raises(SettingsError, match="holds no directions of this network"):
        open_directions(RenderConfig(direction=(f"{tmp_path / 'a.npz'}:0*1",)), G)


def heard(G: Generator, config: RenderConfig, ws: torch.Tensor, t: float = 0.0) -> torch.Tensor:
    """The ws that the first layers see."""
    seen: list[torch.Tensor] = []
    [play] = open_directions(config, G)
    with play.during(G, Moment(seconds=t)):
        handle = G.synthesis.tap_ws.register_forward_hook(lambda module, args, output: seen.append(output))
        G.synthesis(ws, noise_mode="const")
        handle.remove()
    return seen[-1]


def test_steering_adds_standard_deviations_in_its_layers(G: Generator) -> None:
    ws = latents.ws_from_z(G, latents.z_from_seeds([1, 2], 32))
    spread = spread_of_w(G)
    moved = heard(G, RenderConfig(direction=("pca:1*2@1-2",)), ws) - ws
    step = 2 * spread.std[1] * spread.components[1]
    torch.testing.assert_close(moved[:, 1:3], step.float().expand(2, 2, -1), atol=1e-5, rtol=0)
    assert not moved[:, [0, 3, 4, 5]].any()


def test_steering_adds_up_and_follows_time(G: Generator) -> None:
    ws = latents.ws_from_z(G, latents.z_from_seeds([1], 32))
    config = RenderConfig(direction=("sefa:0*0s:0,2s:2", "pca:0*-1"))
    one, other = (vector_of(G, parse_direction(text)) for text in ("sefa:0", "pca:0"))
    for t in (0.0, 1.0, 2.0):
        moved = heard(G, config, ws, t) - ws
        torch.testing.assert_close(moved[0, 3].double(), t * one - other, atol=1e-5, rtol=0)
    [play] = open_directions(config, G)
    assert play.varies


def test_a_file_s_vectors_are_taken_as_they_are(G: Generator, tmp_path: Path) -> None:
    vectors = np.random.RandomState(3).randn(2, 32)
    path = tmp_path / "smile.npz"
    np.savez(path, directions=vectors)
    np.testing.assert_array_equal(vector_of(G, parse_direction(f"{path}:1")).numpy(), vectors[1])
    np.savez(path, by_layer=np.zeros([3, 6, 32]))
    assert vector_of(G, parse_direction(f"{path}:2")).shape == (6, 32)
    np.savez(path, one=vectors[0])
    np.testing.assert_array_equal(vector_of(G, parse_direction(str(path))).numpy(), vectors[0])
    np.savez(path, one=np.zeros([2, 31]))
    with pytest.raises(SettingsError, match=r"give directions \[K, 32\]"):
        vector_of(G, parse_direction(str(path)))


def test_nothing_stays_behind(G: Generator) -> None:
    ws = latents.ws_from_z(G, latents.z_from_seeds([1], 32))
    before = draw(G, ws)
    plays = open_plays(RenderConfig(direction=("sefa:0*3",)), G)
    assert np.abs(draw(G, ws, plays=plays).astype(int) - before).mean() > 1
    np.testing.assert_array_equal(draw(G, ws), before)


def test_a_class_s_own_spread(tmp_path: Path) -> None:
    G = tiny_generator(c_dim=2)
    assert not torch.equal(spread_of_w(G, 0).std, spread_of_w(G, 1).std)
    with pytest.raises(SettingsError, match="conditional"):
        spread_of_w(G)
