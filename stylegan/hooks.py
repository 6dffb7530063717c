"""Whether a network's forward pass is nothing but its modules' own: without hooks, and with no `forward` replaced.

Only then may something else stand in for the whole network (a recording, one native call), as it would bypass whatever
observes or changes a module's output.
"""

from collections.abc import Callable

from torch import nn
from torch.nn.modules import module as torch_module

__all__ = ["untouched_modules"]

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_REPLACEMENTS = frozenset(["forward", "_call_impl"])

# This is not public in torch; where it is missing, hooks on all modules go unnoticed.
_has_global_hook: Callable[[], bool] = getattr(torch_module, "_has_any_global_hook", bool)


def untouched_modules(network: nn.Module) -> list[nn.Module] | None:
    """A network's modules, itself first; None where one of them has hooks or a `forward` that is not its class's."""
    if _has_global_hook():
        return None
    modules = [network]
    for module in modules:  # the list grows on the way
        own = vars(module)
        if "_modules" not in own or not _REPLACEMENTS.isdisjoint(own) or own.get("_compiled_call_impl"):
            return None
        for kind in _HOOKS:
            if own[kind]:
                return None
        modules += [child for child in own["_modules"].values() if child is not None]
    return modules
