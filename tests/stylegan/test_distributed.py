"""A team of one, and how failures are worded."""

import socket
from pathlib import Path

import pytest
import torch

from stylegan import distributed
from stylegan.distributed import ALONE, Team, join
from stylegan.errors import ConfigError, TeamError, TrainingError
from stylegan.launch import launch_of

SAID = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "TORCHELASTIC_RUN_ID": "bend-7"}


def test_hosts_are_told_apart_by_what_each_has_of_the_processes() -> None:
    launch = launch_of(SAID | {"LOCAL_WORLD_SIZE": "1"})
    assert launch is not None
    assert launch.is_spread
    assert Team(launch).is_first_here
    assert distributed._of_host("why", launch) == f"host {socket.gethostname()}: why"


def test_alone_every_exchange_is_free() -> None:
    tensor = torch.ones(3)
    with join() as team:
        assert (team.rank, team.size, team.is_first) == (0, 1, True)
        team.sum_([tensor])
        team.copy_first_([tensor])
        assert (team.largest(4), team.smallest(4), team.first_says("so")) == (4, 4, "so")
        with team.one_a_host_first():
            team.wait()
    assert torch.equal(tensor, torch.ones(3))
    assert (ALONE.num_bytes, ALONE.num_exchanges) == (0, 0)


def test_buckets_are_of_one_kind_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "_BUCKET_BYTES", 40)
    tensors = [
        torch.zeros(4),
        torch.zeros(3, dtype=torch.float64),
        torch.zeros(5),
        torch.zeros(2),
        torch.zeros(99),
    ]
    sizes = [[tensor.numel() for tensor in bucket] for bucket in distributed._buckets(tensors)]
    assert sizes == [[4, 5], [2], [99], [3]]


def test_failures_in_words() -> None:
    assert distributed._in_words(TrainingError("what, why, mend"), 1) == "what, why, mend"
    full = OSError(28, "No space left on device", str(Path("/runs/log.txt")))
    assert distributed._in_words(full, 1) == "/runs/log.txt: No space left on device, says process 1"
    assert "process 1 failed with KeyError('x')" in distributed._in_words(KeyError("x"), 1)


@pytest.mark.parametrize(
    ("said", "told"),
    [("Connection reset by peer", "is lost"), ("Timed out waiting 10000ms for recv", "not been heard of")],
)
def test_a_lost_process_is_one_line(said: str, told: str) -> None:
    with pytest.raises(TeamError, match=told), distributed._losses_told():
        raise RuntimeError(said)


def test_patience_is_seconds() -> None:
    assert distributed._patience("90").total_seconds() == 90
    for wrong in ("0", "-1", "2h"):
        with pytest.raises(ConfigError, match="BEND_PATIENCE is"):
            distributed._patience(wrong)


def test_a_device_that_cannot_be_shared_is_refused() -> None:
    launch = launch_of(SAID)
    assert launch is not None
    with pytest.raises(ConfigError, match="cuda:1: cannot be shared by 2 processes"):
        distributed._own_device("cuda:1", launch)
    assert distributed._own_device("cpu", launch) == torch.device("cpu")
