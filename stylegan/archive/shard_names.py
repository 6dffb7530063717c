"""Which files a data set is made of, from what a person wrote: a file, a pattern of names, a folder, a list.

`rocks-*.zip` as the shell has it, `rocks-{00000..00009}.tar` as WebDataset writes it, a folder of shards, or a text or
JSON file that lists them. Files of a pattern or a folder come in the sorted order of their names, those of a range or a
list in the order given.
"""

import fnmatch
import glob
import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stylegan.archive.faults import FaultError, fault_as_error
from stylegan.archive.tar_shard import TAR_SUFFIXES, is_tar

__all__ = [
    "are_there",
    "find_shards",
    "is_list",
    "is_pattern",
    "is_shard_name",
    "is_shard_set",
    "listed_names",
    "name_matcher",
    "set_name",
]

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}", re.ASCII)
_NUMBERED = re.compile(r"(.+)-(\d+)-of-(\d+)", re.ASCII)
_LISTS = (".txt", ".json")
_MOST_SHARDS = 100_000
_MOST_LIST_BYTES = 64 * 2**20


def find_shards(text: str) -> list[Path]:
    """The files that `text` means, at least one; a plain file means itself, whether it exists or not.

    Raises:
        FaultError: a pattern, folder or list that leads to no shards, or to only part of a numbered set.
        OSError: a folder or list cannot be read.
    """
    path = Path(text)
    if path.is_file():
        found = _listed(path) if is_list(path.name) else [path]
    elif path.is_dir():
        found = sorted(one for one in path.iterdir() if _is_shard(one))
        if not found:
            raise FaultError(
                "not-a-file",
                "not a file, nor are there .zip or .tar shards in it; make a zip of a folder with "
                "`bend package FOLDER -o OUT.zip`",
            )
    elif _RANGE.search(text):
        found = [path for one in _ranged(text) for path in _matching(one)]
    else:
        found = _matching(text)
    _refuse_incomplete(found)
    return found


def is_shard_set(text: str) -> bool:
    """Whether `text` means, by its form, something other than one zip: a pattern, list, tar, or folder of shards."""
    path = Path(text)
    if path.is_dir():
        return any(map(_is_shard, path.iterdir()))
    if path.is_file():
        return is_tar(path) or is_list(path.name)
    return is_pattern(text)


def is_pattern(text: str) -> bool:
    """Whether `text` means, by its form, the files whose names match it: a pattern or a range."""
    return glob.has_magic(text) or _RANGE.search(text) is not None


def is_list(name: str) -> bool:
    """Whether a file of that name is read as a list of shards."""
    return name.lower().endswith(_LISTS)


def listed_names(path: Path, called: str) -> list[str]:
    """The shards that a list names, as written there.

    Args:
        path: the list.
        called: what messages call it.

    Raises:
        ArchiveError: it is not a list, or is empty.
        OSError: it cannot be read.
    """
    try:
        return _names_in(path)
    except FaultError as error:
        raise fault_as_error(called, error) from None


def name_matcher(pattern: str) -> Callable[[str], bool]:
    """A test of whether a pattern or range of names, without folders, means a file of a given name.

    Raises:
        ArchiveError: a range that does not run upwards, or is too long.
    """
    try:
        names = set(_ranged(pattern))
    except FaultError as error:
        raise fault_as_error(pattern, error) from None
    patterns = [re.compile(fnmatch.translate(name)) for name in names if glob.has_magic(name)]
    return lambda name: name in names or ("/" not in name and any(one.match(name) for one in patterns))


def is_shard_name(name: str) -> bool:
    """Whether a file of that name in a folder of shards is one of them."""
    return not name.startswith(".") and name.lower().endswith((".zip", *TAR_SUFFIXES))


def are_there(text: str) -> bool:
    """Whether everything that `text` means is there."""
    try:
        return all(path.exists() for path in find_shards(text))
    except (FaultError, OSError):
        return False


def set_name(text: str, shards: Sequence[Path]) -> str:
    """What a run on these shards is named after: the folder or list, else what the shards' names begin with."""
    path = Path(text)
    if path.is_dir():
        return path.resolve().name
    if len(shards) == 1 or path.is_file():
        return _stem(path if path.is_file() else shards[0])
    same = os.path.commonprefix([_stem(shard) for shard in shards])  # noqa: RUF071 - by characters, as wanted
    return same.rstrip("0123456789").rstrip("-_. ") or "shards"


def _is_shard(path: Path) -> bool:
    return is_shard_name(path.name) and path.is_file()


def _stem(path: Path) -> str:
    ending = next(
        (ending for ending in reversed(TAR_SUFFIXES) if path.name.lower().endswith(ending)), path.suffix
    )
    return path.name[: len(path.name) - len(ending)]


def _matching(text: str) -> list[Path]:
    if Path(text).exists() or not glob.has_magic(text):
        return [Path(text)]
    if not (found := sorted(map(Path, glob.glob(text)))):  # noqa: PTH207 - Path.glob takes no absolute pattern
        raise FaultError(
            "missing", "no file by such a name; write the pattern in quotes, as in 'rocks-*.zip'"
        )
    return found


def _ranged(text: str) -> list[str]:
    """`a-{08..10}` -> a-08, a-09, a-10; of several ranges the last runs fastest."""
    match = _RANGE.search(text)
    if match is None:
        return [text]
    first, last, width = int(match[1]), int(match[2]), len(match[1])
    if not first <= last < first + _MOST_SHARDS:
        raise FaultError("missing", f"{match[0]}: must run upwards, over at most {_MOST_SHARDS:,} shards")
    rest = _ranged(text[match.end() :])
    return [f"{text[: match.start()]}{i:0{width}d}{end}" for i in range(first, last + 1) for end in rest]


def _listed(path: Path) -> list[Path]:
    """The shards that a file lists; relative ones lie beside it."""
    shards = [path.parent / name for name in _names_in(path)]
    if lost := next((shard for shard in shards if not shard.exists()), None):
        raise FaultError("missing", f"read as a list of shards, it names {lost}, which is not there")
    return shards


def _names_in(path: Path) -> list[str]:
    """The names in a list, a line each or as a JSON list."""
    if path.stat().st_size > _MOST_LIST_BYTES:
        raise FaultError("too-large", "too large for a list of shards")
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    if path.suffix.lower() == ".json":
        names = _json_names(text)
    else:
        lines = map(str.strip, text.splitlines())
        names = [line for line in lines if line and not line.startswith("#")]
    if not names:
        raise FaultError("empty", "lists no shards")
    return names


def _json_names(text: str) -> list[str]:
    try:
        content: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FaultError("metadata", f"not valid JSON ({error})") from None
    if isinstance(content, dict):  # as WebDataset's indexes are
        content = content.get("shardlist")
    entries = content if isinstance(content, list) else [None]
    names = [entry.get("url") if isinstance(entry, dict) else entry for entry in entries]
    texts = [name for name in names if isinstance(name, str)]
    if len(texts) < len(names):
        raise FaultError("metadata", 'must be a list of shards, such as ["rocks-00000.zip"]')
    return texts


def _refuse_incomplete(found: Sequence[Path]) -> None:
    """Of files named `…-00001-of-00004`, as `bend package --shard-size` names them, all must be there."""
    there: dict[tuple[Path, str, int], set[int]] = {}
    for path in found:
        if match := _NUMBERED.fullmatch(_stem(path)):
            there.setdefault((path.parent, match[1], int(match[3])), set()).add(int(match[2]))
    if len(found) < 2:
        return
    for (_, stem, total), numbers in there.items():
        missing = [number for number in range(min(total, _MOST_SHARDS)) if number not in numbers]
        if missing:
            raise FaultError(
                "missing",
                f"{len(numbers)} of the {total} shards of {stem}: number {missing[0]} is missing; restore it, or name "
                "the shards to use in a list",
            )
