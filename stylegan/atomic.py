"""Files that are whole or absent.

A file is written under a temporary name in its own folder, flushed to the disk, opened again and checked where its
writer knows how, then renamed over its final name (`os.replace` is atomic within a folder on POSIX and NTFS), then the
folder is flushed. A crash or a full disk leaves what was there before, and at worst a hidden `.tmp` file beside it that
nothing reads. Its name holds the number of the process that made it; once that process is dead, the next one to write
in the folder removes the file.

Every step announces itself as an audit event, so that a test can have the process die there (`bend.failpoint`).
"""

import contextlib
import errno
import functools
import hashlib
import itertools
import os
import platform
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["atomic_path", "flush_folder", "sweep_folder", "temporary_name", "write_atomic"]

_LONG_STEM = 200  # bytes
_TEMPORARY = re.compile(r"\..+\.([0-9a-f]{6})-(\d+)\.tmp(\..*)?", re.DOTALL)
_numbers = itertools.count(1)
_asking_umask = threading.Lock()


@contextlib.contextmanager
def atomic_path(
    path: str | os.PathLike[str],
    *,
    check: Callable[[Path], None] | None = None,
    keep: Path | None = None,
    replace: bool = True,
) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success flush it and rename it to `path`, on failure remove it.

    The parent folder is created if need be.

    Args:
        path: the file to be written.
        check: looks at the flushed file before it takes its name; what it raises leaves `path` as it was.
        keep: name in the same folder under which the replaced file is kept, in place of the one kept before.
        replace: whether a file that appeared under that name meanwhile is replaced.

    Raises:
        FileExistsError: it appeared, and is not to be replaced.
        OSError: the disk is full or the folder cannot be written; `path` is as it was.
    """
    final = Path(path)
    _make_folder(final.parent)
    _sweep_once(final.parent.absolute())
    # Numbered, as threads may write one file at once: the last one's stays, whole.
    temporary = final.with_name(temporary_name(f"{final.stem}.{next(_numbers)}", final.suffix))
    try:
        _announce("begun", final)
        yield temporary
        _announce("written", final)
        _flush(temporary)
        if check is not None:
            check(temporary)
        _announce("flushed", final)
        if keep is not None and final.exists():
            final.replace(keep)
            _announce("kept", final)
        _name(temporary, final, replace=replace)
        _announce("named", final)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and _is_about(error, temporary):
            _rename_in(error, final)
        raise
    flush_folder(final.parent)


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it; a file in its place is no sign that the output has appeared."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None


def write_atomic(path: str | os.PathLike[str], data: bytes | str) -> None:
    """Write `data` (text as UTF-8) to `path`, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)


def temporary_name(stem: str, suffix: str = "") -> str:
    """A name for a file or folder that is not to outlive this process.

    Args:
        stem: distinguishes it from others of this process; a long one is hashed, since names end at 255 bytes.
        suffix: stays last, since writers such as Pillow and PyAV choose the format by it.
    """
    if len(os.fsencode(stem)) > _LONG_STEM:
        stem = hashlib.sha256(os.fsencode(stem)).hexdigest()
    return f".{stem}.{_host()}-{os.getpid()}.tmp{suffix}"


def sweep_folder(folder: Path) -> None:
    """Remove temporary files and folders that processes of this machine left in `folder` and that are dead by now."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            match = _TEMPORARY.fullmatch(entry.name)
            if match is None or match[1] != _host() or _is_alive(int(match[2])):
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    Path(entry.path).unlink()


def flush_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk, after files in it were renamed."""
    if os.name != "posix":  # Windows cannot open a folder; its rename is durable enough
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@functools.lru_cache(maxsize=256)
def _sweep_once(folder: Path) -> None:
    """Sweep each folder once in a process: for a film of ten thousand frames, more often would be slow."""
    sweep_folder(folder)


@functools.cache
def _host() -> str:
    """Six digits that identify this machine or container, since process numbers of another mean nothing here."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]


def _is_alive(pid: int) -> bool:
    if os.name != "posix":  # elsewhere, asking would end it
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _announce(step: str, final: Path) -> None:
    sys.audit("failpoint", step, str(final))


def _flush(temporary: Path) -> None:
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
        if os.name == "posix":  # some writers make files that only their owner can read
            os.fchmod(file.fileno(), 0o666 & ~_umask())


def _name(temporary: Path, final: Path, *, replace: bool) -> None:
    if not replace:
        try:
            final.hardlink_to(temporary)  # unlike a rename, this fails where there is a file
        except FileExistsError:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(final)) from None
        except OSError:  # a file system without links
            if final.exists():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(final)) from None
        else:
            temporary.unlink()
            return
    temporary.replace(final)


def _is_about(error: OSError, temporary: Path) -> bool:
    """Whether an error names the temporary file, by a path or a URL, or none at all."""
    return error.filename is None or Path(str(error.filename)).name == temporary.name


def _rename_in(error: OSError, final: Path) -> None:
    """Put the name that the user knows into an error.

    Raises:
        OSError: the same, where it is of a kind (PyAV's) whose name cannot be changed.
    """
    if error.errno is None:  # somebody's own, with text in place of a number
        return
    try:
        error.filename = str(final)
    except AttributeError:
        code = error.errno or errno.EIO
        raise OSError(code, os.strerror(code), str(final)) from error


def _umask() -> int:
    with _asking_umask:  # asking means setting it: two threads at once could leave the process with another
        mask = os.umask(0o077)
        os.umask(mask)
    return mask
