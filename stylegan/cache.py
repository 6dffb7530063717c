"""The cache folder, for what can be made again: compiled operations, measurements of this machine, pulled models.

It lies where the XDG base-directory specification says on Linux and macOS, in `%LOCALAPPDATA%` on Windows. Whoever
keeps something there chooses its name, and must expect that it vanishes at any moment.
"""

import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder(environ: Mapping[str, str] = os.environ, *, is_windows: bool = os.name == "nt") -> Path:
    """The cache's folder, whether it exists or not: `$BEND_CACHE`, or else `bend` where the system keeps caches."""
    if chosen := environ.get("BEND_CACHE"):
        return Path(os.path.expanduser(chosen))  # noqa: PTH111 - the `~` of an unknown user stays, as in a shell
    folder = Path(environ.get("LOCALAPPDATA" if is_windows else "XDG_CACHE_HOME") or "")
    if not folder.is_absolute():  # the XDG specification has relative ones ignored
        folder = _home(environ) / ("AppData/Local" if is_windows else ".cache")
    return folder / "bend"


def _home(environ: Mapping[str, str]) -> Path:
    try:
        return Path(environ.get("HOME") or Path.home())
    except RuntimeError:  # a container's user may have none, and is then at home in the root folder
        return Path("/")
