"""When a network's forward pass is nothing but its own modules'."""

import pytest
import torch
from torch import nn

from stylegan.hooks import untouched_modules


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 3), nn.ReLU()))


def test_all_modules_are_told() -> None:
    found = network()
    assert untouched_modules(found) == [found, found[0], found[1], found[1][0], found[1][1]]


def test_hooks_and_replacements_are_told_and_forgotten() -> None:
    found = network()
    for hang in (
        lambda m: m.register_forward_hook(lambda *_: None),
        lambda m: m.register_forward_pre_hook(lambda *_: None),
        lambda m: m.register_full_backward_hook(lambda *_: None),
        lambda m: m.register_full_backward_pre_hook(lambda *_: None),
        lambda _: nn.modules.module.register_module_forward_hook(lambda *_: None),
    ):
        handle = hang(found[1][1])
        assert untouched_modules(found) is None
        handle.remove()
        assert untouched_modules(found) is not None
    for name in ("forward", "_call_impl"):
        setattr(found[0], name, found[0].forward)
        assert untouched_modules(found) is None
        delattr(found[0], name)
    found[0].compile(backend="eager")
    assert untouched_modules(found) is None


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_traced_part_is_somebody_elses() -> None:
    found = network()
    found[1] = torch.jit.trace(found[1], torch.zeros(1, 3))
    assert untouched_modules(found) is None
