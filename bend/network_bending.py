"""Translates the transform configurations of Broad's network-bending into the grammar of `--bend`.

Broad, Leymarie & Grierson's tool (arXiv 2005.12420) takes a YAML file with a list `transforms`, each with `layer`,
`transform`, `params`, `features` (`all`, `random`, `cluster`) and `feature-param`; for clusters, a second file gives
the cluster of each feature of each layer. Layers are counted from 1, the convolution of 4×4. Random features get a
seed. Only text is translated: whether a network has the layer is found out when bends are opened.
"""

import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bend.errors import SettingsError
from bend.number import GREATEST, spelled

__all__ = ["expand", "layer_name", "read_transforms"]

# their name -> ours; parameters are the same, in the same order
_NAMES = {
    "ablate": "ablate",
    "invert": "invert",
    "scalar-multiply": "multiply",
    "binary-thresh": "threshold",
    "flip-h": "flip-h",
    "flip-v": "flip-v",
    "translate": "translate",
    "scale": "scale",
    "rotate": "rotate",
    "erode": "erode",
    "dilate": "dilate",
}
_SUFFIXES = (".yaml", ".yml")
_DEEPEST = 17  # layers of a network of 1024 pixels


def expand(bends: tuple[str, ...]) -> tuple[str, ...]:
    """Bends, with each `FILE.yaml` or `FILE.yaml,CLUSTERS.yaml` among them replaced by the bends in it.

    Raises:
        SettingsError: a file cannot be read, or has a transform that is unknown here.
    """
    expanded: list[str] = []
    for bend in bends:
        files = bend.split(",")
        if "@" in bend or not all(file.endswith(_SUFFIXES) for file in files):
            expanded.append(bend)
            continue
        if len(files) > 2:
            raise SettingsError(f"--bend {bend}: give the transforms, and the clusters after a comma")
        expanded += read_transforms(Path(files[0]), Path(files[1]) if len(files) == 2 else None)
    return tuple(expanded)


def read_transforms(path: Path, clusters: Path | None = None) -> list[str]:
    """The transforms of a file in the grammar of `--bend`, in their order.

    Args:
        path: with the list `transforms`.
        clusters: the file with the cluster of each feature; None for bend's own clusters.

    Raises:
        SettingsError: says which transform is wrong, and why.
    """
    found = _load(path)
    transforms = found.get("transforms", "") if isinstance(found, Mapping) else ""
    if not isinstance(transforms, list | None):  # an empty list is written as nothing
        raise SettingsError(f"{path}: has no list `transforms`; give a configuration of network-bending")
    members = _load(clusters) if clusters is not None else None
    bends = []
    for place, transform in enumerate(transforms or [], start=1):
        try:
            bends.append(_bend(transform, members))
        except SettingsError as error:
            raise SettingsError(f"{path}: transform {place}: {error}") from None
    return bends


def layer_name(layer: Any) -> str:
    """The convolution that their `layer` counts: 1 is `b4.conv1`, 2 `b8.conv0`, 3 `b8.conv1`, 4 `b16.conv0`, …

    Raises:
        SettingsError: no whole number from 1 to 17.
    """
    if type(layer) is not int or not 1 <= layer <= _DEEPEST:
        raise SettingsError(
            f"layer {reprlib.repr(layer)} is not a layer; they are numbered from 1 to {_DEEPEST}"
        )
    return f"b{4 << (layer // 2)}.conv{layer % 2}"


def _bend(transform: Any, members: Any) -> str:
    if not isinstance(transform, Mapping):
        raise SettingsError(
            f"{reprlib.repr(transform)} is not a transform; it has layer, transform, params and features"
        )
    theirs = transform.get("transform")
    if not isinstance(theirs, str) or theirs not in _NAMES:
        raise SettingsError(f"{reprlib.repr(theirs)} is unknown; choose from {', '.join(_NAMES)}")
    params = transform.get("params") or []
    if not isinstance(params, list) or not all(_is_number(param) for param in params):
        raise SettingsError(f"params {reprlib.repr(params)} are not a list of numbers")
    numbers = ",".join(spelled(param) for param in params)
    what = f"{_NAMES[theirs]}:{numbers}" if numbers else _NAMES[theirs]
    return f"{what}@{layer_name(transform.get('layer'))}{_features(transform, members)}"


def _features(transform: Mapping[str, Any], members: Any) -> str:
    kind: Any = transform.get("features", "all")
    param: Any = transform.get("feature-param")
    if kind == "all":
        return ""
    if kind == "random" and _is_number(param) and 0 < param <= 1:
        return f"/channels=random:{spelled(param)}:seed0"
    if kind == "cluster" and type(param) is int and param >= 0:
        if members is None:
            return f"/cluster={param}"
        return f"/channels={_members(members, transform['layer'], param)}"
    raise SettingsError(
        f"features {reprlib.repr(kind)} with feature-param {reprlib.repr(param)}: write all, random with a share, "
        "or cluster with a number"
    )


def _members(clusters: Any, layer: int, number: int) -> str:
    """The features of a cluster, as a list of channels."""
    try:
        features = [
            int(row["feature_index"]) for row in clusters[layer] if int(row["cluster_index"]) == number
        ]
    except (LookupError, TypeError, ValueError, OverflowError):
        raise SettingsError(f"the file of clusters says nothing about layer {layer}") from None
    if not features:
        raise SettingsError(f"the file of clusters has no cluster {number} in layer {layer}")
    return ",".join(map(str, sorted(features)))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= GREATEST


def _load(path: Path) -> Any:
    import yaml  # slow to import, and seldom needed

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}; check its name") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # A ValueError is a 32nd of January, or text that is not UTF-8.
        reason = " ".join(str(error).split())
        raise SettingsError(f"{path}: cannot be read as YAML ({reason:.120}); mend it") from None
