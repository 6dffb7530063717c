"""Memory is given back from time to time while the studio is played."""

from unittest.mock import Mock

import pytest

from bend.studio import tidy
from bend.studio.actions import Studio
from tests.bend.studio.conftest import eventually


def test_it_is_given_back_now_and_then_and_not_after_every_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    given = Mock()
    monkeypatch.setattr(tidy, "give_back_freed_memory", given)
    tidied = tidy.Tidy()
    for now in (100.0, 100.1, 109.9, 110.0, 110.1, 300.0):
        tidied.after_work(now)
    assert given.call_count == 3


def test_the_instrument_gives_back_after_its_work(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    given = Mock()
    monkeypatch.setattr(tidy, "give_back_freed_memory", given)
    studio.instrument._tidy = tidy.Tidy()
    studio.instrument.ask(lambda stage: stage.resolution).result(timeout=300)
    eventually(lambda: given.call_count == 1)
