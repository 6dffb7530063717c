"""What torchrun tells a process that it starts: which of how many it is, and of which launch.

Read from the environment alone, without torch. `distributed` connects the processes.
"""

import dataclasses
import os
import socket
from collections.abc import Mapping
from pathlib import Path

__all__ = ["Launch", "is_launched", "launch_of"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What torchrun said about this process."""

    rank: int
    """Number of this process, from 0."""
    size: int
    """Processes in all."""
    local_rank: int
    """Number of this process on its machine, from 0."""
    local_size: int
    """Processes on its machine."""
    name: str
    """The same for every restart of one launch, and for no other launch."""
    num_restarts: int
    """How often this machine's torchrun has started these processes anew."""

    @property
    def is_spread(self) -> bool:
        """Whether other machines take part."""
        return self.local_size < self.size


def is_launched(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in environ and "RANK" in environ and "WORLD_SIZE" in environ


def launch_of(environ: Mapping[str, str] = os.environ) -> Launch | None:
    """What torchrun said about this process, None if something else started it."""
    if not is_launched(environ):
        return None
    run_id = environ["TORCHELASTIC_RUN_ID"]
    return Launch(
        rank=int(environ["RANK"]),
        size=int(environ["WORLD_SIZE"]),
        local_rank=int(environ.get("LOCAL_RANK", "0")),
        local_size=int(environ.get("LOCAL_WORLD_SIZE", environ["WORLD_SIZE"])),
        # Torchrun says none where nobody gave an id.
        name=_agent_name() if run_id in ("", "none") else run_id,
        num_restarts=int(environ.get("TORCHELASTIC_RESTART_COUNT", "0")),
    )


def _agent_name() -> str:
    """The torchrun that started this process, by machine, process id and the moment that process began."""
    parent = os.getppid()
    try:
        began = Path(f"/proc/{parent}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except OSError:
        began = ""
    return f"{socket.gethostname()}:{parent}:{began}"
