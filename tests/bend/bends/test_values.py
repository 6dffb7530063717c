"""Pointwise bends, channels, and memory, against numpy and plain sums."""

import numpy as np
import pytest
import torch
from torch import Tensor

from bend.bends import channels, memory, pointwise
from bend.play import Moment


def signal() -> Tensor:
    return torch.randn(2, 6, 4, 5, generator=torch.Generator().manual_seed(6), dtype=torch.float64)


def test_pointwise() -> None:
    x = signal()
    a = x.numpy()
    np.testing.assert_array_equal(pointwise.ablate(x), np.zeros(a.shape))
    np.testing.assert_array_equal(pointwise.invert(x), 1 - a)
    np.testing.assert_array_equal(pointwise.multiply(x, -1.5), a * -1.5)
    np.testing.assert_array_equal(pointwise.add(x, 0.25), a + 0.25)
    np.testing.assert_array_equal(pointwise.threshold(x, 0.3), np.where(a > 0.3, 1.0, 0.0))
    np.testing.assert_array_equal(pointwise.fold(x), np.abs(a))
    np.testing.assert_allclose(pointwise.drive(x, 3.0), np.tanh(3 * a), rtol=1e-12)


def test_posterise_leaves_so_many_values_in_each_channel() -> None:
    x = signal()
    bent = pointwise.posterise(x, 4)
    for n in range(2):
        for c in range(6):
            levels = np.linspace(float(x[n, c].min()), float(x[n, c].max()), 4)
            for value, was in zip(bent[n, c].flatten(), x[n, c].flatten(), strict=True):
                assert abs(value - levels[np.abs(levels - was.item()).argmin()]) < 1e-12
    single = x.float()  # whose steps may add up to a little more than the greatest
    for number in range(2, 20):
        assert (pointwise.posterise(single, number) <= single.amax(dim=(2, 3), keepdim=True)).all()
    flat = torch.full([1, 1, 3, 3], 2.5)
    assert torch.equal(pointwise.posterise(flat, 4), flat)


def test_grain_is_seeded_and_as_loud_as_said() -> None:
    x = torch.randn(2, 32, 16, 16) * 3
    added = pointwise.grain(x, 0.5, 3) - x
    assert added.std().item() == pytest.approx(1.5, rel=0.05)
    assert not torch.equal(pointwise.grain(x, 0.5, 4) - x, added)


def test_shuffle_deals_whole_channels() -> None:
    x = signal()
    bent = channels.shuffle(x, 5)
    rows = {tuple(channel.flatten().tolist()) for channel in x[0]}
    assert {tuple(channel.flatten().tolist()) for channel in bent[0]} == rows
    assert not torch.equal(bent, channels.shuffle(x, 6))


def test_roll_moves_on_and_crossfades() -> None:
    x = signal()
    np.testing.assert_array_equal(channels.roll(x, -2), np.roll(x, -2, axis=1))
    between = 0.75 * np.roll(x, 2, axis=1) + 0.25 * np.roll(x, 3, axis=1)
    np.testing.assert_allclose(channels.roll(x, 2.25), between)


def frames(num: int) -> list[Tensor]:
    return [signal() + index for index in range(num)]


def test_feedback_is_an_echo_of_echoes() -> None:
    store = memory.Memory()
    heard: list[Tensor] = []
    for index, x in enumerate(frames(7)):
        store.moment = Moment(index=index)
        expected = x if index < 2 else x + 0.5 * heard[index - 2]
        heard.append(memory.feedback(x, store, 0.5, 2))
        torch.testing.assert_close(heard[-1], expected)
    assert all(len(maps) <= 3 for maps in store.maps.values())


def test_a_new_film_forgets_the_last() -> None:
    store = memory.Memory()
    films = []
    for _ in range(2):
        film = []
        for index, x in enumerate(frames(3)):
            store.moment = Moment(index=index)
            film.append(memory.feedback(x, store, 0.5, 1))
        films.append(torch.stack(film))
    assert torch.equal(*films)


def test_places_of_a_frame_have_memories_of_their_own() -> None:
    store = memory.Memory()
    for index in range(3):
        for place in range(2):
            store.moment = Moment(index=index, place=place)
            held = memory.freeze(signal() + 10 * place + index, store, memory.FIRST_FRAME)
            assert torch.equal(held, signal() + 10 * place)


@pytest.mark.parametrize("gain", [3.0, -3.0])
def test_feedback_that_grows_stays_finite_in_half_precision(gain: float) -> None:
    store = memory.Memory()
    for index in range(200):  # unbounded, it would pass 65504 after eleven
        store.moment = Moment(index=index)
        heard = memory.feedback(signal().half(), store, gain, 1)
        assert heard.isfinite().all()
    assert heard.abs().max() >= 1e4


def test_freeze_of_a_seed_fits_other_sizes() -> None:
    store = memory.Memory(fixed=torch.ones(1, 6, 2, 2))
    held = memory.freeze(torch.zeros(2, 6, 4, 8), store, 7)
    assert torch.equal(held, torch.ones(2, 6, 4, 8))
