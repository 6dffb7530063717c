"""Commands in several processes of this machine, as torchrun starts them, on ports that the system chooses."""

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["torchrun"]

_ROOT = Path(__file__).parents[1]
_LIMIT_S = 300  # a hang is a failure; nothing here takes a tenth of it


def torchrun(
    module: str, *arguments: str | Path, num: int = 2, restarts: int = 0, **environ: str
) -> "subprocess.CompletedProcess[str]":
    """Run `python -m module` in `num` processes.

    Args:
        module: run as a script.
        arguments: its own.
        num: processes.
        restarts: how often torchrun starts them all anew when one fails.
        environ: variables set for them.
    """
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(num)]
    command += ["--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0", "--monitor-interval", "0.1"]
    command += ["--max-restarts", str(restarts), "-m", module, *map(str, arguments)]
    return subprocess.run(
        command,
        cwd=_ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environ},
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
