"""One step: which phases run when and with which weight, accumulation, memory, and values that are not finite."""

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stylegan.errors import TrainingError
from stylegan.training import phases as phases_module
from stylegan.training import sampling as sampling_module
from stylegan.training import step as step_module
from stylegan.training.plan import Plan
from stylegan.training.stats import Collector
from stylegan.training.step import train_step
from tests.stylegan.training.tiny import RESOLUTION, assert_equal, tiny_plan, to_double

BATCH = 4


def take_step(
    plan: Plan, *, micro_batch: int | None = None, num: int = BATCH, seed: int = 0
) -> dict[str, dict[str, float]]:
    """Take a step on pictures that depend on nothing but their number; returns its statistics."""
    c = torch.zeros([num, plan.label_dim])
    stats = Collector()
    images = pictures(num).to(plan.state.D.b4.out.weight.dtype)
    plan.micro_batch = train_step(
        plan.state,
        plan.hyper,
        images,
        c,
        c,
        seed=seed,
        micro_batch=micro_batch or plan.micro_batch,
        stats=stats,
    )
    return stats.read()


def pictures(num: int) -> Tensor:
    """Smooth and different pictures in [-1, 1]."""
    rows = torch.linspace(0, 3, RESOLUTION)
    phase = torch.arange(num)[:, None, None, None] + torch.arange(3)[None, :, None, None]
    return (rows[:, None] * 2 + rows + phase).sin()


def gradients(optimizer: torch.optim.Adam) -> list[list[Tensor]]:
    """Have the optimiser note the gradients of each of its steps."""
    noted: list[list[Tensor]] = []
    original = optimizer.step

    def step() -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        noted.append([p.grad.clone() for p in parameters if p.grad is not None])
        original()

    optimizer.step = step  # type: ignore[assignment, method-assign]
    return noted


@pytest.fixture
def phases(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, int, int]]]:
    """Replace each loss by the sum of a weight that it trains, and note (phase, step, images) of each call."""
    calls: list[tuple[str, int, int]] = []

    def loss(name: str, network: str) -> object:
        def compute(state: step_module.TrainState, micro: phases_module.Micro) -> Tensor:
            calls.append((name, state.step, len(micro.reals)))
            own, other = getattr(state, network), state.D if network == "G" else state.G
            assert not any(p.requires_grad for p in other.parameters())
            assert not any(p.requires_grad for p in state.G_ema.parameters())
            trained = [p for p in own.parameters() if p.requires_grad]
            assert trained
            return trained[-1].sum().expand(len(micro.reals))

        return compute

    for name, network in (("g_main", "G"), ("g_path_length", "G"), ("d_main", "D"), ("d_r1", "D")):
        monkeypatch.setattr(step_module, name, loss(name, network))
    yield calls


def test_phases_run_in_order_at_their_intervals(data: Path, phases: list[tuple[str, int, int]]) -> None:
    plan = tiny_plan(data, micro_batch=4)
    for _ in range(17):
        take_step(plan)
    by_step = {step: [name for name, at, _ in phases if at == step] for step in range(17)}
    for step, names in by_step.items():
        expected = ["g_main"] + ["g_path_length"] * (step % 4 == 0) + ["d_main"] + ["d_r1"] * (step % 16 == 0)
        assert names == expected
    assert (plan.state.step, plan.state.cur_nimg) == (17, 17 * BATCH)


def test_a_phase_weighs_as_much_as_its_interval(data: Path, phases: list[tuple[str, int, int]]) -> None:
    plan = tiny_plan(data)
    of_g, of_d = gradients(plan.state.G_opt), gradients(plan.state.D_opt)
    take_step(plan, micro_batch=3)
    assert [(name, num) for name, _, num in phases if name == "d_r1"] == [("d_r1", 2), ("d_r1", 2)]
    assert [(name, num) for name, _, num in phases if name == "g_path_length"] == [("g_path_length", 1)] * 2
    assert [float(noted[0].flatten()[0]) for noted in (*of_g, *of_d)] == pytest.approx([1, 4, 1, 16])


def test_a_weight_of_nought_leaves_a_phase_out(data: Path, phases: list[tuple[str, int, int]]) -> None:
    plan = tiny_plan(data, pl_weight=0, r1_gamma=0)
    take_step(plan)
    assert {name for name, _, _ in phases} == {"g_main", "d_main"}
    for optimizer in (plan.state.G_opt, plan.state.D_opt):
        assert optimizer.param_groups[0]["betas"] == (0, 0.99)
        assert optimizer.param_groups[0]["lr"] == 0.0025


def test_nothing_asks_for_gradients_between_steps(data: Path) -> None:
    plan = tiny_plan(data)
    take_step(plan)
    for network in (plan.state.G, plan.state.D, plan.state.G_ema):
        assert not any(p.requires_grad for p in network.parameters())


def test_the_size_of_micro_batches_changes_nothing_but_rounding(data: Path) -> None:
    moved = []
    for micro_batch in (8, 4, 5):
        plan = tiny_plan(data, batch=8, r1_gamma=2.0)
        to_double(plan.state)
        for _ in range(2):
            take_step(plan, num=8, micro_batch=micro_batch)
        moved.append([*plan.state.G.state_dict().values(), *plan.state.D.state_dict().values()])
        moved[-1].append(plan.state.pl_mean)
    for other in moved[1:]:
        for one, two in zip(moved[0], other, strict=True):
            torch.testing.assert_close(two, one, rtol=1e-10, atol=1e-12)


def test_micro_batches_smaller_than_a_group_compare_fewer_pictures(data: Path) -> None:
    noted = []
    for micro_batch in (4, 2, 3, 1):
        plan = tiny_plan(data, aug="noaug", aug_p=None, batch=BATCH)
        plan.state.D.b4.mbstd_group_size = 1  # what compares pictures of a batch differs with its size
        of_d = gradients(plan.state.D_opt)
        take_step(plan, micro_batch=micro_batch)
        noted.append(of_d[0])
    for other in noted[1:]:
        for one, two in zip(noted[0], other, strict=True):
            torch.testing.assert_close(two, one, rtol=1e-3, atol=1e-6)


def test_r1_is_gamma_halves_of_the_squared_gradient_at_every_sixteenth_step(data: Path) -> None:
    plan = tiny_plan(data, aug="noaug", aug_p=None, r1_gamma=7.0)
    for group in plan.state.D_opt.param_groups:
        group["lr"] = 0.0
    of_d = gradients(plan.state.D_opt)
    take_step(plan, micro_batch=4)
    images = pictures(BATCH).requires_grad_()
    D = plan.state.D.requires_grad_(True)
    D.zero_grad()
    (gradient,) = torch.autograd.grad(D(images, torch.zeros([4, 0])).sum(), images, create_graph=True)
    (7.0 / 2 * 16 * gradient.square().sum([1, 2, 3]).mean()).backward()
    trained = [p.grad for p in D.parameters() if p.grad is not None]
    for mine, theirs in zip(of_d[1], trained, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)


def test_path_length_takes_half_the_batch_and_moves_its_mean_by_a_hundredth(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = []
    original = sampling_module.path_lengths

    def noted(images: Tensor, ws: Tensor, noise: Tensor) -> Tensor:
        lengths.append(original(images, ws, noise))
        return lengths[-1]

    monkeypatch.setattr(sampling_module, "path_lengths", noted)
    plan = tiny_plan(data)
    stats = take_step(plan, micro_batch=4)
    assert [len(one) for one in lengths] == [2]
    mean = 0.01 * lengths[0].detach().mean()
    assert plan.state.pl_mean.item() == pytest.approx(mean.item(), rel=1e-5)
    penalties = (lengths[0].detach() - mean).square()  # from the mean with this batch in it
    assert stats["Loss/pl_penalty"]["mean"] == pytest.approx(penalties.mean().item(), rel=1e-4)
    plan.state.step = 4
    stats = take_step(plan, micro_batch=4)
    mean = mean.lerp(lengths[1].detach().mean(), 0.01)
    penalties = (lengths[1].detach() - mean).square()
    assert stats["Loss/pl_penalty"]["mean"] == pytest.approx(penalties.mean().item(), rel=1e-4)


def test_the_path_length_penalty_has_its_weight_at_every_fourth_step(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tiny_plan(data, pl_weight=3.0)
    trained = list(plan.state.G.parameters())
    expected: list[Tensor] = []
    original = sampling_module.path_lengths

    def noted(images: Tensor, ws: Tensor, noise: Tensor) -> Tensor:
        lengths = original(images, ws, noise)
        loss = 3.0 * 4 * (lengths - 0.01 * lengths.detach().mean()).square().mean()
        found = torch.autograd.grad(loss, trained, retain_graph=True, allow_unused=True)
        expected.extend(gradient for gradient in found if gradient is not None)
        return lengths

    monkeypatch.setattr(sampling_module, "path_lengths", noted)
    of_g = gradients(plan.state.G_opt)
    take_step(plan, micro_batch=4)
    assert len(expected) > 10
    for mine, theirs in zip(of_g[1], expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)


def test_micro_batches_have_one_mean_of_path_lengths(data: Path) -> None:
    states = []
    for micro_batch in (4, 2):
        plan = tiny_plan(data)
        stats = take_step(plan, micro_batch=micro_batch)
        states.append((plan.state.pl_mean.item(), stats["Loss/pl_penalty"]["mean"]))
    # The networks differ by what Adam makes of rounding; a mean without this batch would be off by two hundredths.
    assert states[0] == pytest.approx(states[1], rel=1e-2)


def test_adaptive_augmentation_moves_every_fourth_step(data: Path) -> None:
    plan = tiny_plan(data, ada_kimg=1.0)
    assert plan.state.augment is not None
    seen = []
    for _ in range(8):
        take_step(plan)
        seen.append(float(plan.state.augment.p))
    distance = BATCH * 4 / 1000
    assert seen[:3] == [0.5] * 3
    assert seen[3] != 0.5
    assert abs(seen[3] - 0.5) == pytest.approx(distance, rel=1e-3)
    assert seen[3:7] == [seen[3]] * 4
    assert abs(seen[7] - seen[3]) == pytest.approx(distance, rel=1e-3)


def test_the_average_follows(data: Path) -> None:
    plan = tiny_plan(data, ema_kimg=BATCH / 1000)
    plan.hyper = dataclasses.replace(plan.hyper, ema_rampup=None)
    before = plan.state.G_ema.synthesis.b16.conv1.weight.clone()
    take_step(plan)
    now = plan.state.G.synthesis.b16.conv1.weight
    torch.testing.assert_close(plan.state.G_ema.synthesis.b16.conv1.weight, before.lerp(now, 0.5))
    assert torch.equal(plan.state.G_ema.mapping.w_avg, plan.state.G.mapping.w_avg)


def test_the_average_ramps_up_by_the_pictures_seen_with_those_of_this_step(data: Path) -> None:
    plan = tiny_plan(data, ema_kimg=10)
    plan.hyper = dataclasses.replace(plan.hyper, ema_rampup=1.0)
    before = plan.state.G_ema.synthesis.b16.conv1.weight.clone()
    take_step(plan)
    now = plan.state.G.synthesis.b16.conv1.weight
    torch.testing.assert_close(plan.state.G_ema.synthesis.b16.conv1.weight, before.lerp(now, 0.5))


def test_a_step_depends_on_seed_and_number_alone(data: Path) -> None:
    first, second, third = (tiny_plan(data) for _ in range(3))
    torch.manual_seed(1)
    np.random.seed(1)
    take_step(first)
    torch.manual_seed(2)
    np.random.seed(2)
    take_step(second)
    take_step(third, seed=1)
    assert_equal(first.state.G.state_dict(), second.state.G.state_dict())
    assert_equal(first.state.D_opt.state_dict(), second.state.D_opt.state_dict())
    assert not torch.equal(first.state.G.mapping.fc0.weight, third.state.G.mapping.fc0.weight)


def test_the_average_of_w_follows_every_phase_that_generates(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    original = sampling_module.mix_styles

    def noted(G: Any, ws: Tensor, *rest: Any) -> Tensor:
        drawn.append(ws.detach()[:, 0].clone())
        return original(G, ws, *rest)

    monkeypatch.setattr(sampling_module, "mix_styles", noted)
    plan = tiny_plan(data, pl_weight=0)
    expected = plan.state.G.mapping.w_avg.clone()
    take_step(plan, micro_batch=2)
    for phase in (torch.cat(drawn[:2]), torch.cat(drawn[2:])):  # G's and D's, of two micro-batches each
        expected = phase.mean(0).lerp(expected, 0.995)
    torch.testing.assert_close(plan.state.G.mapping.w_avg, expected)


class TestMemory:
    """Halving the micro-batch where it does not fit."""

    @pytest.fixture
    def limit(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
        """The largest micro-batch that fits, as a list with that one number."""
        most = [4]
        original = step_module.d_r1

        def d_r1(state: step_module.TrainState, micro: phases_module.Micro) -> Tensor:
            if len(micro.reals) > most[0]:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return original(state, micro)

        monkeypatch.setattr(step_module, "d_r1", d_r1)
        yield most

    def test_a_phase_that_does_not_fit_is_taken_in_smaller_parts(self, data: Path, limit: list[int]) -> None:
        limit[0] = 1
        plan = tiny_plan(data, micro_batch=4)
        of_g, of_d = gradients(plan.state.G_opt), gradients(plan.state.D_opt)
        take_step(plan)
        assert plan.micro_batch == 1
        assert (len(of_g), len(of_d)) == (2, 2)  # no phase was taken twice
        assert plan.state.step == 1
        assert all(torch.isfinite(p).all() for p in plan.state.D.parameters())

    def test_one_picture_that_does_not_fit_is_one_line(self, data: Path, limit: list[int]) -> None:
        limit[0] = 0
        plan = tiny_plan(data, micro_batch=4)
        with pytest.raises(TrainingError, match="out of memory, even with one picture") as refusal:
            take_step(plan)
        assert "\n" not in str(refusal.value)
        assert not any(p.requires_grad for p in plan.state.D.parameters())

    @pytest.mark.parametrize(
        "error",
        [
            RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
            RuntimeError("a native operation ran out of memory"),
            RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
            RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
            MemoryError("std::bad_alloc"),
        ],
        ids=["torch", "native", "cuBLAS", "cuDNN", "C++"],
    )
    def test_whoever_says_it_is_understood(
        self, data: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        def g_main(state: step_module.TrainState, micro: phases_module.Micro) -> Tensor:
            raise error

        monkeypatch.setattr(step_module, "g_main", g_main)
        with pytest.raises(TrainingError, match="out of memory"):
            take_step(tiny_plan(data))

    def test_other_errors_pass_through(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def g_main(state: step_module.TrainState, micro: phases_module.Micro) -> Tensor:
            raise RuntimeError("shapes do not match")

        monkeypatch.setattr(step_module, "g_main", g_main)
        with pytest.raises(RuntimeError, match="shapes do not match"):
            take_step(tiny_plan(data))


class TestNonfinite:
    """Values that are not finite are counted, mended, and leave no trace."""

    def test_a_bad_loss_moves_nothing_of_its_network(
        self, data: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        original = phases_module.logistic_fake
        monkeypatch.setattr(phases_module, "logistic_fake", lambda logits: original(logits) * math.nan)
        plan = tiny_plan(data, r1_gamma=0)
        before = [p.clone() for p in plan.state.D.parameters()]
        stats = take_step(plan)
        num_values = sum(p.numel() for p in plan.state.D.parameters())
        assert plan.state.num_nonfinite == stats["Progress/nonfinite_D"]["mean"] == num_values
        assert stats["Progress/nonfinite_G"]["mean"] == 0
        for now, then in zip(plan.state.D.parameters(), before, strict=True):
            assert torch.equal(now, then)

    def test_one_infinite_gradient_is_mended(self, data: Path) -> None:
        plan = tiny_plan(data)
        victim: nn.Parameter = plan.state.G.synthesis.b16.torgb.bias
        victim.requires_grad_(True)
        victim.register_hook(lambda gradient: torch.full_like(gradient, math.inf))
        take_step(plan)
        assert plan.state.num_nonfinite == 3  # not in the path-length phase, which knows no biases
        assert torch.isfinite(victim).all()

    def test_a_bad_path_does_not_spoil_their_mean_for_good(
        self, data: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        original = sampling_module.path_lengths
        monkeypatch.setattr(sampling_module, "path_lengths", lambda *args: original(*args) * math.inf)
        plan = tiny_plan(data)
        take_step(plan)
        assert plan.state.pl_mean.item() == 0
        assert plan.state.num_nonfinite > 0
        monkeypatch.setattr(sampling_module, "path_lengths", original)
        plan.state.step = 4
        bad = plan.state.num_nonfinite
        take_step(plan)
        assert plan.state.pl_mean.item() > 0
        assert plan.state.num_nonfinite == bad


@pytest.mark.parametrize("batch", [1, 3])
def test_odd_batches_train(data: Path, batch: int) -> None:
    plan = tiny_plan(data, batch=batch, micro_batch=2)
    take_step(plan, num=batch)
    assert plan.state.cur_nimg == batch
    assert plan.state.num_nonfinite == 0


@pytest.mark.gpu
def test_memory_that_runs_out_on_a_gpu_halves_the_micro_batch(data: Path) -> None:
    plan = tiny_plan(data, device="cuda", batch=64, micro_batch=64, channel_base=4096, channel_max=256)
    device = plan.device
    images = pictures(64).to(device)
    c = torch.zeros([64, 0], device=device)

    def step(micro_batch: int) -> int:
        return train_step(
            plan.state, plan.hyper, images, c, c, seed=0, micro_batch=micro_batch, stats=Collector()
        )

    step(8)  # sets up Adam and the libraries
    torch.cuda.reset_peak_memory_stats()
    assert step(8) == 8
    enough = torch.cuda.max_memory_reserved() + (64 << 20)
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(enough / total)
    try:
        plan.state.step = 16
        assert step(64) in (8, 16, 32)
        assert plan.state.num_nonfinite == 0
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
