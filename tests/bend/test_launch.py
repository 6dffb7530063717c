"""How a launch of several processes on this machine ends, in an exit status and in words."""

import logging
import signal
from collections.abc import Callable

import pytest

from bend.launch import start_processes


def test_a_signal_is_passed_on_without_a_word_of_the_launchers_own(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from torch.distributed.elastic.agent.server.api import logger
    from torch.distributed.elastic.multiprocessing.api import SignalException

    def launch(*arguments: object) -> Callable[..., None]:
        def interrupted(*words: str) -> None:
            logger.warning("Received 2 death signal, shutting down workers")
            raise SignalException("interrupted", signal.SIGINT)

        return interrupted

    monkeypatch.setattr("torch.distributed.launcher.api.elastic_launch", launch)
    monkeypatch.setattr(logging.root.manager, "disable", logging.NOTSET)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert start_processes(2, ["finetune"]) == 130
    assert capfd.readouterr().err == ""
