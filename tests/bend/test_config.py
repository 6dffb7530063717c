"""Records refuse what they cannot mean, in one line."""

from collections.abc import Callable

import pytest

from bend.config import FilmConfig, PlaneConfig, RenderConfig, WalkConfig
from bend.errors import SettingsError

NAN = float("nan")


@pytest.mark.parametrize(
    "build",
    [
        lambda: RenderConfig(weights="both"),
        lambda: RenderConfig(noise_mode="loud"),
        lambda: RenderConfig(scale_filter="blur"),
        lambda: RenderConfig(device="tpu"),
        lambda: RenderConfig(trunc=NAN),
        lambda: RenderConfig(trunc_cutoff=-1),
        lambda: RenderConfig(class_index=-1),
        lambda: RenderConfig(scale=0),
        lambda: RenderConfig(batch=0),
        lambda: WalkConfig(path="teleport"),
        lambda: WalkConfig(space="x"),
        lambda: WalkConfig(grid=(0, 2)),
        lambda: WalkConfig(radius=NAN),
        lambda: WalkConfig(diameter=0),
        lambda: WalkConfig(amount=1e9),
        lambda: FilmConfig(fps=0),
        lambda: FilmConfig(fps=0.0004, seconds=5000),
        lambda: FilmConfig(fps=NAN),
        lambda: FilmConfig(seconds=-1),
        lambda: FilmConfig(seconds=float("inf")),
        lambda: FilmConfig(seconds=0.01, fps=1),
        lambda: FilmConfig(crf=52),
        lambda: PlaneConfig(grid=(1, 0)),
        lambda: PlaneConfig(extent=-1),
    ],
)
def test_nonsense_is_refused(build: Callable[[], object]) -> None:
    with pytest.raises(SettingsError) as refused:
        build()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("seconds", "fps", "num"), [(10, 24, 240), (1.5, 30, 45), (2, 23.976, 48), (0.1, 24, 2)]
)
def test_frame_count_is_exact(seconds: float, fps: float, num: int) -> None:
    assert FilmConfig(seconds=seconds, fps=fps).num_frames == num
