"""The controller: direction, speed and limits of `p`, and resuming after an interruption."""

import math
from dataclasses import FrozenInstanceError

import pytest
import torch

from stylegan.augment import AdaConfig, AdaController, AugmentPipe
from stylegan.errors import ConfigError

BATCH = 16
STEP = BATCH * 4 / (500 * 1000)


def _controller(**config: float | None) -> AdaController:
    return AdaController(AdaConfig(**config), AugmentPipe(xflip=1))  # type: ignore[arg-type]


def _observe(controller: AdaController, logits: torch.Tensor) -> None:
    controller.observe(logits.sign().sum(), torch.tensor(logits.numel()))


def _run(controller: AdaController, steps: int, logit: float) -> list[bool]:
    moved = []
    for _ in range(steps):
        _observe(controller, torch.full([BATCH, 1], logit))
        moved.append(controller.end_step(BATCH))
    return moved


def test_p_starts_where_it_is_told_and_is_the_pipes() -> None:
    controller = _controller(initial_p=0.25)
    assert controller.p is controller.pipe.p
    assert controller.pipe.p.item() == 0.25


def test_p_rises_every_fourth_step_while_reals_are_recognised() -> None:
    controller = _controller()
    assert _run(controller, 8, logit=3.0) == [False, False, False, True] * 2
    assert controller.p.item() == pytest.approx(2 * STEP, rel=1e-5)
    assert controller.totals.tolist() == [0, 0]


def test_p_falls_below_target_but_not_below_nought() -> None:
    controller = _controller(initial_p=1.5 * STEP)
    _run(controller, 4, logit=-1.0)
    assert controller.p.item() == pytest.approx(0.5 * STEP, rel=1e-5)
    _run(controller, 4, logit=-1.0)
    assert controller.p.item() == 0


def test_p_does_not_pass_one() -> None:
    controller = _controller(initial_p=1 - STEP / 2)
    _run(controller, 8, logit=1.0)
    assert controller.p.item() == 1


def test_the_mean_sign_over_the_interval_decides() -> None:
    controller = _controller(initial_p=0.5, target=0.5)
    logits = torch.tensor([1.0, 2.0, 0.1, -9.0])  # mean sign 0.5, though the mean is far below
    for _ in range(4):
        _observe(controller, logits)
        controller.end_step(4)
    assert controller.p.item() == 0.5
    _observe(controller, torch.ones(4))
    _run(controller, 4, logit=1.0)
    assert controller.p.item() > 0.5


def test_fine_tuning_is_five_times_faster() -> None:
    controller = _controller(kimg=100)
    _run(controller, 4, logit=1.0)
    assert controller.p.item() == pytest.approx(5 * STEP, rel=1e-5)


def test_from_nought_to_one_in_kimg() -> None:
    controller = _controller(kimg=0.64, interval=2)
    moves = sum(_run(controller, 40, logit=1.0))
    assert moves == 20
    assert controller.p.item() == pytest.approx(1)


@pytest.mark.parametrize("p", [0.0, 0.3])
def test_without_a_target_p_stays(p: float) -> None:
    controller = _controller(target=None, initial_p=p)
    assert not any(_run(controller, 12, logit=1.0))
    assert controller.p.item() == pytest.approx(p)
    assert controller.totals.tolist() == [0, 0]


def test_nothing_seen_leaves_p() -> None:
    controller = _controller(initial_p=0.5)
    for _ in range(4):
        controller.end_step(BATCH)
    assert controller.p.item() == 0.5


def test_going_on_from_a_state_is_exact() -> None:
    straight, first = _controller(), _controller()
    _run(straight, 11, logit=1.0)
    _run(first, 6, logit=1.0)
    second = _controller(initial_p=0.9)
    second.load_state_dict(first.state_dict())
    assert second.p.item() == first.p.item()
    assert _run(second, 5, logit=1.0) == [False, True, False, False, False]
    assert second.state_dict() == straight.state_dict()


def test_what_was_seen_before_an_interruption_counts() -> None:
    first, second = _controller(target=0.0, initial_p=0.5), _controller(target=0.0)
    _run(first, 3, logit=1.0)
    second.load_state_dict(first.state_dict())
    _run(second, 1, logit=-1.0)
    assert second.p.item() == pytest.approx(0.5 + STEP, rel=1e-5)


def test_a_state_with_an_impossible_p_is_refused() -> None:
    with pytest.raises(ConfigError, match="not between 0 and 1"):
        _controller().load_state_dict({"p": math.nan, "steps": 0, "totals": [0, 0]})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"target": 1.0}, "out of reach"),
        ({"target": math.nan}, "out of reach"),
        ({"interval": 0}, "at least 1"),
        ({"kimg": 0}, "above 0"),
        ({"initial_p": 1.1}, "not between 0 and 1"),
    ],
)
def test_refuses_bad_settings(config: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AdaConfig(**config)  # type: ignore[arg-type]


def test_settings_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        AdaConfig().target = 0.5  # type: ignore[misc]
