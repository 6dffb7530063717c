"""What an ordinary unpickler would run if it opened a file, found without running any of it.

A pickle names functions and classes and has them called; the official formats also contain Python source that their
tools execute. Here the inert machine of `legacy` reads the file, with a table that knows every name and counts its
calls. If even this machine refuses the file, the result covers what was read until then.
"""

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from stylegan.checkpoint.legacy.bounds import Meter, RefusedError, shown
from stylegan.checkpoint.legacy.machine import Table, read_pickle
from stylegan.checkpoint.legacy.records import Arguments, Global, OldNetworkRecord, StatefulRecord
from stylegan.checkpoint.legacy.source import Cursor, FileSource, Span
from stylegan.checkpoint.legacy.tables import OFFICIAL_GLOBALS, TORCH_FILE_GLOBALS
from stylegan.checkpoint.legacy.torch_file import is_torch_file, read_torch_file
from stylegan.errors import CheckpointError

__all__ = ["Executed", "find_executed"]

_WEIGHT_BYTES = 4 << 30
_LONGEST_SOURCE = 4 << 20
_MOST_NAMES = 1000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """What opening a file would run elsewhere; it is never run here."""

    calls: Mapping[str, int]
    """Functions and classes by dotted name, and how often each would be called; 0 for one only named."""
    strange: tuple[str, ...]
    """Those that no StyleGAN2 file needs."""
    sources: Mapping[str, int]
    """Pieces of Python source, by SHA-256, and their length in bytes."""
    refusal: str = ""
    """Why the file was not read to its end; empty if it was."""


def find_executed(path: Path) -> Executed:
    """List what an ordinary unpickler would run.

    Args:
        path: a pickle, or a file of `torch.save`.

    Raises:
        CheckpointError: the file cannot be read from the disk.
    """
    refusal = ""
    try:
        with path.open("rb", buffering=0) as file:
            source = FileSource(file, Meter(weight_bytes=_WEIGHT_BYTES))
            is_of_torch = is_torch_file(source)
            table = _Recorder(TORCH_FILE_GLOBALS if is_of_torch else OFFICIAL_GLOBALS)
            try:
                if is_of_torch:
                    read_torch_file(source, table)
                else:
                    read_pickle(Cursor(source.whole()), table)
            except RefusedError as error:
                refusal = str(error)
            sources = dict(table.sources())
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read ({error.strerror}); check its name and rights"
        ) from None
    return Executed(calls=dict(table.calls), strange=tuple(table.strange), sources=sources, refusal=refusal)


class _Recorder(Mapping[tuple[str, str], Global]):
    """A table of globals that has every name, and notes which are asked for and called."""

    def __init__(self, known: Table) -> None:
        self.calls: Counter[str] = Counter()
        self.strange: list[str] = []
        self._known = known
        self._made: dict[tuple[str, str], Global] = {}
        self._texts: list[object] = []
        self._networks: list[OldNetworkRecord] = []

    def __getitem__(self, key: tuple[str, str]) -> Global:
        if key not in self._made:
            if len(self._made) >= _MOST_NAMES:
                raise RefusedError(f"names more than {_MOST_NAMES} globals; refused")
            self._made[key] = self._make(key)
        return self._made[key]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def sources(self) -> Iterator[tuple[str, int]]:
        """SHA-256 and length of each piece of Python source."""
        texts = self._texts + [
            record.state.get("build_module_src") for record in self._networks if record.state
        ]
        seen = set()
        for text in texts:
            place = (text.start, text.length) if isinstance(text, Span) else text
            if place in seen:
                continue
            seen.add(place)
            if isinstance(text, Span) and text.length <= _LONGEST_SOURCE:
                data = text.read()
            elif isinstance(text, str):
                data = text.encode("utf-8", "surrogatepass")
            else:
                continue
            yield hashlib.sha256(data).hexdigest(), len(data)

    def _make(self, key: tuple[str, str]) -> Global:
        name = shown(".".join(key))[1:-1]
        self.calls[name] += 0
        known = self._known.get(key)
        if known is None:
            self.strange.append(name)

        def call(arguments: Arguments) -> object:
            self.calls[name] += 1
            self._note_source(arguments)
            return known.call(arguments) if known is not None and known.call is not None else _Anything()

        def new(arguments: Arguments) -> object:
            self.calls[name] += 1
            made = known.new(arguments) if known is not None and known.new is not None else _Anything()
            if isinstance(made, OldNetworkRecord):
                self._networks.append(made)
            return made

        return Global(name=known.name if known is not None else name, call=call, new=new)

    def _note_source(self, arguments: Arguments) -> None:
        meta = arguments[0] if len(arguments) == 1 else None
        if type(meta) is dict and type(text := meta.get("module_src")) in (str, Span):
            self._texts.append(text)


class _Anything(StatefulRecord):
    """What a strange call leaves behind: an object that takes any state and does nothing."""

    __slots__ = ()

    def set_state(self, state: object) -> None:
        """Take the state, and forget it."""
