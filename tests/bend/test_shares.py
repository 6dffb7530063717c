"""Pictures and films drawn by two processes have the bytes of those drawn by one."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bend.cli import bend
from bend.shares import drawn_together, own_share
from stylegan.distributed import ALONE, Team
from stylegan.launch import Launch
from tests.bend.tiny import save_tiny
from tests.torchrun import torchrun

WALK = ["render", "latent-walk", "--seeds", "0-3", "--seconds", "0.5", "--fps", "20", "--batch", "2"]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("network") / "tiny.safetensors")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def draw_alone(arguments: list[str], network: Path, output: Path) -> None:
    outcome = CliRunner().invoke(bend, [*arguments, "--network", str(network), "-o", str(output)])
    assert outcome.exit_code == 0, outcome.output


@pytest.mark.slow
def test_frames_of_two_processes(network: Path, tmp_path: Path) -> None:
    draw_alone(WALK, network, tmp_path / "alone")
    two = tmp_path / "two"
    two.mkdir()
    kept = tmp_path / "alone" / "frame000003.png"
    (two / kept.name).write_bytes(kept.read_bytes())  # drawn before; the others are shared out
    done = torchrun("bend", *WALK, "--network", network, "-o", two)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{two}: 10 pictures, 16×16, 1 already there"]
    assert contents(two) == contents(tmp_path / "alone")


@pytest.mark.slow
def test_a_film_and_pictures_of_two_processes(network: Path, tmp_path: Path) -> None:
    images = ["render", "images", "--seeds", "0-4"]
    grid = ["render", "grid", "--seeds", "0-3"]  # one file, which the first process draws alone
    for arguments, name in ((WALK, "film.mp4"), (images, "images"), (grid, "grid.png")):
        alone, two = tmp_path / "alone" / name, tmp_path / "two" / name
        draw_alone(arguments, network, alone)
        done = torchrun("bend", *arguments, "--network", network, "-o", two)
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) == 1
        if alone.is_dir():
            assert contents(two) == contents(alone)
        else:
            assert two.read_bytes() == alone.read_bytes()
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == ["film.mp4", "grid.png", "images"]


@pytest.mark.parametrize(("num", "size"), [(0, 2), (1, 3), (7, 3), (8, 2), (100, 7)])
def test_shares_are_neighbours_and_even(num: int, size: int) -> None:
    shares = [own_share(range(num), _member(rank, size)) for rank in range(size)]
    assert [item for share in shares for item in share] == list(range(num))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert len(shares[0]) == max(map(len, shares))  # the first has something to tell


def test_a_film_drawn_together_leaves_nothing_behind(tmp_path: Path) -> None:
    pictures = [np.full([4, 6, 3], index * 20, np.uint8) for index in range(5)]

    def frames(wanted: object) -> Iterator[tuple[int, np.ndarray]]:
        yield from enumerate(pictures)

    with drawn_together(tmp_path / "new" / "film.mp4", frames, 5, ALONE) as drawn:
        assert len(list((tmp_path / "new").glob(".film.*.frames/*.png"))) == 5
        assert [index for index, _ in drawn({1, 3})] == [1, 3]
        for (_, picture), expected in zip(drawn(range(5)), pictures, strict=True):
            assert np.array_equal(picture, expected)
    assert not list((tmp_path / "new").iterdir())


def _member(rank: int, size: int) -> Team:
    return Team(Launch(rank=rank, size=size, local_rank=rank, local_size=size, name="test", num_restarts=0))
