"""What every row of the table promises, asked of the whole table."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from bend.bends.memory import Memory
from bend.bends.row import Bend, MemoryBend, SignalBend, WeightBend
from bend.bends.table import BENDS
from bend.play import Moment

SIGNALS = {name: row for name, row in BENDS.items() if isinstance(row, SignalBend)}
WEIGHTS = {name: row for name, row in BENDS.items() if isinstance(row, WeightBend)}
MEMORIES = {name: row for name, row in BENDS.items() if isinstance(row, MemoryBend)}
HALVES = (torch.float16, torch.bfloat16)


def signal(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    return torch.randn(*(shape or (3, 6, 9, 8)), generator=torch.Generator().manual_seed(seed)).to(dtype)


def values(row: Bend) -> tuple[float, ...]:
    assert len(row.example) == len(row.parameters) or all(p.default is not None for p in row.parameters)
    missing = [p.default for p in row.parameters[len(row.example) :]]
    given = [*row.example, *missing]
    return tuple(int(v) if p.is_whole else v for v, p in zip(given, row.parameters, strict=True))  # type: ignore[arg-type]


def test_the_table_has_what_the_score_asks_for() -> None:
    assert set(SIGNALS) >= {
        "ablate",
        "invert",
        "multiply",
        "threshold",
        "flip-h",
        "flip-v",
        "translate",
        "scale",
        "rotate",
        "erode",
        "dilate",
        "blur",
        "sharpen",
        "sobel",
        "median",
        "posterise",
        "shuffle",
        "roll",
        "fold",
        "drive",
    }
    assert set(MEMORIES) == {"freeze", "feedback"}
    assert set(WEIGHTS) >= {
        "perturb",
        "zero",
        "permute",
        "swap",
        "quantise",
        "svd",
        "spectrum",
        "prune",
        "negate",
        "turn",
        "kernel-flip-h",
        "kernel-flip-v",
        "halves",
        "normalise",
        "gain",
    }


@pytest.mark.parametrize("row", BENDS.values(), ids=BENDS)
def test_examples_and_neutral_values_are_in_range(row: Bend) -> None:
    for numbers in (values(row), row.neutral or values(row)):
        assert len(numbers) == len(row.parameters)
        for number, parameter in zip(numbers, row.parameters, strict=True):
            assert parameter.low <= number <= parameter.high
    assert row.does
    assert len(row.does) < 80


@pytest.mark.parametrize("row", SIGNALS.values(), ids=SIGNALS)
def test_shape_dtype_and_difference(row: SignalBend) -> None:
    x = signal()
    bent = row.apply(x, *values(row))
    assert bent.shape == x.shape
    assert bent.dtype == x.dtype
    assert (bent != x).any()
    assert bent.isfinite().all()


@pytest.mark.parametrize("row", SIGNALS.values(), ids=SIGNALS)
def test_the_input_is_left_alone(row: SignalBend) -> None:
    x = signal()
    before = x.clone()
    row.apply(x, *values(row))
    assert torch.equal(x, before)


@pytest.mark.parametrize("row", SIGNALS.values(), ids=SIGNALS)
def test_the_same_each_time(row: SignalBend) -> None:
    torch.manual_seed(1)
    first = row.apply(signal(), *values(row))
    torch.manual_seed(2)
    assert torch.equal(row.apply(signal(), *values(row)), first)


@pytest.mark.parametrize("row", SIGNALS.values(), ids=SIGNALS)
def test_pictures_do_not_see_one_another(row: SignalBend) -> None:
    x = signal()
    together = row.apply(x, *values(row))
    for index in range(len(x)):
        alone = row.apply(x[index : index + 1], *values(row))
        torch.testing.assert_close(together[index : index + 1], alone, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("row", SIGNALS.values(), ids=SIGNALS)
def test_memory_layout_does_not_matter(row: SignalBend) -> None:
    x = signal()
    planar = row.apply(x, *values(row))
    last = row.apply(x.contiguous(memory_format=torch.channels_last), *values(row))
    torch.testing.assert_close(last, planar, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("row", SIGNALS.values(), ids=SIGNALS)
def test_half_precision_is_near_full(row: SignalBend, dtype: torch.dtype) -> None:
    x = signal(dtype=dtype)
    bent = row.apply(x, *values(row))
    assert bent.dtype == dtype
    exact = row.apply(x.double(), *values(row))
    far = ((bent.double() - exact).abs() > 0.05 * (1 + exact.abs())).double().mean()
    # Steps (posterise) may round the other way where a value lies midway between two.
    assert far <= (0.02 if row.is_differentiable else 0.05)


@pytest.mark.parametrize("row", SIGNALS.values(), ids=SIGNALS)
def test_gradients_flow_where_promised(row: SignalBend) -> None:
    x = signal(1, 3, 4, 5, dtype=torch.float64).requires_grad_()
    if not row.is_differentiable:
        assert not row.apply(x, *values(row)).requires_grad or not _has_gradient(row, x)
        return
    assert torch.autograd.gradcheck(lambda y: row.apply(y, *values(row)), (x,), eps=1e-7, atol=1e-5)


def _has_gradient(row: SignalBend, x: Tensor) -> bool:
    gradient = torch.autograd.grad(row.apply(x, *values(row)).sum(), x, allow_unused=True)[0]
    return gradient is not None and bool((gradient.abs().mean() > 1).item())


@pytest.mark.parametrize("name", [name for name, row in SIGNALS.items() if not row.is_spatial])
def test_vectors_are_bent_where_no_plane_is_needed(name: str) -> None:
    row = SIGNALS[name]
    x = signal(2, 7)
    assert row.apply(x, *values(row)).shape == x.shape


@pytest.mark.parametrize("row", SIGNALS.values(), ids=SIGNALS)
def test_a_layer_of_four_pixels_is_enough(row: SignalBend) -> None:
    assert row.apply(signal(1, 2, 4, 4), *values(row)).shape == (1, 2, 4, 4)


NEUTRAL = {name: row for name, row in BENDS.items() if row.neutral is not None}


@pytest.mark.parametrize("row", NEUTRAL.values(), ids=NEUTRAL)
def test_nothing_changes_at_the_neutral_parameter(row: Bend) -> None:
    assert row.neutral is not None
    x = signal(4, 4, 3, 3)
    if isinstance(row, MemoryBend):
        memory = Memory()
        for index in range(4):
            memory.moment = Moment(index=index)
            torch.testing.assert_close(row.apply(x + index, memory, *row.neutral), x + index)
        return
    assert isinstance(row, SignalBend | WeightBend)
    torch.testing.assert_close(row.apply(x, *row.neutral), x, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("row", WEIGHTS.values(), ids=WEIGHTS)
def test_weights_keep_their_shape_and_are_not_written_to(row: WeightBend) -> None:
    shape = (6, 4, 4) if row.kinds == ("const",) else (6, 5, 3, 3)
    weight = signal(*shape)
    before = weight.clone()
    bent = row.apply(weight, *values(row))
    assert bent.shape == weight.shape
    assert (bent != weight).any()
    assert bent.isfinite().all()
    assert torch.equal(weight, before)
    assert torch.equal(row.apply(weight, *values(row)), bent)


@pytest.mark.gpu
@pytest.mark.parametrize("row", SIGNALS.values(), ids=SIGNALS)
def test_the_same_on_a_gpu(row: SignalBend) -> None:
    x = signal()
    torch.testing.assert_close(
        row.apply(x.cuda(), *values(row)).cpu(), row.apply(x, *values(row)), rtol=1e-3, atol=1e-3
    )


def test_the_page_tells_of_every_bend() -> None:
    page = (Path(__file__).parents[3] / "docs" / "bends.md").read_text(encoding="utf-8")
    for name, row in BENDS.items():
        shown = ":".join([name, ",".join(p.name for p in row.parameters)]) if row.parameters else name
        assert f"`{shown}`" in page, shown
