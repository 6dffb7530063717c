"""Bends in place: on the right channels of the right taps, and gone afterwards without a trace."""

import numpy as np
import pytest
import torch
from torch import Tensor

from bend import render
from bend.bends import open_bends
from bend.bends.geometry import rotate
from bend.bends.player import BendPlay
from bend.bends.selection import Random
from bend.errors import SettingsError
from bend.latents import ws_from_z, z_from_seeds
from bend.play import Moment
from stylegan.generator import Generator
from stylegan.taps import hang, taps
from tests.bend.tiny import tiny_generator


def ws(G: Generator, *seeds: int) -> Tensor:
    return ws_from_z(G, z_from_seeds(seeds or (0, 1, 2), G.z_dim))


def draw(G: Generator, latents: Tensor, *bends: str, moment: Moment | None = None) -> Tensor:
    with open_bends(bends, G).during(G, moment or Moment()):
        image: Tensor = G.synthesis(latents, noise_mode="const")
    return image


def signal_at(G: Generator, name: str, *bends: str, seeds: tuple[int, ...] = (0, 1, 2)) -> Tensor:
    """What leaves a tap, after the bends that are hung there."""
    seen: list[Tensor] = []
    play = open_bends(bends, G)

    def listen(x: Tensor) -> Tensor:
        seen.append(x.clone())
        return x

    with play.during(G, Moment()):
        handle = hang(G, taps(G)[name], listen)
        G.synthesis(ws(G, *seeds), noise_mode="const")
        handle.remove()
    return seen[0]


@pytest.fixture
def G() -> Generator:  # noqa: N802 - the field's word for it
    return tiny_generator()


EVERYWHERE = [
    "multiply:1.5@b8.conv0",
    "multiply:1.5@b4.const",
    "multiply:1.5@b8.conv1.affine/channels=0-3",
    "multiply:1.5@b8.conv1.style/channels=0-3",
    "multiply:30@b16.conv1.noise",
    "add:1@b16.conv1.bias",
    "invert@b16.torgb",
    "multiply:.5@b8.image",
    "multiply:1.5@ws",
    "perturb:1@b8.conv0",
    "perturb:1@b8.conv0.affine",
    "turn:1@b4.const",
    "gain:2@b8.torgb",
    "gain:2@b8.conv1.bias",
]


@pytest.mark.parametrize("bend", EVERYWHERE)
def test_every_kind_of_tap_is_heard_and_left_as_it_was(G: Generator, bend: str) -> None:
    before = {name: value.clone() for name, value in G.state_dict().items()}
    plain = draw(G, ws(G))
    if ".bias" in bend and "gain" in bend:
        G.get_parameter("synthesis.b8.conv1.bias").fill_(0.5)
        before, plain = {name: value.clone() for name, value in G.state_dict().items()}, draw(G, ws(G))
    assert (draw(G, ws(G), bend) - plain).abs().max() > 1e-4
    assert torch.equal(draw(G, ws(G)), plain)
    assert all(torch.equal(value, before[name]) for name, value in G.state_dict().items())


def test_mapping_is_bent_while_it_maps(G: Generator) -> None:
    plain = ws(G)
    with open_bends(["multiply:2@mapping.fc1"], G).during(G, Moment()):
        torch.testing.assert_close(ws(G), plain * 2)
    assert torch.equal(ws(G), plain)


def test_weights_are_restored_whatever_happens(G: Generator) -> None:
    before = {name: value.clone() for name, value in G.state_dict().items()}
    with pytest.raises(RuntimeError, match="stop"), open_bends(["zero@*"], G).during(G, Moment()):
        assert not G.get_parameter("synthesis.b8.conv0.weight").any()
        raise RuntimeError("stop")
    assert all(torch.equal(value, before[name]) for name, value in G.state_dict().items())
    assert not any(module._forward_hooks for module in G.modules())


def test_a_signal_is_bent_as_the_table_says(G: Generator) -> None:
    plain = signal_at(G, "b8.conv0")
    torch.testing.assert_close(signal_at(G, "b8.conv0", "rotate:30@b8.conv0"), rotate(plain, 30.0))


def test_bends_follow_one_another(G: Generator) -> None:
    plain = signal_at(G, "b8.conv0")
    torch.testing.assert_close(
        signal_at(G, "b8.conv0", "multiply:2@b8.conv0", "add:1@b8.conv0"), plain * 2 + 1
    )
    torch.testing.assert_close(
        signal_at(G, "b8.conv0", "add:1@b8.conv0", "multiply:2@b8.conv0"), (plain + 1) * 2
    )


def test_chosen_channels_only(G: Generator) -> None:
    plain, bent = (signal_at(G, "b8.conv0", *bends) for bends in ((), ("ablate@b8.conv0/channels=1,4-6",)))
    chosen = [1, 4, 5, 6]
    rest = [i for i in range(plain.shape[1]) if i not in chosen]
    assert not bent[:, chosen].any()
    assert torch.equal(bent[:, rest], plain[:, rest])


def test_a_random_share_differs_by_layer_and_seed(G: Generator) -> None:
    def chosen(layer: str, seed: int) -> list[int]:
        indices = Random(0.5, seed).indices(layer, 16, None)
        assert indices is not None
        return [int(i) for i in indices]

    assert chosen("b8.conv0", 1) == chosen("b8.conv0", 1)
    assert chosen("b8.conv0", 1) != chosen("b8.conv1", 1)
    assert chosen("b8.conv0", 1) != chosen("b8.conv0", 2)
    silent = (signal_at(G, "b8.conv0", "ablate@b8.conv0/channels=random:.5:seed1")[0] == 0).all(dim=(1, 2))
    assert [int(i) for i in silent.nonzero()] == chosen("b8.conv0", 1)


def test_the_loudest_are_each_picture_s_own(G: Generator) -> None:
    plain = signal_at(G, "b8.conv0")
    bent = signal_at(G, "b8.conv0", "ablate@b8.conv0/channels=top:3")
    for n in range(3):
        loudest = sorted(range(16), key=lambda c: -plain[n, c].square().mean().item())[:3]
        assert sorted(c for c in range(16) if not bent[n, c].any()) == sorted(loudest)
    alone = signal_at(G, "b8.conv0", "ablate@b8.conv0/channels=top:3", seeds=(1,))
    torch.testing.assert_close(alone[0], bent[1])


def test_clusters_are_given_by_their_labels(G: Generator) -> None:
    labels = np.arange(16) % 3
    play = open_bends(["ablate@b8.conv0/cluster=1"], G, labels=lambda name: labels)
    seen: list[Tensor] = []
    with play.during(G, Moment()):
        hang(G, taps(G)["b8.conv0"], lambda x: (seen.append(x), x)[1])
        G.synthesis(ws(G), noise_mode="const")
    np.testing.assert_array_equal((seen[0] == 0).all(dim=3).all(dim=2).all(dim=0), labels == 1)


def test_mask_and_mix(G: Generator) -> None:
    plain = signal_at(G, "b8.conv0")
    half = signal_at(G, "b8.conv0", "multiply:3@b8.conv0/mix=.5")
    torch.testing.assert_close(half, plain * 2)
    left = signal_at(G, "b8.conv0", "multiply:3@b8.conv0/mask=rect:0,0,.5,1/soft=0")
    torch.testing.assert_close(left[..., :4], plain[..., :4] * 3)
    assert torch.equal(left[..., 4:], plain[..., 4:])


def test_weights_of_chosen_filters_and_mixed(G: Generator) -> None:
    weight = G.get_parameter("synthesis.b8.conv0.weight")
    before = weight.clone()
    with open_bends(["negate@b8.conv0/channels=2,3/mix=.5"], G).during(G, Moment()):
        assert not weight[2:4].any()
        assert torch.equal(weight[4:], before[4:])


def test_weight_bends_follow_one_another(G: Generator) -> None:
    weight = G.get_parameter("synthesis.b8.conv0.weight")
    before = weight.clone()
    play = open_bends(["negate@b8.conv0", "turn:1@b8.conv0"], G)
    for _ in range(2):
        with play.during(G, Moment()):
            torch.testing.assert_close(weight, -before.rot90(1, dims=(2, 3)))
    assert torch.equal(weight, before)


def test_weights_vary_over_time(G: Generator) -> None:
    weight = G.get_parameter("synthesis.b8.conv0.weight")
    before = weight.clone()
    play = open_bends(["prune:0s:0,1s:1@b8.conv0"], G)
    assert play.varies
    for seconds, share in ((0.0, 0.0), (0.5, 0.5), (1.0, 1.0), (0.0, 0.0)):
        version = weight._version
        with play.during(G, Moment(seconds=seconds)):
            assert (weight == 0).float().mean().item() == pytest.approx(share, abs=0.01)
            assert weight._version > version
    assert torch.equal(weight, before)


def test_weights_that_someone_else_moves_are_bent_anew(G: Generator) -> None:
    weight = G.get_parameter("synthesis.b8.conv0.weight")
    play = open_bends(["negate@b8.conv0"], G)
    for value in (1.0, 2.0):
        weight.fill_(value)
        with play.during(G, Moment()):
            assert (weight == -value).all()
        assert (weight == value).all()


def test_gain_is_heard_in_spite_of_demodulation(G: Generator) -> None:
    weight = G.get_parameter("synthesis.b8.conv0.weight")
    plain = signal_at(G, "b8.conv0")
    weight.mul_(3)  # which is what a gain on the weights does
    torch.testing.assert_close(signal_at(G, "b8.conv0"), plain, rtol=1e-3, atol=1e-3)
    weight.div_(3)
    torch.testing.assert_close(signal_at(G, "b8.conv0", "gain:3@b8.conv0"), plain * 3, rtol=1e-3, atol=1e-3)
    bias = G.get_parameter("synthesis.b8.torgb.bias").fill_(0.25)[None, :, None, None]
    colour = signal_at(G, "b8.torgb")
    torch.testing.assert_close(signal_at(G, "b8.torgb", "gain:3@b8.torgb"), (colour - bias) * 3 + bias)
    style = signal_at(G, "b8.conv0.affine")
    torch.testing.assert_close(signal_at(G, "b8.conv0.affine", "gain:3@b8.conv0.affine"), style * 3)


def test_gain_stays_within_the_layer_s_clamp(G: Generator) -> None:
    G.get_submodule("synthesis.b8.conv0").conv_clamp = 0.5
    assert signal_at(G, "b8.conv0", "gain:9@b8.conv0").abs().max() == 0.5


def test_freeze_takes_the_map_of_a_seed(G: Generator) -> None:
    wanted = signal_at(G, "b8.conv0", seeds=(9,))
    torch.testing.assert_close(signal_at(G, "b8.conv0", "freeze:9@b8.conv0"), wanted.expand(3, -1, -1, -1))
    frozen = signal_at(G, "ws", "freeze:9@ws")
    torch.testing.assert_close(frozen, ws(G, 9).expand(3, -1, -1))


def film(G: Generator, *bends: str, num: int = 4) -> list[Tensor]:
    play = open_bends(bends, G)
    frames = []
    for index in range(num):
        with play.during(G, Moment(seconds=index / 2, index=index)):
            frames.append(G.synthesis(ws(G, index), noise_mode="const"))
    return frames


def test_freeze_and_feedback_remember_frames(G: Generator) -> None:
    frozen = film(G, "freeze@b16.image")
    plain = film(G)
    assert all(torch.equal(frame, plain[0]) for frame in frozen)
    echoed = film(G, "feedback:.5,1@b16.image")
    expected = plain[0]
    for index in range(1, 4):
        expected = plain[index] + 0.5 * expected
        torch.testing.assert_close(echoed[index], expected)
    play = open_bends(["feedback:.5,1@b16.image"], G)
    assert play.varies
    assert play.remembers
    assert not open_bends(["freeze:3@b16.image"], G).remembers


def test_a_film_turns(G: Generator) -> None:
    frames = film(G, "rotate:lfo(saw,0..360,2s)@b16.image")
    for index, frame in enumerate(film(G)):
        torch.testing.assert_close(frame, frame)
        torch.testing.assert_close(frames[index], frame.rot90(index, dims=(2, 3)))


def test_layout_and_dtype_are_kept(G: Generator) -> None:
    for bend in (
        "roll:1@b8.conv0",
        "shuffle@b8.conv0",
        "blur:1@b8.conv0",
        "sobel@b8.conv0",
        "rotate:9@b8.conv0",
    ):
        plain, bent = signal_at(G, "b8.conv0"), signal_at(G, "b8.conv0", bend)
        assert bent.dtype == plain.dtype
        assert bent.stride() == plain.stride()


def test_batches_do_not_matter() -> None:
    G = tiny_generator()
    bends = ["rotate:30@b8.conv0", "ablate@b16.*/channels=top:3", "grain:.3@b4.const", "perturb:.2@b8.conv1"]
    one, three = ([*render.images(G, range(6), batch=b, plays=[open_bends(bends, G)])] for b in (1, 3))
    assert max(np.abs(a.astype(int) - b).max() for a, b in zip(one, three, strict=True)) <= 1


def test_a_picture_without_bends_has_nothing_hung_on_it(G: Generator) -> None:
    play = open_bends(["rotate:0@b8.conv0", "ablate@b8.conv0/mix=0"], G)
    with play.during(G, Moment()):
        assert not any(module._forward_hooks for module in G.modules())


def test_gradients_flow_through_bends_that_stay(G: Generator) -> None:
    play = open_bends(["rotate:30@b8.conv0", "blur:1@b16.conv1/channels=0-3"], G)
    play.stay(G)
    latents = ws(G).clone().requires_grad_()
    G.synthesis(latents, noise_mode="const").square().sum().backward()
    assert latents.grad is not None
    assert latents.grad.abs().max() > 0


@pytest.mark.parametrize("bend", ["rotate:lfo(sine,0..9,2s)@b8.conv0", "feedback:.5@b8.conv0"])
def test_a_training_has_no_time(G: Generator, bend: str) -> None:
    with pytest.raises(SettingsError, match="a training"):
        open_bends([bend], G).stay(G)


@pytest.mark.parametrize(
    ("bend", "says"),
    [
        ("rotate:30@b12.conv0", "'b12.conv0' is not a place in this network; the nearest is b16.conv0"),
        ("rotate:30@b8.conv0.affine", "has no height and width, which rotate needs"),
        ("invert@ws/mask=rect:0,0,1,1", "has no height and width"),
        ("ablate@b8.conv0/channels=16", "b8.conv0 has 16 channels, 0 to 15"),
        ("zero:1@b8.image", "has no weights that zero could bend; it takes b32.conv0"),
        ("turn:1@b8.conv0.affine", "has no weights that turn could bend"),
        ("zero:1@b8.conv0/channels=top:2", "weights have no loudness"),
        ("feedback:1@b8.conv0.bias", "is a parameter, the same in every frame"),
        ("freeze:lfo(saw,0..9,2s)@b8.conv0", "cannot vary"),
        ("ablate@b8.conv0/cluster=3", "b8.conv0 has clusters 0 to 2"),
        ("ablate@b8.torgb/cluster=1", "b8.torgb has no clusters"),
    ],
)
def test_what_does_not_suit_the_network_is_refused_in_one_line(G: Generator, bend: str, says: str) -> None:
    def labels(name: str) -> "np.ndarray | None":
        return np.arange(16) % 3 if "conv" in name else None

    with pytest.raises(SettingsError) as refused:
        open_bends([bend], G, labels=labels)
    assert says in str(refused.value)
    assert str(refused.value).startswith("--bend ")
    assert "\n" not in str(refused.value)


def test_is_a_play() -> None:
    from bend.play import Play

    play: Play = open_bends(["invert@b8.conv0"], tiny_generator())
    assert isinstance(play, BendPlay)
    assert not play.varies


@pytest.mark.parametrize(
    "bend",
    ["negate@b8.conv0", "turn:1@b4.const", "quantise:7@b8.conv1", "gain:2@b8.torgb", "add:1@b8.conv1.bias"],
)
def test_weights_learn_under_a_bend_that_stays(G: Generator, bend: str) -> None:
    play = open_bends([bend], G)
    latents = ws(G).clone()
    with play.during(G, Moment()):
        expected = G.synthesis(latents, noise_mode="const")
    names = [name for name, _ in G.named_parameters()]
    before = {name: value.clone() for name, value in G.state_dict().items()}
    play.stay(G)
    G.requires_grad_(True)
    image = G.synthesis(latents, noise_mode="const")
    torch.testing.assert_close(image, expected, rtol=1e-4, atol=1e-4)
    assert [name for name, _ in G.named_parameters()] == names
    assert all(torch.equal(value, before[name]) for name, value in G.state_dict().items())
    own = G.get_parameter(next(iter(play._parameters)))
    (gradient,) = torch.autograd.grad(image.square().mean(), own)
    assert gradient.abs().max() > 0
    with torch.no_grad():
        own -= 0.01 * gradient / gradient.abs().max()
    assert (G.synthesis(latents, noise_mode="const").square().mean() < image.square().mean()).item()


def test_a_layer_that_fails_has_its_own_weights_again(G: Generator) -> None:
    open_bends(["negate@b8.conv0"], G).stay(G)
    layer = G.get_submodule("synthesis.b8.conv0")
    own = layer.get_parameter("weight")
    with pytest.raises(RuntimeError):
        layer(torch.zeros(1, 3, 4, 4), torch.zeros(1, 32))
    assert layer.get_parameter("weight") is own
