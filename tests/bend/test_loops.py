"""Films with `--loop` whose bends remember: where a player begins again, nothing jumps."""

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bend.bends.memory import frames_to_settle
from tests.bend.conftest import Run
from tests.bend.pixels import pixels
from tests.bend.tiny import save_tiny

KINDS = {
    "latent-walk": ("--seeds", "0-5", "--grid", "2x1"),
    "truncation": ("--seeds", "0,1"),
    "dial": ("--seeds", "0,1", "--from", "{network}", "--to", "{bent}", "--amount", "0..1"),
}
FRAMES = 24


@pytest.fixture
def bent(tmp_path: Path) -> Path:
    return save_tiny(tmp_path / "bent.safetensors", seed=1)


def loop(run: Run, kind: str, network: Path, bent: Path, folder: Path, bend: str) -> list[NDArray[np.int64]]:
    """The frames of a film of two seconds."""
    words = [word.format(network=network, bent=bent) for word in KINDS[kind]]
    words += [] if kind == "dial" else ["--network", str(network)]
    status, _, err = run(
        "render", kind, *words, "--seconds", "2", "--fps", "12", "--loop", "--bend", bend, "-o", folder
    )
    assert status == 0, err
    return [pixels(path) for path in sorted(folder.glob("frame*.png"))]


def jump(frames: list[NDArray[np.int64]]) -> float:
    """The step from the last frame to the first, as a multiple of the longest step within the film."""
    steps = [float(np.abs(a - b).mean()) for a, b in zip(frames, [*frames[1:], frames[0]], strict=True)]
    return steps[-1] / max(steps[:-1])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bend", ["feedback:.8@b8.conv1", "feedback:.9,2@b8.conv1"])
def test_feedback_passes_over_the_joint(
    run: Run, tiny_network: Path, bent: Path, tmp_path: Path, kind: str, bend: str
) -> None:
    frames = loop(run, kind, tiny_network, bent, tmp_path / "film", bend)
    assert len(frames) == FRAMES
    assert jump(frames) < 1.1  # it is 1.5 to 3 where the first frame has no echo
    for index in (0, 9):
        (tmp_path / "film" / f"frame{index:06d}.png").unlink()
    again = loop(run, kind, tiny_network, bent, tmp_path / "film", bend)
    np.testing.assert_array_equal(again, frames)


def test_the_first_round_is_as_the_second(run: Run, tiny_network: Path, tmp_path: Path) -> None:
    def walk(seeds: str, seconds: str) -> list[NDArray[np.int64]]:
        status, _, err = run(
            *("render", "latent-walk", "--network", tiny_network, "--seeds", seeds, "--seconds", seconds),
            *("--fps", "12", "--loop", "--bend", "feedback:-.7,5@b8.conv1", "-o", tmp_path / seconds),
        )
        assert status == 0, err
        return [pixels(path) for path in sorted((tmp_path / seconds).glob("frame*.png"))]

    once, twice = walk("0-2", "2"), walk("0-2,0-2", "4")
    assert np.abs(np.array(once) - twice[FRAMES:]).max() <= 1
    assert np.abs(np.array(once) - twice[:FRAMES]).max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_what_does_not_settle_begins_as_it_is(
    run: Run, tiny_network: Path, bent: Path, tmp_path: Path, kind: str
) -> None:
    plain = loop(run, kind, tiny_network, bent, tmp_path / "plain", "feedback:0@b8.conv1")
    for number, bend in enumerate(("feedback:1@b8.conv1", "feedback:lfo(sine,.2..1.2,1s)@b8.conv1")):
        frames = loop(run, kind, tiny_network, bent, tmp_path / str(number), bend)
        assert np.abs(frames[0] - plain[0]).max() <= 1
        assert np.abs(frames[1] - plain[1]).mean() > 1


def test_a_frozen_frame_is_the_first_that_is_shown(
    run: Run, tiny_network: Path, bent: Path, tmp_path: Path
) -> None:
    frames = loop(run, "latent-walk", tiny_network, bent, tmp_path / "film", "freeze@b16.image")
    plain = loop(run, "latent-walk", tiny_network, bent, tmp_path / "plain", "feedback:0@b8.conv1")
    assert all(np.abs(frame - plain[0]).max() <= 1 for frame in frames)


@pytest.mark.parametrize(("gain", "frames"), [(0.5, 1), (-0.86, 1), (0.9, 7), (0.01, 3)])
def test_an_echo_that_has_settled_is_not_seen(gain: float, frames: int) -> None:
    settled = frames_to_settle(gain, frames)
    assert settled is not None
    assert abs(gain) ** (settled / frames) <= 1 / 512 < abs(gain) ** (settled / frames - 1)


def test_echoes_that_never_settle() -> None:
    assert frames_to_settle(0, 3) == 0
    assert [frames_to_settle(gain, 1) for gain in (1, -1, 1.5)] == [None] * 3
    assert math.isfinite(frames_to_settle(0.999999, 1000) or math.inf)
