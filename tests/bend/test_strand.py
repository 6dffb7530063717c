"""Walks through latents from files, in w and w+, and at a pace that looks even."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from bend import latents
from bend.config import RenderConfig, WalkConfig
from bend.errors import SettingsError
from bend.latent_file import write_latents
from bend.picture import Pixels
from bend.projection.perception import by_pixels
from bend.renders.latent_walk import walk_frames, walk_seeds
from bend.strand import keyframes_given, strand_of
from tests.bend.tiny import tiny_generator
from tests.bend.walking import walk_ws

PLAIN = RenderConfig()


def test_a_file_of_w_walks_as_its_seeds_do(tmp_path: Path) -> None:
    G = tiny_generator()
    path = tmp_path / "w.npz"
    write_latents(path, w=latents.w_from_z(G, latents.z_from_seeds([3, 4, 5], 32)).numpy())
    for name in ("linear", "spline"):
        wanted = walk_ws(G, RenderConfig(trunc=0.7), WalkConfig(path=name, loop=True), [3, 4, 5], 9)
        for config, walk in (
            (RenderConfig(trunc=0.7), WalkConfig(path=name, loop=True, path_file=str(path))),
            (RenderConfig(trunc=0.7, latents=(str(path),)), WalkConfig(path=name, loop=True)),
        ):
            assert keyframes_given(config, walk) == 3
            torch.testing.assert_close(walk_ws(G, config, walk, range(3), 9), wanted, atol=1e-5, rtol=0)


def test_stored_z_of_a_class_walk_as_their_seeds_do(tmp_path: Path) -> None:
    G = tiny_generator(c_dim=2)
    path = tmp_path / "z.npz"
    np.savez(path, z=latents.z_from_seeds([3, 4], 32))
    config = RenderConfig(class_index=1, trunc=0.7, trunc_cutoff=2)
    walk = WalkConfig(path="linear", space="w")
    stored = dataclasses.replace(config, latents=(str(path),))
    wanted = walk_ws(G, config, walk, [3, 4], 5)
    torch.testing.assert_close(
        walk_ws(G, stored, WalkConfig(path="linear"), range(2), 5), wanted, atol=1e-5, rtol=0
    )


def test_in_w_plus_every_layer_has_its_own_path(tmp_path: Path) -> None:
    G = tiny_generator()
    rows = torch.randn(3, 6, 32, generator=torch.Generator().manual_seed(0))
    path = tmp_path / "ws.npz"
    write_latents(path, ws=rows.numpy())
    ws = walk_ws(G, PLAIN, WalkConfig(path="linear", path_file=str(path)), range(3), 5)
    halfway = [rows[0], (rows[0] + rows[1]) / 2, rows[1], (rows[1] + rows[2]) / 2, rows[2]]
    torch.testing.assert_close(ws, torch.stack(halfway), atol=1e-5, rtol=0)


def test_keyframes_lie_at_their_times(tmp_path: Path) -> None:
    G = tiny_generator()
    rows = latents.w_from_z(G, latents.z_from_seeds([0, 1, 2], 32))
    path = tmp_path / "w.npz"
    write_latents(path, w=rows.numpy(), times=np.array([0, 1, 4]))
    for name in ("linear", "spline", "slerp"):
        ws = walk_ws(G, PLAIN, WalkConfig(path=name, path_file=str(path)), range(3), 5)
        torch.testing.assert_close(ws[[0, 1, 4], 0], rows, atol=1e-5, rtol=0)
    with pytest.raises(SettingsError, match="a noise walk passes no keyframes"):
        strand_of(G, PLAIN, WalkConfig(path="noise", path_file=str(path)), [0])
    with pytest.raises(SettingsError, match=r"--even: .* says when each keyframe is passed"):
        strand_of(G, PLAIN, WalkConfig(path="linear", path_file=str(path), even=True), [0, 1])
    with pytest.raises(SettingsError, match="must rise; name the rows in order"):
        strand_of(G, PLAIN, WalkConfig(path="linear", path_file=str(path)), [1, 0])


def test_refusals(tmp_path: Path) -> None:
    G = tiny_generator()
    path = str(tmp_path / "w.npz")
    write_latents(Path(path), w=np.zeros([2, 32]))
    with pytest.raises(SettingsError, match="leave one of them out"):
        keyframes_given(RenderConfig(latents=(path,)), WalkConfig(path_file=path))
    with pytest.raises(SettingsError, match="--space z: latents from a file are in w"):
        strand_of(G, PLAIN, WalkConfig(space="z", path_file=path), [0, 1])
    with pytest.raises(SettingsError, match="holds 2 latents, numbered from 0"):
        strand_of(G, PLAIN, WalkConfig(path_file=path), [0, 2])


def steps(film: dict[int, Pixels], closed: bool) -> np.ndarray:
    """Distance from each frame to the next, as low-resolution pixels see it."""
    images = torch.from_numpy(np.stack(list(film.values()))).permute(0, 3, 1, 2) / 127.5 - 1
    seen = by_pixels().embed(images)
    after = torch.cat([seen[1:], seen[:1]]) if closed else seen[1:]
    return (after - seen[: len(after)]).norm(dim=1).numpy()


@pytest.mark.parametrize(("path", "loop"), [("linear", True), ("slerp", False)])
def test_an_even_walk_takes_equal_steps(tmp_path: Path, path: str, loop: bool) -> None:
    """Two keyframes near each other and two far apart: by time one crawls, then leaps."""
    G = tiny_generator()
    w = latents.w_from_z(G, latents.z_from_seeds([0, 1], 32))
    file = tmp_path / "w.npz"
    write_latents(file, w=torch.stack([w[0], w[0].lerp(w[1], 0.1), w[1]]).numpy())

    def film(even: bool) -> dict[int, Pixels]:
        walk = WalkConfig(path=path, loop=loop, path_file=str(file), even=even)
        return dict(walk_frames(G, PLAIN, walk, [range(3)], num_frames=24, wanted=range(24)))

    evenly = film(True)
    by_time, even = steps(film(False), loop), steps(evenly, loop)
    uneven = by_time.std() / by_time.mean()
    assert uneven > 0.3
    assert even.std() / even.mean() < uneven / 5
    again = film(True)
    assert all(np.array_equal(evenly[index], again[index]) for index in evenly)


def test_even_and_closed_meet(tmp_path: Path) -> None:
    G = tiny_generator()
    walk = WalkConfig(path="circle", even=True)
    [seeds] = walk_seeds(walk, None)
    film = dict(walk_frames(G, PLAIN, walk, [seeds], num_frames=16, wanted=range(16)))
    taken = steps(film, closed=True)
    assert taken.max() < 1.5 * taken.min()


def test_trunc_may_vary_along_a_walk() -> None:
    G = tiny_generator()
    walk = WalkConfig(path="linear")
    config = RenderConfig(trunc="0s:1,1s:0")
    film = dict(walk_frames(G, config, walk, [(0, 1)], num_frames=5, wanted=range(5), fps=4))
    full = dict(walk_frames(G, PLAIN, walk, [(0, 1)], num_frames=5, wanted=range(5), fps=4))
    none = dict(walk_frames(G, RenderConfig(trunc=0), walk, [(0, 1)], num_frames=5, wanted=range(5), fps=4))
    assert np.abs(film[0].astype(int) - full[0]).max() <= 1
    assert np.abs(film[4].astype(int) - none[4]).max() <= 1
    assert np.abs(film[2].astype(int) - full[2]).mean() > 1
