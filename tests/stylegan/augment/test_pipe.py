"""The whole pipe: official outputs, derivatives, determinism, and the images it takes."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from stylegan import AugmentPipe
from stylegan.augment import AUGMENT_PIPES
from stylegan.errors import ConfigError

with np.load(Path(__file__).parents[2] / "golden" / "augment.npz") as file:
    GOLDEN = {name: file[name] for name in file.files}
CASES = json.loads(bytes(GOLDEN["meta"]))["cases"]
NAMED = pytest.mark.parametrize("name", AUGMENT_PIPES)


def _pipe(name: str = "bgcfnc", p: float = 1) -> AugmentPipe:
    pipe = AugmentPipe(**AUGMENT_PIPES[name])
    pipe.p.fill_(p)
    return pipe


def _images(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=dtype).clamp(-1, 1)


def _seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("case", CASES, ids=[case["key"] for case in CASES])
def test_official_outputs(case: dict[str, Any]) -> None:
    images, expected = (torch.from_numpy(GOLDEN[f"{case['key']}/{side}"]) for side in "xy")
    pipe = AugmentPipe(**case["kwargs"])
    result = pipe(images, debug_percentile=case["percentile"])
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-4)


@NAMED
def test_named_sets_change_images_and_keep_their_form(name: str) -> None:
    images = _images(4, 3, 16, 16)
    result = _pipe(name)(images, generator=_seeded())
    assert result.shape == images.shape and result.dtype == images.dtype
    assert torch.isfinite(result).all()
    assert not torch.equal(result, images)


@pytest.mark.parametrize(("name", "channels"), [("geom", 1), ("color", 3), ("bgcfnc", 1), ("bgcfnc", 3)])
def test_two_derivatives(name: str, channels: int) -> None:
    images = _images(2, channels, 5, 5, dtype=torch.float64).requires_grad_()
    pipe = _pipe(name)
    assert gradcheck(lambda x: pipe(x, generator=_seeded()), images, fast_mode=True)
    assert gradgradcheck(lambda x: pipe(x, generator=_seeded()).square(), images, fast_mode=True)


def test_a_gradient_penalty_flows_through() -> None:
    images, weight = _images(4, 3, 16, 16).requires_grad_(), torch.ones([3, 1, 1], requires_grad=True)
    logits = (_pipe("bgc", p=0.5)(images, generator=_seeded()) * weight).tanh().sum()
    (gradient,) = torch.autograd.grad(logits, images, create_graph=True)
    gradient.square().sum().backward()
    assert weight.grad is not None and weight.grad.abs().min() > 0


@NAMED
def test_the_same_seed_gives_the_same_bytes(name: str) -> None:
    images, pipe = _images(8, 3, 16, 16), _pipe(name, p=0.5)
    first, again, other = (pipe(images, generator=_seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_draws_do_not_depend_on_the_pixels() -> None:
    pipe, states = _pipe(p=0.5), []
    for images in (_images(4, 3, 16, 16), torch.zeros([4, 3, 16, 16]), torch.full([4, 3, 16, 16], torch.nan)):
        generator = _seeded()
        pipe(images, generator=generator)
        states.append(generator.get_state())
    assert torch.equal(states[0], states[1]) and torch.equal(states[0], states[2])


def test_with_a_generator_the_global_one_stays_untouched() -> None:
    before = torch.get_rng_state()
    _pipe()(_images(2, 3, 16, 16), generator=_seeded())
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(3)
    first = _pipe()(_images(2, 3, 16, 16))
    torch.manual_seed(3)
    assert torch.equal(first, _pipe()(_images(2, 3, 16, 16)))


@NAMED
def test_p_nought_returns_the_images_and_draws_nothing(name: str) -> None:
    images, generator = _images(2, 3, 16, 16), _seeded()
    assert _pipe(name, p=0)(images, generator=generator) is images
    assert torch.equal(generator.get_state(), _seeded().get_state())


def test_a_pipe_with_nothing_on_changes_and_draws_nothing() -> None:
    images, generator = _images(2, 5, 16, 16), _seeded()
    assert torch.equal(AugmentPipe()(images, generator=generator), images)
    assert torch.equal(generator.get_state(), _seeded().get_state())


def test_p_grows_the_share_of_changed_images() -> None:
    images = _images(200, 1, 4, 4)
    shares = []
    for p in (0.05, 0.2, 1.0):
        changed = (_pipe("bg", p)(images, generator=_seeded()) != images).flatten(1).any(dim=1)
        shares.append(changed.double().mean().item())
    assert shares[0] < shares[1] < shares[2] and shares[2] > 0.99


def test_images_do_not_mix() -> None:
    images = _images(4, 3, 16, 16)
    other = images.clone()
    other[2] = 0.3
    first, second = (_pipe("bgcfnc")(x, generator=_seeded()) for x in (images, other))
    for i in (0, 1, 3):
        assert torch.equal(first[i], second[i])
    assert not torch.equal(first[2], second[2])


def test_grey_images_run_as_colour_ones_do() -> None:
    grey = _images(4, 1, 16, 16)
    result = _pipe("bgc")(grey, generator=_seeded())
    colour = _pipe("bgc")(grey.expand(-1, 3, -1, -1), generator=_seeded())
    torch.testing.assert_close(result, colour.mean(dim=1, keepdim=True), rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_dtypes_give_the_same_picture(dtype: torch.dtype) -> None:
    images = _images(4, 3, 16, 16).to(dtype)
    result = _pipe("bgc")(images, generator=_seeded())
    assert result.dtype == dtype
    expected = _pipe("bgc")(images.float(), generator=_seeded())
    torch.testing.assert_close(result, expected.to(dtype), rtol=1e-3, atol=1e-4)


def test_autocast_does_not_blur_the_pictures() -> None:
    images = _images(2, 3, 16, 16)
    expected = _pipe()(images, generator=_seeded())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(_pipe()(images, generator=_seeded()), expected)


def test_only_p_is_state() -> None:
    assert list(_pipe().state_dict()) == ["p"]
    assert AugmentPipe().p.item() == 1


@pytest.mark.parametrize("images", [torch.zeros([3, 8, 8]), torch.zeros([1, 3, 8, 8], dtype=torch.uint8)])
def test_refuses_what_is_no_batch_of_images(images: Tensor) -> None:
    with pytest.raises(ValueError, match="floating-point"):
        _pipe()(images)


def test_refuses_bad_arguments() -> None:
    with pytest.raises(ConfigError, match="1 or 3 channels"):
        _pipe("color")(_images(1, 4, 8, 8))
    with pytest.raises(ConfigError, match="xflip"):
        AugmentPipe(xflip=-1)
    with pytest.raises(TypeError, match="yflip"):
        AugmentPipe(yflip=1)


def test_copies_and_shows_its_settings() -> None:
    pipe = _pipe("bgc", p=0.5)
    clone = pickle.loads(pickle.dumps(pipe))
    assert clone.settings == pipe.settings and clone.p == 0.5
    assert "xint_max=0.125" in repr(AugmentPipe(xint=1))
