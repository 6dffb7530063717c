"""The globals that a network's pickle may name, each with what it records.

The tables are exact and complete: measured on files of every format and protocol, with the module names of old and
new numpy and the Python 2 names that protocol 2 writes. A file that names anything else is refused. To add a name, add
a record that does nothing but hold its arguments.
"""

from collections.abc import Callable

from stylegan.checkpoint.legacy.arrays import (
    DtypeRecord,
    bytes_from_text,
    make_array,
    make_frombuffer,
    make_scalar,
)
from stylegan.checkpoint.legacy.bounds import DAMAGED, RefusedError
from stylegan.checkpoint.legacy.machine import Table
from stylegan.checkpoint.legacy.records import (
    Arguments,
    Global,
    ModuleRecord,
    NamespaceRecord,
    OldNetworkRecord,
)
from stylegan.checkpoint.legacy.tensors import TensorRecord
from stylegan.checkpoint.legacy.torch_file import STORAGE_GLOBALS, load_from_bytes

__all__ = ["OFFICIAL_GLOBALS", "TORCH_FILE_GLOBALS"]

# A set is copied at each call. It names a module's buffers that are not saved, of which StyleGAN2 has none.
_MAX_SET = 16


def _empty(make: Callable[[], object]) -> Callable[[Arguments], object]:
    def record(arguments: Arguments) -> object:
        if arguments:
            raise RefusedError(f"makes a container from something; {DAMAGED}")
        return make()

    return record


def _make_set(arguments: Arguments) -> set[object]:
    items = arguments[0] if len(arguments) == 1 else None
    if type(items) is not list or len(items) > _MAX_SET or not all(type(item) is str for item in items):
        raise RefusedError(f"has a set of other things than a few names; {DAMAGED}")
    return set(items)


def _known(
    module: str,
    name: str,
    call: Callable[[Arguments], object] | None = None,
    new: Callable[[Arguments], object] | None = None,
) -> dict[tuple[str, str], Global]:
    return {(module, name): Global(name=f"{module}.{name}", call=call, new=new)}


_SHARED: Table = {
    **_known("collections", "OrderedDict", call=_empty(dict)),
    **_known("torch._utils", "_rebuild_tensor_v2", call=TensorRecord.from_rebuild),
    **_known("torch._utils", "_rebuild_parameter", call=TensorRecord.from_parameter),
    **_known("builtins", "set", call=_make_set),
    **_known("__builtin__", "set", call=_make_set),
    **_known("_codecs", "encode", call=bytes_from_text),
    **_known("numpy", "ndarray"),
    **_known("numpy", "dtype", call=DtypeRecord.from_call),
    **_known("numpy.core.multiarray", "scalar", call=make_scalar),
    **_known("numpy._core.multiarray", "scalar", call=make_scalar),
    **_known("numpy.core.multiarray", "_reconstruct", call=make_array),
    **_known("numpy._core.multiarray", "_reconstruct", call=make_array),
    **_known("numpy.core.numeric", "_frombuffer", call=make_frombuffer),
    **_known("numpy._core.numeric", "_frombuffer", call=make_frombuffer),
}
OFFICIAL_GLOBALS: Table = {
    **_SHARED,
    **_known("torch_utils.persistence", "_reconstruct_persistent_obj", call=ModuleRecord.from_meta),
    **_known("torch.storage", "_load_from_bytes", call=load_from_bytes),
    **_known("dnnlib.util", "EasyDict", new=_empty(dict)),
    **_known("dnnlib.tflib.network", "Network", new=_empty(OldNetworkRecord)),
}
"""For the pickles of the official releases, PyTorch and TensorFlow."""
TORCH_FILE_GLOBALS: Table = {
    **_SHARED,
    **STORAGE_GLOBALS,
    **_known("argparse", "Namespace", new=_empty(NamespaceRecord)),
}
"""For files that `torch.save` writes."""
