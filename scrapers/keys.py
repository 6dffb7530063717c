"""Where the keys of services come from: the environment, and a file in the user's config folder for what it lacks.

The file is TOML, with a table `[keys]` of the names that the environment would use:

    [keys]
    FLICKR_API_KEY = "…"

What is wrong with it is told by file, line and name alone: no message contains any value from it.
"""

import os
import re
import stat
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from scrapers.errors import ConfigError

__all__ = ["config_path", "with_config"]

_MEND = 'write [keys] and under it lines such as FLICKR_API_KEY = "…"'
_OTHERS_READ = stat.S_IRGRP | stat.S_IROTH
_IS_WINDOWS = os.name == "nt"


def with_config(environ: Mapping[str, str], warn: Callable[[str], None]) -> dict[str, str]:
    """The environment, with the keys of the config file where it has none or an empty one.

    Args:
        environ: says where the file is, too.
        warn: told when others can read the file, or this user cannot.

    Raises:
        ConfigError: the file cannot be read or understood, or `BEND_CONFIG` names one that is not there.
    """
    keys = _read(config_path(environ), warn, is_demanded=bool(environ.get("BEND_CONFIG")))
    return {**environ, **{name: key for name, key in keys.items() if not environ.get(name, "").strip()}}


def config_path(environ: Mapping[str, str], *, is_windows: bool = _IS_WINDOWS) -> Path:
    """The config file, whether it is there or not: `$BEND_CONFIG`, or else where the system keeps a user's settings."""
    if chosen := environ.get("BEND_CONFIG"):
        return Path(chosen)
    folder = Path(environ.get("APPDATA" if is_windows else "XDG_CONFIG_HOME") or "")
    if not folder.is_absolute():  # the XDG specification has relative ones ignored
        folder = _home(environ) / ("AppData/Roaming" if is_windows else ".config")
    return folder / "bend" / "config.toml"


def _home(environ: Mapping[str, str]) -> Path:
    try:
        return Path(environ.get("HOME") or Path.home())
    except RuntimeError:  # a container's user may have none, and is then at home in the root folder
        return Path("/")


def _read(path: Path, warn: Callable[[str], None], *, is_demanded: bool) -> dict[str, str]:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            keys = _keys_of(path, _parsed(path, file.read()))
    except OSError as error:
        if isinstance(error, FileNotFoundError | NotADirectoryError) and not is_demanded:
            return {}
        if isinstance(error, PermissionError) and not is_demanded:  # somebody else's, whose HOME it still is
            warn(f"{path}: cannot be read, so no keys are taken from it; mend its permissions, or set HOME")
            return {}
        place = f"{path} (BEND_CONFIG)" if is_demanded else str(path)
        raise ConfigError(
            f"{place}: cannot be read ({error.strerror}); mend its name or its permissions"
        ) from None
    if keys and mode & _OTHERS_READ and not _IS_WINDOWS:
        warn(f"{path}: others on this machine can read your keys; run chmod 600 {path}")
    return keys


def _parsed(path: Path, content: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8 text; {_MEND}") from None
    except tomllib.TOMLDecodeError as error:
        # Of the parser's own words only the place is shown: the rest may quote the file.
        place = re.search(r"\(at ([a-z0-9, ]+)\)$", str(error))
        raise ConfigError(f"{path}: not TOML{f' at {place[1]}' if place else ''}; {_MEND}") from None


def _keys_of(path: Path, record: Mapping[str, Any]) -> dict[str, str]:
    keys = record.get("keys", {})
    if not isinstance(keys, dict):
        raise ConfigError(f"{path}: keys is not a table; {_MEND}")
    for name, key in keys.items():
        if not isinstance(key, str):
            raise ConfigError(f"{path}: {name} under [keys] is not text; put it in quotation marks")
    return keys
