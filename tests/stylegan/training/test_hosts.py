"""A training on two hosts that share nothing but a cable: that of one process, and it survives the loss of a host."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.hosts import Hosts, refusal, two_hosts, wait_until
from tests.stylegan.training.team import begin, ended_with, take_steps
from tests.stylegan.training.test_distributed import TINY, assert_near
from tests.stylegan.training.tiny import assert_equal, read_state, write_zip
from tests.torchrun import torchrun

pytestmark = pytest.mark.slow
FINETUNE = [*TINY, "--data", "rocks.zip", "-o", "runs"]


@pytest.fixture
def hosts(tmp_path: Path, data: Path) -> Iterator[Hosts]:
    if why := refusal():
        pytest.skip(why)
    with two_hosts(tmp_path) as both:
        both.give(data)
        yield both


def test_two_hosts_of_four_are_one_process_of_eight(hosts: Hosts, data: Path) -> None:
    alpha, beta = hosts.run("tests.stylegan.training.team", "rocks.zip", ".")
    assert (alpha.end(), beta.end()) == (0, 0), alpha.text + beta.text
    first = torch.load(hosts.alpha.folder / "rank0.pt", weights_only=True)
    second = torch.load(hosts.beta.folder / "rank1.pt", weights_only=True)
    assert_equal(first["state"], second["state"])
    alone = begin(data)
    take_steps(alone, micro_batch=8)
    assert_near(ended_with(alone), first["state"])


@pytest.mark.parametrize("victim", ["alpha", "beta"])
def test_a_host_that_is_lost_and_comes_back(hosts: Hosts, data: Path, tmp_path: Path, victim: str) -> None:
    """Alpha writes, and is where all meet: both start anew. Without beta alpha waits for it."""
    whole = torchrun("bend", *TINY, "--data", data, "-o", tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    rank = 0 if victim == "alpha" else 1
    pause = f"step@rank{rank}.0:stop:8"  # the state was saved after the fifth step
    options = "--max-restarts 3"
    agents = {
        host.name: hosts.start(host, "bend", *FINETUNE, options=options, BEND_FAILPOINT=pause)
        for host in (hosts.alpha, hosts.beta)
    }
    runs = hosts.alpha.folder / "runs"
    snapshot = "00000-rocks-none/snapshot-000000.040.safetensors"
    wait_until((runs / snapshot).exists, "the snapshot", agents["alpha"])
    wait_until(lambda: "snapshot-000000.040" in agents["alpha"].text, "the state", agents["alpha"])
    agents[victim].kill()
    if victim == "alpha":
        assert agents["beta"].end() != 0
        agents["beta"] = hosts.start(hosts.beta, "bend", *FINETUNE, options=options)
    agents[victim] = hosts.start(getattr(hosts, victim), "bend", *FINETUNE, options=options)
    assert [agents[name].end() for name in ("alpha", "beta")] == [0, 0], agents["alpha"].text + agents["beta"].text
    assert any(line.startswith("resuming") for line in agents["alpha"].lines)
    assert [path.name for path in runs.iterdir()] == ["00000-rocks-none"]
    assert not list((hosts.beta.folder / "runs").iterdir())  # the first process alone writes
    expected, run = next((tmp_path / "whole").iterdir()), runs / "00000-rocks-none"
    assert_equal(read_state(expected), read_state(run))
    for path in expected.glob("*.safetensors"):
        assert path.read_bytes() == (run / path.name).read_bytes()
