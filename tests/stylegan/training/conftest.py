"""Data sets and shortened trainings shared by the tests of training."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stylegan.training import loop
from stylegan.training.session import Session
from tests.stylegan.training.tiny import write_zip

Crash = Callable[[int], None]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty pictures without labels."""
    return write_zip(tmp_path_factory.mktemp("data") / "rocks.zip")


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty pictures in three classes."""
    return write_zip(tmp_path_factory.mktemp("labelled") / "leaves.zip", classes=3)


@pytest.fixture(scope="session", autouse=True)
def few_fakes(few_fakes: None) -> None:
    """Few fakes in every test of training."""


@pytest.fixture
def crash_before(monkeypatch: pytest.MonkeyPatch) -> Crash:
    """Lets the training fail, as a bug would, before the step of a given number; -1 lets it go on again."""
    original = loop._Loop._step
    number = -1

    def step(self: loop._Loop) -> None:
        if self.state.step == number:
            raise RuntimeError("crashed")
        original(self)

    def crash(at: int) -> None:
        nonlocal number
        number = at

    monkeypatch.setattr(loop._Loop, "_step", step)
    return crash


def crashed(session: Session) -> None:
    """Run a session into its crash."""
    with pytest.raises(RuntimeError, match="crashed"):
        loop.train(session)
