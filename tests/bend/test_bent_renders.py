"""`--bend` in every render: pictures, sheets, films, films taken up again, and what is written about them."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bend.provenance import read_provenance
from tests.bend.conftest import Run
from tests.bend.pixels import pixels
from tests.bend.tiny import save_tiny

KINDS = {
    "images": (["render", "images", "--seeds", "3"], "out/seed0003.png"),
    "grid": (["render", "grid", "--seeds", "3-6"], "out.png"),
    "plane": (["render", "plane", "--grid", "3x2"], "out.png"),
    "film": (["render", "latent-walk", "--seconds", ".5", "--fps", "8"], "out/frame000002.png"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "bend", ["flip-h@b16.image", "turn:1@b4.const", "multiply:3@mapping.fc1", "add:2@ws"]
)
def test_works_in_every_render(run: Run, tiny_network: Path, tmp_path: Path, kind: str, bend: str) -> None:
    arguments, name = KINDS[kind]
    suffix = Path(name).suffix if "/" not in name else ""
    results = {}
    for title, bends in (("plain", []), ("bent", ["--bend", bend])):
        folder = tmp_path / title
        folder.mkdir()
        status, _, err = run(*arguments, "--network", tiny_network, *bends, "-o", folder / f"out{suffix}")
        assert status == 0, err
        results[title] = folder / name
    plain, bent = pixels(results["plain"]), pixels(results["bent"])
    assert plain.shape == bent.shape
    assert np.abs(plain - bent).mean() > 1
    if bend.startswith("flip-h") and kind in ("images", "film"):
        np.testing.assert_array_equal(bent, plain[:, ::-1])
    note = read_provenance(results["bent"])
    assert note is not None
    assert note.work["render"]["bend"] == [bend]
    assert note.command is not None
    assert "--bend" in note.command


def film(run: Run, network: Path, folder: Path, *bends: str) -> list[NDArray[np.int64]]:
    given = [word for bend in bends for word in ("--bend", bend)]
    status, _, err = run(
        *("render", "latent-walk", "--network", network, "--seconds", "1", "--fps", "6", "--grid", "2x1"),
        *("--batch", "4", *given, "-o", folder),
    )
    assert status == 0, err
    return [pixels(path) for path in sorted(folder.glob("frame*.png"))]


def test_a_film_varies_with_its_clock(run: Run, tiny_network: Path, tmp_path: Path) -> None:
    plain = film(run, tiny_network, tmp_path / "plain")
    turned = film(run, tiny_network, tmp_path / "turned", "rotate:0s:0,1s:540@b16.image")
    for index in range(6):
        for side in (slice(0, 16), slice(16, 32)):
            expected = plain[index][:, side]
            if index % 2 == 0:  # 90 degrees a frame: quarter turns
                assert np.abs(turned[index][:, side] - np.rot90(expected, index)).max() <= 1


@pytest.mark.parametrize("bend", ["feedback:.8,2@b8.conv1", "freeze@b16.conv1", "feedback:.5@ws"])
def test_a_film_that_remembers_is_the_same_taken_up_again(
    run: Run, tiny_network: Path, tmp_path: Path, bend: str
) -> None:
    whole = film(run, tiny_network, tmp_path / "whole", bend)
    film(run, tiny_network, tmp_path / "cut", bend)
    for index in (2, 4):
        (tmp_path / "cut" / f"frame{index:06d}.png").unlink()
    again = film(run, tiny_network, tmp_path / "cut", bend)
    for before, after in zip(whole, again, strict=True):
        np.testing.assert_array_equal(before, after)
    plain = film(run, tiny_network, tmp_path / "plain")
    assert np.abs(plain[0] - whole[0]).max() <= 1  # drawn one at a time, the other in a batch
    assert np.abs(plain[4] - whole[4]).mean() > 0.5


def test_walks_side_by_side_have_echoes_of_their_own(run: Run, tiny_network: Path, tmp_path: Path) -> None:
    both = film(run, tiny_network, tmp_path / "both", "freeze@b16.image")
    assert np.abs(both[5][:, :16] - both[5][:, 16:]).mean() > 1
    np.testing.assert_array_equal(both[5], both[0])


def test_faces_under_the_dial_have_echoes_of_their_own(run: Run, tiny_network: Path, tmp_path: Path) -> None:
    def dial(folder: Path, *options: str) -> list[NDArray[np.int64]]:
        status, _, err = run(
            *("render", "dial", "--from", tiny_network, "--to", bent, "--amount", "0..1", "--seconds", "1"),
            *("--fps", "4", "--seeds", "0,1", "--grid", "2x1", *options, "-o", folder),
        )
        assert status == 0, err
        return [pixels(path) for path in sorted(folder.glob("frame*.png"))]

    bent = save_tiny(tmp_path / "bent.safetensors", seed=1)
    plain = dial(tmp_path / "plain")
    for frame in dial(tmp_path / "frozen", "--bend", "freeze@b16.image"):
        assert np.abs(frame - plain[0]).max() <= 1
    whole = dial(tmp_path / "echo", "--bend", "feedback:.8@b8.conv1")
    (tmp_path / "echo" / "frame000002.png").unlink()
    np.testing.assert_array_equal(dial(tmp_path / "echo", "--bend", "feedback:.8@b8.conv1"), whole)


def test_a_mistake_is_one_line(run: Run, tiny_network: Path, tmp_path: Path) -> None:
    status, _, err = run(
        "render", "images", "--network", tiny_network, "--bend", "rotate:30@b31.conv1", "-o", tmp_path / "x"
    )
    assert status == 1
    assert (
        err
        == "Error: --bend rotate:30@b31.conv1: 'b31.conv1' is not a place in this network; the nearest is b16.conv1\n"
    )


def test_mapping_is_bent_before_the_film_starts(run: Run, tiny_network: Path, tmp_path: Path) -> None:
    bend = "multiply:lfo(sine,0..1,1s)@mapping.fc1"
    status, _, err = run(
        "render", "grid", "--network", tiny_network, "--bend", bend, "-o", tmp_path / "x.png"
    )
    assert status == 1
    assert "let @ws vary instead" in err
