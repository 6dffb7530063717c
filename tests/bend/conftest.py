"""Fixtures shared by the tests of the instrument."""

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bend import cli

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def tiny_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network file with a random 16×16 generator."""
    from tests.bend.tiny import save_tiny

    return save_tiny(tmp_path_factory.mktemp("network") / "tiny.safetensors")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run `bend …` through its entry point; returns exit status, stdout and stderr."""
    before = signal.getsignal(signal.SIGTERM)

    def call(*args: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bend", *map(str, args)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        out, err = capsys.readouterr()
        return int(stopped.value.code or 0), out, err

    yield call
    signal.signal(signal.SIGTERM, before)
