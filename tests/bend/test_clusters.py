"""Clusters: channels that are awake in the same place belong together, are kept, and are shown."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bend.clusters import average_maps, cluster_layer, find_clusters, labels_of, num_clusters
from bend.latents import ws_from_z, z_from_seeds
from stylegan.generator import Generator
from stylegan.taps import hang, taps
from tests.bend.conftest import Run
from tests.bend.tiny import tiny_generator


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BEND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_channels_of_one_corner_are_one_cluster() -> None:
    generator = torch.Generator().manual_seed(0)
    corner = torch.arange(24) % 4
    maps = torch.randn(24, 8, 8, generator=generator) * 0.1
    for channel, where in enumerate(corner):
        row, column = int(where) // 2 * 4, int(where) % 2 * 4
        maps[channel, row : row + 4, column : column + 4] += 1 + float(where)
    labels, heat = cluster_layer(maps * 7 - 3, 4)
    assert len({(int(a), int(b)) for a, b in zip(corner, labels, strict=True)}) == 4
    assert labels[3] == 0  # the loudest come first
    assert heat.shape == (4, 8, 8)
    assert heat.min() >= 0
    assert heat[0, 6, 6] > 0.8
    assert heat[0, 1, 1] < 0.2


def test_no_cluster_is_empty_and_a_seed_is_a_result() -> None:
    maps = torch.randn(12, 8, 8, generator=torch.Generator().manual_seed(1))
    maps[3:] = maps[3]  # fewer shapes than clusters
    labels, _ = cluster_layer(maps, 5)
    assert set(labels) == {0, 1, 2, 3, 4}
    np.testing.assert_array_equal(cluster_layer(maps, 5)[0], labels)


def test_silent_channels_do_no_harm() -> None:
    labels, heat = cluster_layer(torch.zeros(6, 4, 4), 3)
    assert set(labels) == {0, 1, 2}
    assert np.isfinite(heat).all()


def test_fewer_clusters_the_deeper() -> None:
    assert [num_clusters(depth, 9, 64) for depth in range(9)] == [5, 5, 5, 4, 4, 4, 3, 3, 3]
    assert num_clusters(0, 9, 2) == 2


def test_maps_are_averages_over_seeds() -> None:
    G = tiny_generator()
    tap = taps(G)["b16.conv1"]
    total = torch.zeros(16, 8, 8)
    for seed in range(5):
        seen: list[torch.Tensor] = []
        with hang(G, tap, lambda x, seen=seen: (seen.append(x), x)[1]):  # type: ignore[misc]
            G.synthesis(ws_from_z(G, z_from_seeds([seed], 32)), noise_mode="none")
        total += seen[0][0].unflatten(1, (8, 2)).unflatten(3, (8, 2)).mean(dim=(2, 4))
    torch.testing.assert_close(average_maps(G, [tap], 5)["b16.conv1"], total / 5, rtol=1e-4, atol=1e-5)
    assert not any(module._forward_hooks for module in G.modules())


def test_found_once_and_kept_by_the_weights(cache: Path) -> None:
    G = tiny_generator()
    found = find_clusters(G, num_seeds=8)
    assert set(found.labels) == {tap.name for tap in taps(G).values() if tap.kind == "conv"}
    [kept] = cache.rglob("*.npz")
    stamp = kept.stat().st_mtime_ns
    again = find_clusters(G, num_seeds=8)
    assert kept.stat().st_mtime_ns == stamp
    assert all(np.array_equal(again.labels[name], found.labels[name]) for name in found.labels)
    assert all(np.array_equal(again.maps[name], found.maps[name]) for name in found.maps)
    find_clusters(tiny_generator(seed=1), num_seeds=8)
    assert len(list(cache.rglob("*.npz"))) == 2


def test_a_damaged_file_is_found_again(cache: Path) -> None:
    G = tiny_generator()
    found = find_clusters(G, num_seeds=8)
    [kept] = cache.rglob("*.npz")
    kept.write_bytes(kept.read_bytes()[:100])
    again = find_clusters(G, num_seeds=8)
    assert all(np.array_equal(again.labels[name], found.labels[name]) for name in found.labels)


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert find_clusters(tiny_generator(), num_seeds=4, cache=tmp_path / "file").labels


def test_a_conditional_network_shows_all_its_classes() -> None:
    assert set(find_clusters(tiny_generator(c_dim=2), num_seeds=4).labels)


def test_labels_are_found_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Generator] = []
    real = find_clusters
    monkeypatch.setattr("bend.clusters.find_clusters", lambda G: (asked.append(G), real(G, num_seeds=4))[1])
    labels = labels_of(tiny_generator())
    assert not asked
    assert labels("b8.conv0") is not None
    assert labels("b8.torgb") is None
    assert len(asked) == 1


def test_the_sheet_shows_every_cluster(run: Run, tiny_network: Path, tmp_path: Path) -> None:
    output = tmp_path / "clusters.png"
    status, out, _ = run("render", "clusters", "--network", tiny_network, "--layers", "b8.*", "-o", output)
    assert status == 0
    assert "1 picture" in out
    sheet = np.asarray(Image.open(output))
    assert sheet.shape[0] > 2 * 112
    assert sheet.std() > 10
    bend = "ablate@b8.conv0/cluster=0"
    grid = tmp_path / "grid.png"
    assert (
        run("render", "grid", "--network", tiny_network, "--seeds", "0", "--bend", bend, "-o", grid)[0] == 0
    )
    # The second picture of the first row is that bend.
    picture = Image.open(grid).resize((112, 112), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(sheet[58 : 58 + 112, 132 + 112 : 132 + 224], np.asarray(picture))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--seeds", "1,2"], "give one"),
        (["--layers", "*.torgb"], "only convolutions have clusters"),
        (["--layers", "b9.*"], "nearest"),
    ],
)
def test_what_cannot_be_shown_is_refused(
    run: Run, tiny_network: Path, tmp_path: Path, arguments: list[str], says: str
) -> None:
    status, _, err = run(
        "render", "clusters", "--network", tiny_network, *arguments, "-o", tmp_path / "x.png"
    )
    assert status == 1
    assert says in err
    assert err.count("\n") == 1
