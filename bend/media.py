"""Names of films and tracks that FFmpeg can only take for files on this machine."""

import os
from pathlib import Path

__all__ = ["media_url"]


def media_url(path: Path) -> str:
    """What PyAV is to open: with its protocol and as an absolute path, no name can be taken for an address.

    `take:1.mp4` would be one of a protocol `take`. Links stay as they are.
    """
    return f"file:{os.path.abspath(path)}"  # noqa: PTH100  resolving would follow links
