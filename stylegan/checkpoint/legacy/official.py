"""The pickles of the official PyTorch releases: StyleGAN2-ada, and StyleGAN2 from the StyleGAN3 repository.

A file is a dictionary of `G`, `D`, `G_ema` and `augment_pipe`, each a module with the keyword arguments it was made
with. What those leave to the defaults of the class that wrote them, which differ between the two repositories, is
read off the layers' attributes. The source code that travels with each module is neither run nor kept.
"""

from collections.abc import Iterator, Mapping

from stylegan.checkpoint.legacy.assemble import Build, Weight, assemble
from stylegan.checkpoint.legacy.bounds import DAMAGED, RefusedError, shown
from stylegan.checkpoint.legacy.records import ModuleRecord
from stylegan.checkpoint.legacy.strangers import CLASSES, SYNTHESES
from stylegan.checkpoint.legacy.tensors import TensorRecord
from stylegan.discriminator import Discriminator
from stylegan.generator import Generator

__all__ = ["is_official", "read_official"]

_NETWORKS = {"G": "Generator", "D": "Discriminator", "G_ema": "Generator"}
_POSITIONAL = {
    "Generator": (
        "z_dim",
        "c_dim",
        "w_dim",
        "img_resolution",
        "img_channels",
        "mapping_kwargs",
        "synthesis_kwargs",
    ),
    "Discriminator": (
        "c_dim",
        "img_resolution",
        "img_channels",
        "architecture",
        "channel_base",
        "channel_max",
    ),
}
_WITHOUT_EFFECT = ("fused_modconv_default",)  # how the work is done, not what is computed
_MAX_DEPTH = 12
_MAX_MODULES = 4096
_MAX_ENTRIES = 65_536  # parameters and buffers of all modules together
_MAX_SETTINGS = 64


def is_official(root: object) -> bool:
    """Whether an unpickled object has the outline of such a file, or is one network by itself."""
    if isinstance(root, ModuleRecord):
        return True
    return type(root) is dict and any(isinstance(root.get(name), ModuleRecord) for name in _NETWORKS)


def read_official(
    root: Mapping[object, object] | ModuleRecord, build: Build = assemble
) -> tuple[dict[str, Generator | Discriminator], float]:
    """Build the networks of a file.

    Args:
        root: the unpickled dictionary, or one network.
        build: what makes a network.

    Returns:
        The networks by name, and the augmentation probability.

    Raises:
        RefusedError: a network of another kind, or a damaged one.
    """
    if isinstance(root, ModuleRecord):
        root = {"D" if root.class_name == _NETWORKS["D"] else "G_ema": root}
    modules = {name: root[name] for name in _NETWORKS if root.get(name) is not None}
    for name, module in modules.items():
        _check_class(name, module)
    networks = {}
    for name, module in modules.items():
        assert isinstance(module, ModuleRecord)
        arguments = _discriminator_arguments(module) if name == "D" else _generator_arguments(module)
        networks[name] = build(name, arguments, _weights(module))
    return networks, _augment_p(root.get("augment_pipe"))


def _check_class(name: str, module: object) -> None:
    if not isinstance(module, ModuleRecord):
        raise RefusedError(f"has a {name} that is not a network; {DAMAGED}")
    if module.class_name != _NETWORKS[name]:
        maker = CLASSES.get(module.class_name, "another program")
        raise RefusedError(
            f"has a {name} of {maker} (class {shown(module.class_name)}); only StyleGAN2 networks are read"
        )
    synthesis = _children(module).get("synthesis")
    if synthesis is not None and "b4" not in _children(synthesis):
        maker = SYNTHESES.get(synthesis.class_name, "another program")
        layer = next(iter(_children(synthesis).values()), synthesis)
        raise RefusedError(
            f"has a {name} of {maker} (its synthesis begins with {shown(layer.class_name)}); "
            "only StyleGAN2 networks are read"
        )


def _generator_arguments(module: ModuleRecord) -> dict[str, object]:
    given = _given_arguments(module)
    own = _POSITIONAL["Generator"]
    arguments = {key: value for key, value in given.items() if key in own}
    # The StyleGAN3 repository passes the synthesis network's arguments beside the others.
    flat = {key: value for key, value in given.items() if key not in own}
    children = _children(module)
    mapping, synthesis = children.get("mapping"), children.get("synthesis")
    if mapping is None or synthesis is None:
        raise RefusedError(f"has a generator without mapping or synthesis; {DAMAGED}")
    observed = _observed(synthesis, "conv1")
    arguments["synthesis_kwargs"] = observed | _nested(arguments, "synthesis_kwargs") | flat
    observed = _attributes(mapping, "num_layers", "w_avg_beta")
    arguments["mapping_kwargs"] = observed | _nested(arguments, "mapping_kwargs")
    return arguments


def _discriminator_arguments(module: ModuleRecord) -> dict[str, object]:
    arguments = _observed(module, "conv0") | _given_arguments(module)
    if "mapping" in (children := _children(module)):
        observed = _attributes(children["mapping"], "num_layers")
        arguments["mapping_kwargs"] = observed | _nested(arguments, "mapping_kwargs")
    if "block_kwargs" in arguments:
        arguments["block_kwargs"] = _nested(arguments, "block_kwargs")
    return arguments


def _observed(module: ModuleRecord, layer: str) -> dict[str, object]:
    """Precision and clamp as the blocks of a network have them."""
    blocks = [child for name, child in _children(module).items() if name[1:].isdecimal() and name != "b4"]
    found: dict[str, object] = {}
    if blocks and all(type(block.state.get("use_fp16")) is bool for block in blocks):
        found["num_fp16_res"] = sum(block.state["use_fp16"] is True for block in blocks)
    layers = [_children(block)[layer] for block in blocks if layer in _children(block)]
    if layers:
        found |= _attributes(layers[0], "conv_clamp")
    return found


def _attributes(module: ModuleRecord, *names: str) -> dict[str, object]:
    return {name: _plain(module.state[name]) for name in names if name in module.state}


def _given_arguments(module: ModuleRecord) -> dict[str, object]:
    names = _POSITIONAL[module.class_name]
    positional, keywords = module.state.get("_init_args", ()), module.state.get("_init_kwargs")
    if type(positional) not in (tuple, list) or len(positional) > len(names) or type(keywords) is not dict:  # type: ignore[arg-type]
        raise RefusedError(f"has a network without its settings; {DAMAGED}")
    given = _plain(keywords)
    assert isinstance(given, dict)
    return dict(zip(names, _plain(list(positional)), strict=False)) | _without_effect(given)  # type: ignore[call-overload]


def _nested(arguments: Mapping[str, object], key: str) -> dict[str, object]:
    value = arguments.get(key)
    if value is not None and not isinstance(value, dict):
        raise RefusedError(f"has {key} that are not a table of arguments; {DAMAGED}")
    return _without_effect(value or {})


def _without_effect(arguments: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in arguments.items() if key not in _WITHOUT_EFFECT}


def _plain(value: object, depth: int = 0) -> object:
    """A setting as JSON could hold it: numbers, text, None, and shallow containers of these."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if depth < 4 and isinstance(value, list | tuple | dict) and len(value) <= _MAX_SETTINGS:
        if not isinstance(value, dict):
            return [_plain(item, depth + 1) for item in value]
        if all(type(key) is str for key in value):
            return {key: _plain(item, depth + 1) for key, item in value.items()}
    raise RefusedError(f"has a setting that is neither number nor text; {DAMAGED}")


def _weights(module: ModuleRecord) -> dict[str, Weight]:
    """Parameters and buffers by state-dict key, without those that torch's `state_dict` leaves out."""
    weights: dict[str, Weight] = {}
    num_entries = 0
    for prefix, part in _walk(module):
        entries = _entries(part)
        num_entries += len(entries)
        if num_entries > _MAX_ENTRIES:
            raise RefusedError(f"has parameters without end; {DAMAGED}")
        for name, tensor in entries.items():
            if tensor is None:
                continue
            if type(name) is not str or not isinstance(tensor, TensorRecord):
                raise RefusedError(f"has a parameter that is not a tensor; {DAMAGED}")
            weights[prefix + name] = Weight(shape=tensor.shape, read=tensor.read)
    return weights


def _entries(module: ModuleRecord) -> dict[object, object]:
    """A module's own parameters, and its buffers without those that are not saved."""
    parameters, buffers = module.state.get("_parameters", {}), module.state.get("_buffers", {})
    passing = module.state.get("_non_persistent_buffers_set", set())
    if type(parameters) is not dict or type(buffers) is not dict or not isinstance(passing, set | tuple):
        raise RefusedError(f"has a module of unknown kind; {DAMAGED}")
    return parameters | {name: buffer for name, buffer in buffers.items() if name not in passing}


def _walk(root: ModuleRecord) -> Iterator[tuple[str, ModuleRecord]]:
    """A module and all below it, each with the prefix of its keys; the depth of nesting is limited."""
    waiting = [("", root, 0)]
    seen = 0
    while waiting:
        prefix, module, depth = waiting.pop()
        children = _children(module)
        seen += 1
        if seen + len(waiting) + len(children) > _MAX_MODULES or depth > _MAX_DEPTH:
            raise RefusedError(f"has modules within modules without end; {DAMAGED}")
        yield prefix, module
        waiting += [(f"{prefix}{name}.", child, depth + 1) for name, child in children.items()]


def _children(module: ModuleRecord) -> dict[str, ModuleRecord]:
    children = module.state.get("_modules", {})
    if type(children) is not dict:
        raise RefusedError(f"has a module of unknown kind; {DAMAGED}")
    if len(children) > _MAX_MODULES:
        raise RefusedError(f"has modules within modules without end; {DAMAGED}")
    for name, child in children.items():
        if type(name) is not str or not isinstance(child, ModuleRecord):
            raise RefusedError(f"has a module of unknown kind; {DAMAGED}")
    return children


def _augment_p(pipe: object) -> float:
    """The probability that the augmentation stood at, 0 without one."""
    buffers = pipe.state.get("_buffers") if isinstance(pipe, ModuleRecord) else None
    p = buffers.get("p") if type(buffers) is dict else None
    if not isinstance(p, TensorRecord) or p.shape != ():
        return 0.0
    value = p.read().item()
    if not 0 <= value <= 1:
        raise RefusedError(f"has the augmentation probability {value}, not one from 0 to 1; {DAMAGED}")
    return value
