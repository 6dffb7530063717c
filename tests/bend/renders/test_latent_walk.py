"""Walks drawn: loops that close to the pixel, grids that show their own seeds, films that are resumed."""

from pathlib import Path

import numpy as np
import pytest
import torch

from bend.config import PATHS, FilmConfig, RenderConfig, WalkConfig
from bend.errors import SettingsError
from bend.latents import w_avg, ws_from_z, z_from_seeds
from bend.picture import Pixels
from bend.render import images
from bend.renders.latent_walk import render_latent_walk, walk_frames, walk_seeds
from bend.strand import strand_of
from bend.walks import WALKS
from tests.bend.tiny import tiny_generator
from tests.bend.walking import walk_ws

PLAIN = RenderConfig()


def frames(
    num: int, walk: WalkConfig, config: RenderConfig = PLAIN, wanted: object = None
) -> dict[int, Pixels]:
    dealt = walk_seeds(walk, None)
    indices = range(num) if wanted is None else wanted
    drawn = walk_frames(tiny_generator(), config, walk, dealt, num_frames=num, wanted=indices)  # type: ignore[arg-type]
    return dict(drawn)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("space", ["z", "w"])
def test_every_path_moves_in_both_spaces(path: str, space: str) -> None:
    film = frames(12, WalkConfig(path=path, space=space, loop=True))
    assert list(film) == list(range(12))
    stack = np.stack(list(film.values())).astype(int)
    assert stack.shape == (12, 16, 16, 3)
    steps = np.abs(np.diff(stack, axis=0)).mean(axis=(1, 2, 3))
    assert (steps > 0).all()
    seam = np.abs(stack[0] - stack[-1]).mean()
    assert seam <= 2 * steps.max()


@pytest.mark.parametrize("path", PATHS)
def test_loop_s_next_frame_would_be_its_first(path: str) -> None:
    """t = 1 gives the ws of t = 0, to float32."""
    G, walk = tiny_generator(), WalkConfig(path=path, loop=True)
    [seeds] = walk_seeds(walk, None)
    ws = walk_ws(G, PLAIN, walk, seeds, 24)
    seam = strand_of(G, PLAIN, walk, seeds).ws(G, PLAIN, np.array([1.0]))
    torch.testing.assert_close(seam[0], ws[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("path", [name for name in PATHS if WALKS[name].passes_keyframes])
def test_keyframes_are_the_seeds_pictures(path: str) -> None:
    G, walk = tiny_generator(), WalkConfig(path=path, loop=True)
    config = RenderConfig(trunc=0.6, trunc_cutoff=3)
    drawn = dict(walk_frames(G, config, walk, [(4, 5, 6)], num_frames=9, wanted=range(9)))
    expected = images(G, [4, 5, 6], truncation_psi=0.6, truncation_cutoff=3)
    for index, picture in zip((0, 3, 6), expected, strict=True):
        assert np.abs(drawn[index].astype(int) - picture).max() <= 1


def test_open_walk_ends_on_its_last_keyframe() -> None:
    G = tiny_generator()
    ws = walk_ws(G, PLAIN, WalkConfig(path="linear"), [0, 1, 2], 11)
    torch.testing.assert_close(ws[[0, 5, 10]], ws_from_z(G, z_from_seeds([0, 1, 2], 32)), rtol=0, atol=1e-6)


def test_truncation_zero_stands_still() -> None:
    G = tiny_generator()
    for path in PATHS:
        walk = WalkConfig(path=path)
        ws = walk_ws(G, RenderConfig(trunc=0), walk, walk_seeds(walk, None)[0], 4)
        torch.testing.assert_close(ws, w_avg(G).expand_as(ws))


def test_grid_film_shows_each_walk_in_its_place() -> None:
    G = tiny_generator()
    walk = WalkConfig(path="linear", grid=(2, 2), loop=True)
    dealt = walk_seeds(walk, range(8))
    assert dealt == [(0, 1), (2, 3), (4, 5), (6, 7)]
    film = dict(walk_frames(G, PLAIN, walk, dealt, num_frames=4, wanted=range(4)))
    assert film[0].shape == (32, 32, 3)
    alone = dict(
        walk_frames(G, PLAIN, WalkConfig(path="linear", loop=True), [(4, 5)], num_frames=4, wanted=range(4))
    )
    for index in range(4):
        assert np.abs(film[index][16:, :16].astype(int) - alone[index]).max() <= 1


@pytest.mark.parametrize("noise_mode", ["const", "random"])
@pytest.mark.parametrize("batch", [1, 3, 8])
def test_frames_drawn_apart_are_the_same_bytes(noise_mode: str, batch: int) -> None:
    walk = WalkConfig(path="spline", grid=(2, 1), loop=True)
    config = RenderConfig(noise_mode=noise_mode, batch=batch)
    whole = frames(10, walk, config)
    part = frames(10, walk, config, wanted={4, 7})
    assert {4, 7} <= set(part) < set(whole)
    for index, picture in part.items():
        np.testing.assert_array_equal(picture, whole[index])


def test_scale_enlarges_each_picture() -> None:
    film = frames(2, WalkConfig(path="noise", grid=(2, 1)), RenderConfig(scale=3))
    assert film[0].shape == (48, 96, 3)


def test_seeds_are_dealt_or_refused() -> None:
    assert walk_seeds(WalkConfig(), None) == [(0, 1, 2, 3)]
    assert walk_seeds(WalkConfig(path="noise", grid=(3, 1)), None) == [(0,), (1,), (2,)]
    with pytest.raises(SettingsError, match="multiple of 4"):
        walk_seeds(WalkConfig(grid=(2, 2)), [1, 2, 3])
    with pytest.raises(SettingsError, match="slerp walk wants 2 or more seeds, not 1"):
        walk_seeds(WalkConfig(), [1])
    with pytest.raises(SettingsError, match="circle walk wants 2 to 3 seeds, not 4"):
        walk_seeds(WalkConfig(path="circle"), range(4))


def test_refusals_come_before_the_network_is_read(tmp_path: Path) -> None:
    nowhere = RenderConfig(network="no-such-network")
    with pytest.raises(SettingsError, match="circle walk"):
        render_latent_walk(nowhere, WalkConfig(path="circle"), FilmConfig(), range(5), tmp_path / "a.mp4")
