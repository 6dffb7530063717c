"""`--gpus N`: the same command in N processes of this machine, started as torchrun would.

The launcher is torch's own (`torch.distributed.launcher`): it starts the processes, ends all of them if one fails, and
passes signals on. Its failure becomes an exit status; the first process has reported the error by then.
"""

import logging
import os
import signal
import sys
import uuid
from collections.abc import Sequence

import click

__all__ = ["start_processes", "words_of"]

_INTERVAL_S = 0.1  # between looks at the processes


def start_processes(num: int, arguments: Sequence[str]) -> int:
    """Run `bend` with `arguments` in `num` processes that find each other, and wait for them.

    Returns:
        The exit status: 0 if all have succeeded, 128 + N after signal N, else 1.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.disable(logging.ERROR)  # each of torch's loggers has a level of its own
    if "OMP_NUM_THREADS" not in os.environ:
        os.environ["OMP_NUM_THREADS"] = str(max((os.cpu_count() or 1) // num, 1))
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=num,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        monitor_interval=_INTERVAL_S,
        start_method="spawn",
    )
    try:
        # -P: modules in the user's folder are not ours
        elastic_launch(config, sys.executable)("-P", "-m", "bend", *arguments)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        return _status(rank, failure.exitcode)
    except SignalException as error:
        return 128 + int(error.sigval)
    return 0


def words_of(ctx: click.Context, *, without: str) -> list[str]:
    """The options of a command line as they would be typed again, all but one."""
    words: list[str] = []
    for param in ctx.command.params:
        is_typed = ctx.get_parameter_source(param.name or "") is click.core.ParameterSource.COMMANDLINE
        if not is_typed or param.name == without or not isinstance(param, click.Option):
            continue
        value = ctx.params[param.name or ""]
        for one in value if isinstance(value, tuple) else [value]:
            words += [param.opts[-1]] if param.is_flag else [param.opts[-1], str(one)]
    return words


def _status(rank: int, code: int) -> int:
    if code >= 0 or rank > 0:  # the first process has reported it
        return max(code, 1)
    name = signal.Signals(-code).name
    click.echo(
        f"Error: the first process was ended by {name}; what was saved is intact, continue with --resume",
        err=True,
    )
    return 1
