"""A stand-in for the official tools' unpickling: it runs the source text that a file brings, and fills its classes."""

import pickle
import types
from pathlib import Path
from typing import Any

import torch

from tests.stylegan.checkpoint.legacy.writers import EasyDict

__all__ = ["unpickle"]


def unpickle(path: Path) -> dict[str, Any]:
    """What the official tools would get from a file of ours."""
    with path.open("rb") as file:
        root = _Unpickler(file).load()
        assert file.read() == b""
    assert isinstance(root, dict)
    return root


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self._modules: dict[str, types.ModuleType] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("torch_utils.persistence", "_reconstruct_persistent_obj"):
            return self._reconstruct
        if (module, name) == ("dnnlib.util", "EasyDict"):
            return EasyDict
        assert module in ("torch.storage", "torch._utils", "collections"), (module, name)
        return super().find_class(module, name)

    def _reconstruct(self, meta: Any) -> torch.nn.Module:
        assert meta.type == "class"
        assert meta.version >= 6
        if meta.module_src not in self._modules:
            module = types.ModuleType("imported")
            exec(compile(meta.module_src, "<module_src>", "exec"), module.__dict__)
            self._modules[meta.module_src] = module
        kind = self._modules[meta.module_src].__dict__[meta.class_name]
        made = kind.__new__(kind)
        made.__setstate__(meta.state)
        assert isinstance(made, torch.nn.Module)
        return made
