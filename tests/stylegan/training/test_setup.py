"""What a training starts from, and what stays frozen."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stylegan.checkpoint import NetworkMeta, save_network
from stylegan.errors import CheckpointError, ConfigError
from stylegan.training.plan import Plan
from stylegan.training.session import open_run
from stylegan.training.stats import Collector
from stylegan.training.step import train_step
from tests.stylegan.training.tiny import RESOLUTION, assert_equal, tiny_plan, write_zip


def save_base(path: Path, data: Path, *names: str, augment_p: float = 0.25, **settings: Any) -> Path:
    """Save the named networks of an untrained plan, each with weights of its own."""
    plan = tiny_plan(data, **settings)
    with torch.no_grad():
        for scale, network in ((0.9, plan.state.G), (1.1, plan.state.G_ema)):
            for parameter in network.parameters():
                parameter.mul_(scale)
    networks = {name: getattr(plan.state, name) for name in names}
    save_network(path, **networks, meta=NetworkMeta(augment_p=augment_p, licence="CC0"))
    return path


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """A network file with all three networks."""
    return save_base(tmp_path_factory.mktemp("base") / "faces.safetensors", data, "G", "D", "G_ema")


def fine_tune(data: Path, base: Path, **settings: Any) -> Plan:
    """A plan that starts from `base` and takes its augmentation from there."""
    return tiny_plan(data, **{"base": str(base), "aug_p": None} | settings)


def weights(network: nn.Module) -> dict[str, Tensor]:
    """Copies of the parameters."""
    return {key: value.clone() for key, value in network.named_parameters()}


def take_steps(plan: Plan, num: int = 2) -> None:
    """Take steps on noise."""
    c = torch.zeros([4, plan.label_dim])
    for _ in range(num):
        images = (
            torch.rand([4, 3, RESOLUTION, RESOLUTION], generator=torch.Generator().manual_seed(1)) * 2 - 1
        )
        train_step(plan.state, plan.hyper, images, c, c, seed=0, micro_batch=4, stats=Collector())


def changed(before: dict[str, Tensor], network: nn.Module) -> set[str]:
    """Names of the parameters that have moved."""
    return {key for key, value in network.named_parameters() if not torch.equal(value, before[key])}


def test_fine_tuning_copies_all_three_networks(data: Path, base: Path) -> None:
    plan = fine_tune(data, base)
    from stylegan.checkpoint import load_network

    loaded = load_network(base)
    for name in ("G", "D", "G_ema"):
        assert_equal(getattr(plan.state, name).state_dict(), getattr(loaded, name).state_dict(), name)
    assert not torch.equal(plan.state.G.mapping.fc0.weight, plan.state.G_ema.mapping.fc0.weight)
    assert plan.notes == []


def test_fine_tuning_takes_the_architecture_from_the_base_alone(data: Path, base: Path) -> None:
    plan = fine_tune(
        data, base, preset="stylegan2", channel_base=999, channel_max=3, mapping_layers=5, w_dim=7
    )
    assert plan.state.G.z_dim == 16
    assert plan.state.G.mapping.num_layers == 2
    assert plan.state.G.synthesis.b16.conv1.weight.shape[0] == 16


def test_the_options_of_a_run_tell_what_is_trained(data: Path, base: Path, tmp_path: Path) -> None:
    plan = fine_tune(data, base, preset="cifar", channel_base=None, mapping_layers=None, batch=None)
    with contextlib.closing(open_run(plan, tmp_path)) as session:
        options = json.loads((session.run / "training_options.json").read_text())
    told = options["hyperparameters"]
    assert (told["batch"], told["r1_gamma"]) == (64, 0.01)  # the preset's
    assert (told["channel_base"], told["mapping_layers"]) == (256, 2)  # the base's
    assert (told["mbstd_group"], told["d_architecture"]) == (4, "resnet")
    assert told["channel_base"] == options["G"]["synthesis_kwargs"]["channel_base"]


def test_augmentation_goes_on_from_the_base(data: Path, base: Path) -> None:
    plan = fine_tune(data, base)
    assert plan.state.augment is not None
    assert float(plan.state.augment.p) == 0.25
    given = fine_tune(data, base, aug_p=0.75).state.augment
    assert given is not None
    assert float(given.p) == 0.75
    assert fine_tune(data, base, aug="noaug").state.augment is None


def test_a_fixed_augmentation_stays(data: Path, base: Path) -> None:
    plan = fine_tune(data, base, aug="fixed", ada_kimg=0.01)
    take_steps(plan, 5)
    assert plan.state.augment is not None
    assert float(plan.state.augment.p) == 0.25


def test_a_fixed_augmentation_needs_a_probability(data: Path) -> None:
    with pytest.raises(ConfigError, match="--aug fixed: give the probability"):
        tiny_plan(data, aug="fixed", aug_p=None)


def test_a_base_without_discriminator_gets_one_and_says_so(tmp_path: Path, data: Path) -> None:
    path = save_base(tmp_path / "g.safetensors", data, "G", "G_ema")
    plan = fine_tune(data, path)
    assert plan.notes == ["the base has no discriminator: one starts from random weights"]
    assert plan.state.D.b16.conv0.weight.shape[0] == 16
    before = weights(plan.state.D)
    take_steps(plan, 1)
    assert changed(before, plan.state.D)


def test_a_base_of_an_average_alone_trains_from_it(tmp_path: Path, data: Path) -> None:
    plan = fine_tune(data, save_base(tmp_path / "ema.safetensors", data, "G_ema"))
    assert len(plan.notes) == 2
    assert "training goes on from its average" in plan.notes[1]
    assert_equal(plan.state.G.state_dict(), plan.state.G_ema.state_dict())
    take_steps(plan, 1)
    assert not torch.equal(plan.state.G.mapping.fc0.weight, plan.state.G_ema.mapping.fc0.weight)


class TestFreezing:
    """Freeze-D by layers from the top, freeze-G by resolution from the bottom."""

    @pytest.mark.parametrize(
        ("num", "frozen"),
        [
            (0, set()),
            (1, {"b16.fromrgb"}),
            (3, {"b16.fromrgb", "b16.conv0", "b16.conv1"}),
            (5, {"b16.fromrgb", "b16.conv0", "b16.conv1", "b16.skip", "b8.conv0"}),
            (7, {"b16.fromrgb", "b16.conv0", "b16.conv1", "b16.skip", "b8.conv0", "b8.conv1", "b8.skip"}),
        ],
    )
    def test_layers_of_the_discriminator(self, data: Path, num: int, frozen: set[str]) -> None:
        plan = tiny_plan(data, freeze_d=num)
        before = weights(plan.state.D)
        take_steps(plan, 1)
        still = before.keys() - changed(before, plan.state.D)
        assert {key.rpartition(".")[0] for key in still} == frozen

    @pytest.mark.parametrize("resolution", [0, 4, 8])
    def test_resolutions_of_the_generator(self, data: Path, resolution: int) -> None:
        plan = tiny_plan(data, freeze_g=resolution)
        before = weights(plan.state.G)
        take_steps(plan, 1)
        still = before.keys() - changed(before, plan.state.G)
        expected = {key for key in before if key.split(".")[1] in ("b4", "b8")[: resolution // 4]}
        assert still == expected
        assert not resolution or "synthesis.b4.const" in still
        for key, value in plan.state.G_ema.named_parameters():
            assert key not in expected or torch.equal(value, before[key])

    def test_frozen_weights_have_no_gradients_and_no_moments(self, data: Path) -> None:
        plan = tiny_plan(data, freeze_d=7, freeze_g=8)
        take_steps(plan, 1)
        assert plan.state.D.b16.conv0.weight.grad is None
        assert plan.state.G.synthesis.b8.conv0.weight.grad is None
        trained = sum(len(group["params"]) for group in plan.state.D_opt.param_groups)
        assert len(plan.state.D_opt.state) == trained < len(list(plan.state.D.parameters()))

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"freeze_d": 8}, "--freeze-d 8: this discriminator has 7 such layers"),
            ({"freeze_g": 16}, "--freeze-g 16: would freeze all"),
            ({"freeze_g": 1024}, "--freeze-g 1024: would freeze all"),
        ],
    )
    def test_freezing_more_than_there_is(self, data: Path, settings: dict[str, int], message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            tiny_plan(data, **settings)


class TestMismatches:
    """A base and data that do not fit are reported with the mend."""

    def test_resolution(self, tmp_path: Path, base: Path) -> None:
        data = write_zip(tmp_path / "large.zip", num=2, resolution=32)
        with pytest.raises(ConfigError, match=r"pictures of 32 pixels, but .* makes 16; run `bend package"):
            fine_tune(data, base)

    def test_channels(self, tmp_path: Path, base: Path) -> None:
        data = write_zip(tmp_path / "grey.zip", num=2, channels=1)
        with pytest.raises(ConfigError, match=r"1 channels, but .* makes 3; .*--colour rgb"):
            fine_tune(data, base)

    def test_labels_missing(self, tmp_path: Path, data: Path, labelled: Path) -> None:
        path = save_base(tmp_path / "cond.safetensors", labelled, "G", "D", "G_ema")
        with pytest.raises(ConfigError, match=r"labels of width 0, but .* is conditional with 3"):
            fine_tune(data, path)
        assert fine_tune(labelled, path).label_dim == 3

    def test_labels_too_many_are_ignored_and_said(self, labelled: Path, base: Path) -> None:
        plan = fine_tune(labelled, base)
        assert plan.label_dim == 0
        assert plan.notes == ["the base is unconditional: the labels of the data are ignored"]

    def test_no_generator(self, tmp_path: Path, data: Path) -> None:
        path = save_base(tmp_path / "d.safetensors", data, "D")
        with pytest.raises(CheckpointError, match="holds no generator"):
            fine_tune(data, path)

    def test_pictures_too_small_to_train_on(self, tmp_path: Path) -> None:
        data = write_zip(tmp_path / "dots.zip", num=2, resolution=4)
        with pytest.raises(ConfigError, match="4 pixels are too small"):
            tiny_plan(data)

    def test_too_few_channels(self, data: Path) -> None:
        with pytest.raises(ConfigError, match="--channel-base 8: give at least the resolution, 16"):
            tiny_plan(data, channel_base=8)

    def test_unknown_pipe(self, data: Path) -> None:
        with pytest.raises(ConfigError, match="--aug-pipe everything: choose from blit"):
            tiny_plan(data, aug_pipe="everything")


def test_labels_make_a_training_from_scratch_conditional(labelled: Path) -> None:
    plan = tiny_plan(labelled)
    assert (plan.label_dim, plan.state.G.c_dim, plan.state.D.c_dim) == (3, 3, 3)


def test_random_weights_are_the_seeds_and_leave_torchs_generator_alone(data: Path) -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, second, other = tiny_plan(data), tiny_plan(data), tiny_plan(data, seed=4)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert_equal(first.state.G.state_dict(), second.state.G.state_dict())
    assert not torch.equal(first.state.D.b4.out.weight, other.state.D.b4.out.weight)
