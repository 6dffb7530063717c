"""A training computed by recordings is the training computed call by call.

There is no GPU: a recorder stands in for CUDA graphs. It computes anew at each replay, and spoils what a graph would:
whatever recordings that share its memory have left there.
"""

import copy
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from stylegan.ops import native
from stylegan.ops.build import build
from stylegan.training import graphs as graphs_module
from stylegan.training import phases as phases_module
from stylegan.training import step as step_module
from stylegan.training.graphs import Graphs
from stylegan.training.plan import Plan
from stylegan.training.stats import Collector
from stylegan.training.step import train_step
from tests.stylegan.training.tiny import assert_equal, tiny_plan, to_double

STEPS = 14  # path length is taken at 0, 4, 8, 12 and recorded the third time


@dataclasses.dataclass
class Recorder:
    """Records nothing, but keeps account of who may use which memory."""

    num_made: int = 0
    num_played: int = 0
    fault: RuntimeError | None = None
    is_recording: bool = False
    left: list[tuple[object, list[Tensor]]] = dataclasses.field(default_factory=list)
    """Results, by the pool that they lie in."""

    def record(
        self, compute: Callable[[], Sequence[Tensor | None]], device: torch.device, pool: object
    ) -> tuple[list[Tensor | None], Callable[[], None]]:
        if self.fault is not None:
            raise self.fault
        self.num_made += 1
        has_gradients = torch.is_grad_enabled()
        self.is_recording = True
        results = list(compute())
        self.is_recording = False
        own = [y for y in results if y is not None]
        self.left.append((pool, own))

        def play() -> None:
            self.num_played += 1
            with torch.set_grad_enabled(has_gradients):
                computed = compute()
            for new, old in zip(computed, results, strict=True):
                if old is not None and new is not None:
                    old.copy_(new)
            self._spoil(pool, own)

        return results, play

    def _spoil(self, pool: object, but: list[Tensor]) -> None:
        for other, results in self.left:
            if other is pool and results is not but:
                for y in results:
                    y.fill_(torch.nan if y.is_floating_point() else 1)


class Convolutions(TorchDispatchMode):
    """Notes convolutions that are recorded without having been computed before: cuDNN would try kernels for them."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder
        self._known: set[object] = set()
        self.new: list[object] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if "convolution" in str(func):
            lie = [(x.shape, x.stride(), x.dtype) if isinstance(x, Tensor) else str(x) for x in args]
            key = (str(func), *lie)
            if not self._recorder.is_recording:
                self._known.add(key)
            elif key not in self._known:
                self.new.append(key)
        return func(*args, **(kwargs or {}))


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    recorder = Recorder()
    monkeypatch.setattr(graphs_module, "record", recorder.record)
    monkeypatch.setattr(graphs_module, "_may_record", lambda device: True)
    monkeypatch.setattr(graphs_module, "_check_memory", lambda device: None)
    monkeypatch.setattr(graphs_module, "surroundings", lambda device: ())
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", object)
    yield recorder


def run(plan: Plan, steps: int = STEPS, *, micro_batch: int = 4) -> dict[str, dict[str, float]]:
    stats = Collector()
    for _ in range(steps):
        c = torch.zeros([4, plan.label_dim], device=plan.device)
        images = torch.linspace(-1, 1, 4 * 3 * 256).reshape(4, 3, 16, 16).to(plan.state.pl_mean)
        train_step(plan.state, plan.hyper, images, c, c, seed=3, micro_batch=micro_batch, stats=stats)
    return stats.read()


def networks(plan: Plan) -> dict[str, Any]:
    return {name: getattr(plan.state, name).state_dict() for name in ("G", "D", "G_ema")}


@pytest.mark.parametrize("micro_batch", [4, pytest.param(2, marks=pytest.mark.slow)])
def test_it_is_the_same_training(data: Path, recorder: Recorder, micro_batch: int) -> None:
    recorded, plain = (tiny_plan(data, aug="fixed", aug_p=0.6) for _ in range(2))
    for plan in (recorded, plain):
        to_double(plan.state)  # gradients of fakes and reals are summed in another order
    plain.state.graphs.give_up()
    with Convolutions(recorder) as convolutions:
        noted = run(recorded, micro_batch=micro_batch)
    stats = noted, run(plain, micro_batch=micro_batch)
    assert not convolutions.new, "no kernel is tried while one records"
    assert recorder.num_made >= 10
    assert recorder.num_played >= 8 * STEPS
    assert [row["mean"] for row in stats[0].values()] == pytest.approx(
        [row["mean"] for row in stats[1].values()]
    )
    for actual, expected in zip(networks(recorded).values(), networks(plain).values(), strict=True):
        for name, tensor in expected.items():
            torch.testing.assert_close(actual[name], tensor, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(recorded.state.pl_mean, plain.state.pl_mean)
    assert recorded.state.num_nonfinite == plain.state.num_nonfinite == 0


def test_what_cannot_be_recorded_is_computed(data: Path, recorder: Recorder) -> None:
    refused, plain = (tiny_plan(data) for _ in range(2))
    recorder.fault = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    run(refused, 6)
    recorder.fault = None
    plain.state.graphs.give_up()
    run(plain, 6)
    for actual, expected in zip(networks(refused).values(), networks(plain).values(), strict=True):
        assert_equal(actual, expected)
    assert recorder.num_made == 0


@pytest.mark.gpu
def test_it_is_the_same_training_on_a_gpu(data: Path) -> None:
    native.use("cuda", build("cuda"))
    recorded, plain = (tiny_plan(data, device="cuda", aug="fixed", aug_p=0.6) for _ in range(2))
    plain.state.graphs.give_up()
    for steps in (8, 6):
        stats = run(recorded, steps), run(plain, steps)
        # Gradients are summed in the order in which threads arrive.
        assert [row["mean"] for row in stats[0].values()] == pytest.approx(
            [row["mean"] for row in stats[1].values()], rel=0.05, abs=0.02
        )
    assert len(recorded.state.graphs._recordings) == 6
    assert recorded.state.num_nonfinite == 0
    native.forget()


def test_memory_that_runs_out_takes_the_recordings_first(
    data: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tiny_plan(data)
    run(plan, 4)
    assert len(plan.state.graphs._recordings) == 5
    original, tries = step_module.d_r1, []

    def d_r1(state: step_module.TrainState, micro: phases_module.Micro) -> Tensor:
        tries.append(len(micro.reals))
        if len(plan.state.graphs._recordings):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return original(state, micro)

    monkeypatch.setattr(step_module, "d_r1", d_r1)
    plan.state.step = 16
    made = recorder.num_made
    run(plan, 5)
    assert tries == [4, 4], "the second try is as large as the first"
    assert len(plan.state.graphs._recordings) == 0
    assert recorder.num_made <= made + 2  # path length's, before there was too little
    assert plan.state.num_nonfinite == 0


class TestCall:
    """One module, whatever about it changes."""

    @pytest.fixture
    def module(self) -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))

    def call(self, graphs: Graphs, module: nn.Module, x: Tensor) -> Tensor:
        graphs.begin_step()
        (y,) = graphs.call(module, x, network=module, slot=0, name="y")
        return y

    def test_gradients_by_arguments_and_parameters(self, recorder: Recorder, module: nn.Module) -> None:
        graphs, reference = Graphs(), copy.deepcopy(module)
        for _ in range(5):
            x = torch.randn(6, 3)
            mine, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
            self.call(graphs, module, mine).square().sum().backward()
            reference(theirs).square().sum().backward()
            assert torch.equal(mine.grad, theirs.grad)  # type: ignore[arg-type]
        for p, q in zip(module.parameters(), reference.parameters(), strict=True):
            torch.testing.assert_close(p.grad, q.grad)  # summed over the calls
        assert recorder.num_made == 2

    def test_what_is_frozen_gets_none(self, recorder: Recorder, module: nn.Module) -> None:
        graphs = Graphs()
        module[0].requires_grad_(False)  # type: ignore[index]
        for _ in range(4):
            module.zero_grad()
            self.call(graphs, module, torch.randn(2, 3)).sum().backward()
            assert [p.grad is None for p in module.parameters()] == [True, True, False, False]
        assert recorder.num_made == 2
        module.requires_grad_(True)
        self.call(graphs, module, torch.randn(2, 3)).sum().backward()
        assert all(p.grad is not None for p in module.parameters())
        assert recorder.num_made == 2, "other gradients are another recording, not yet familiar"

    def test_without_gradients_there_is_one_pass(self, recorder: Recorder, module: nn.Module) -> None:
        graphs = Graphs()
        with torch.no_grad():
            for _ in range(4):
                x = torch.randn(2, 3)
                assert torch.equal(self.call(graphs, module, x), module(x))
        assert recorder.num_made == 1

    def test_hooks_are_heard(self, recorder: Recorder, module: nn.Module) -> None:
        graphs, x = Graphs(), torch.randn(2, 3)
        for _ in range(4):
            expected = self.call(graphs, module, x)
        module[1].register_forward_hook(lambda module, inputs, output: output * 0)  # type: ignore[index]
        assert not torch.equal(self.call(graphs, module, x), expected)

    def test_backward_hooks_are_heard(self, recorder: Recorder, module: nn.Module) -> None:
        graphs, x = Graphs(), torch.randn(2, 3)
        for _ in range(4):
            self.call(graphs, module, x)
        seen: list[nn.Module] = []
        module[1].register_full_backward_hook(lambda module, given, taken: seen.append(module))  # type: ignore[index]
        self.call(graphs, module, x).sum().backward()
        assert seen

    def test_weights_elsewhere_are_heard(self, recorder: Recorder, module: nn.Module) -> None:
        graphs, x = Graphs(), torch.randn(2, 3)
        for _ in range(4):
            self.call(graphs, module, x)
        module[2].weight.data = module[2].weight.data * 2  # type: ignore[index, operator]
        assert torch.equal(self.call(graphs, module, x), module(x))

    def test_a_recorded_gradient_has_no_gradient(self, recorder: Recorder, module: nn.Module) -> None:
        graphs = Graphs()
        for _ in range(4):
            x = torch.randn(2, 3, requires_grad=True)
            y = self.call(graphs, module, x)
        (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        with pytest.raises(RuntimeError, match="does not require grad"):
            g.sum().backward()

    def test_elsewhere_than_on_cuda_nothing_is_recorded(
        self, monkeypatch: pytest.MonkeyPatch, module: nn.Module
    ) -> None:
        monkeypatch.setattr(graphs_module, "record", lambda *_: pytest.fail("recorded"))
        for _ in range(4):
            self.call(Graphs(), module, torch.randn(2, 3))
