"""What is recorded, when, and which changes a recording notices; the recorder computes anew, as there is no GPU."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stylegan.inference import replay as replay_module
from tests.stylegan.inference.test_network import generator


class Recorder:
    """Stands in for CUDA graphs: a replay computes again, into the tensor of the recording."""

    def __init__(self) -> None:
        self.made = self.played = 0
        self.fault: RuntimeError | None = None

    def record(
        self, compute: Callable[[], Tensor], device: torch.device
    ) -> tuple[Tensor, Callable[[], None]]:
        if self.fault is not None:
            raise self.fault
        self.made += 1
        result = compute()

        def play() -> None:
            self.played += 1
            result.copy_(compute())

        return result, play


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    recorder = Recorder()
    monkeypatch.setattr(replay_module, "record", recorder.record)
    monkeypatch.setattr(replay_module, "_may_replay", lambda x: not torch.is_grad_enabled())
    monkeypatch.setattr(replay_module, "surroundings", lambda device: ())
    yield recorder


def draw(G: Any, ws: Tensor, times: int = 1, **options: Any) -> Tensor:
    options = {"noise_mode": "const", **options}
    with torch.inference_mode():
        for _ in range(times):
            image: Tensor = G.synthesis(ws, **options)
    return image


def test_the_third_call_is_recorded_and_all_are_the_same(recorder: Recorder) -> None:
    G, ws = generator(16), torch.randn(2, 6, 12)
    expected = draw(G, ws, 2)
    assert recorder.made == 0
    assert torch.equal(draw(G, ws), expected)
    assert (recorder.made, recorder.played) == (1, 1)
    other = torch.randn(2, 6, 12)
    image = draw(G, other)
    assert (recorder.made, recorder.played) == (1, 2)
    kept = image.clone()
    draw(G, ws)
    assert torch.equal(image, kept), "a picture must not change when the next is drawn"
    with torch.no_grad():  # the other mode, on the same recording
        assert torch.equal(G.synthesis(other, noise_mode="const"), kept)
    assert (recorder.made, recorder.played) == (1, 4)


def test_gradients_and_generators_are_never_replayed(recorder: Recorder) -> None:
    G, ws = generator(16), torch.randn(1, 6, 12)
    for _ in range(4):
        G.synthesis(ws, noise_mode="const").sum().backward()
        draw(G, ws, noise_mode="random", generator=torch.Generator().manual_seed(0))
    assert recorder.made == 0


def _change_in_place(G: Any) -> None:
    with torch.no_grad():
        G.synthesis.b8.conv0.weight.mul_(-1)
        G.synthesis.b8.conv0.noise_const.add_(1)


def _put_another_weight(G: Any) -> None:
    G.synthesis.b8.conv1.weight = nn.Parameter(-G.synthesis.b8.conv1.weight)


def _put_other_data(G: Any) -> None:
    G.synthesis.b16.conv1.bias.data = G.synthesis.b16.conv1.bias.data + 1


def _turn_a_weight(G: Any) -> None:
    G.synthesis.b8.conv1.weight.data = G.synthesis.b8.conv1.weight.data.transpose(2, 3)  # the same address


def _change_a_gain(G: Any) -> None:
    G.synthesis.b8.torgb.weight_gain *= 2


def _change_a_setting(G: Any) -> None:
    G.synthesis.b16.conv1.conv_clamp = 0.01


def _change_a_filter(G: Any) -> None:
    G.synthesis.b16.conv0.resample_filter.mul_(0.5)


def _hang_a_hook(G: Any) -> None:
    G.synthesis.b16.torgb.register_forward_hook(lambda module, inputs, output: output * 2)


def _hang_a_hook_before(G: Any) -> None:
    G.synthesis.b8.conv1.register_forward_pre_hook(lambda module, inputs: (inputs[0] * 2, *inputs[1:]))


def _replace_a_forward(G: Any) -> None:
    G.synthesis.b8.tap_image.forward = lambda x: x * 3


@pytest.mark.parametrize(
    ("change", "made", "played"),
    [
        (_change_in_place, 1, 2),
        (_put_another_weight, 1, 1),
        (_put_other_data, 1, 1),
        (_turn_a_weight, 1, 1),
        (_change_a_gain, 1, 1),
        (_change_a_setting, 1, 1),
        (_change_a_filter, 1, 1),
        (_hang_a_hook, 1, 1),
        (_hang_a_hook_before, 1, 1),
        (_replace_a_forward, 1, 1),
    ],
)
def test_changes_are_heard_at_once(
    recorder: Recorder, change: Callable[[Any], None], made: int, played: int
) -> None:
    G, ws = generator(16), torch.randn(1, 6, 12)
    before = draw(G, ws, 3)
    change(G)
    after = draw(G, ws)
    assert (recorder.made, recorder.played) == (made, played)
    assert (after - before).abs().max() > 1e-3
    assert torch.equal(after, G.synthesis(ws, noise_mode="const").detach())


def test_hooks_on_all_modules_are_heard(recorder: Recorder) -> None:
    G, ws = generator(8), torch.randn(1, 4, 12)
    draw(G, ws, 4)
    seen: list[nn.Module] = []
    hook = nn.modules.module.register_module_forward_hook(lambda module, inputs, output: seen.append(module))
    draw(G, ws)
    hook.remove()
    assert G.synthesis.b8.conv1 in seen


def test_mapping_is_replayed_unless_it_moves_its_average_or_takes_labels(recorder: Recorder) -> None:
    G, z = generator(16), torch.randn(2, 8)
    expected = G.mapping(z, None, truncation_psi=0.5).detach()
    with torch.inference_mode():
        for _ in range(4):
            assert torch.equal(G.mapping(z, None, truncation_psi=0.5), expected)
        assert (recorder.made, recorder.played) == (1, 2)
        for _ in range(4):
            with pytest.raises(ValueError, match="unconditional"):
                G.mapping(z, torch.zeros(2, 3), truncation_psi=0.5)
        G.train()
        before = G.mapping.w_avg.clone()
        for _ in range(4):
            G.mapping(z, None)
        assert not torch.equal(G.mapping.w_avg, before)
    assert recorder.made == 1


def test_few_are_kept(recorder: Recorder) -> None:
    G = generator(8)
    for count in range(1, 8):
        draw(G, torch.randn(count, 4, 12), 3)
    assert recorder.made == 7
    assert len(replay_module._recordings[G.synthesis]) == 4


def test_large_batches_are_not_recorded(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylegan.synthesis._MOST_REPLAYED", 2 * 8 * 8)
    G = generator(8)
    draw(G, torch.randn(3, 4, 12), 4)
    assert recorder.made == 0
    draw(G, torch.randn(2, 4, 12), 4)
    assert recorder.made == 1


def test_what_cannot_be_recorded_is_computed_and_told_of_once(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    G = generator(8)
    recorder.fault = RuntimeError("operation not permitted when stream is capturing\nmore")
    with caplog.at_level(logging.WARNING, logger="stylegan"):
        for count in (1, 2):
            ws = torch.randn(count, 4, 12)
            expected = draw(G, ws)
            assert torch.equal(draw(G, ws, 4), expected)
    assert [record.getMessage() for record in caplog.records] == [
        "not recorded, computed launch by launch: operation not permitted when stream is capturing"
    ]


def test_on_a_cpu_nothing_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_module, "record", lambda *_: pytest.fail("recorded"))
    draw(generator(8), torch.randn(1, 4, 12), 4)
