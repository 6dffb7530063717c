"""What can be wrong with a data-set zip, as data.

`FaultError` carries one fault up to the caller: `DatasetZip` turns it into an `ArchiveError` that names the file,
`check_archive` adds the fault to its list and goes on.
"""

import os
from dataclasses import dataclass

from stylegan.errors import ArchiveError
from stylegan.printable import printable

__all__ = ["Fault", "FaultError", "fault_as_error", "show_name"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong with an archive."""

    kind: str
    """Short machine-readable word, such as `truncated` or `mixed-size`."""
    message: str
    """What and why, without the file's name."""
    member: str | None = None
    """The member at fault; None for the archive as a whole."""

    def __str__(self) -> str:
        return self.message if self.member is None else f"{show_name(self.member)}: {self.message}"


class FaultError(Exception):
    """A fault on its way up; never leaves `stylegan.archive`."""

    def __init__(self, kind: str, message: str, member: str | None = None) -> None:
        super().__init__(message)
        self.fault = Fault(kind=kind, message=message, member=member)


def fault_as_error(path: str | os.PathLike[str], error: FaultError) -> ArchiveError:
    """The error to raise to a caller who opened `path`."""
    return ArchiveError(f"{os.fspath(path)}: {error.fault}")


def show_name(name: str, limit: int = 120) -> str:
    """`name` fit for a terminal, overlong ones cut in the middle."""
    shown = printable(name)
    return shown if len(shown) <= limit else f"{shown[: limit // 2]}…{shown[-limit // 2 :]}"
