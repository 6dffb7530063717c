"""What is sent to a store when a training on it fails."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bend.errors import ScoreError
from bend.stores.address import parse_address
from bend.stores.runs import TakenOverError
from bend.training import remote
from stylegan.distributed import ALONE
from stylegan.errors import TeamError


@pytest.mark.parametrize(
    ("failure", "num_pushes"), [(ScoreError("no"), 2), (TeamError("lost"), 1), (TakenOverError("theirs"), 1)]
)
def test_a_failed_training_is_sent_unless_somebody_else_sees_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception, num_pushes: int
) -> None:
    pushes = []

    class Mirror:
        def __init__(self, *arguments: object) -> None:
            pass

        def push(self) -> None:
            pushes.append(failure)

    monkeypatch.setattr(remote, "RunMirror", Mirror)
    plan = SimpleNamespace(team=ALONE, state=SimpleNamespace(step=1))
    session: Any = SimpleNamespace(run=tmp_path, plan=plan)
    place = remote.Place(parent=parse_address("s3://art/runs"), data=None)
    with pytest.raises(type(failure)), remote.mirrored(session, place):
        raise failure
    assert len(pushes) == num_pushes
