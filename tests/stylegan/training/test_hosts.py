"""A training on two hosts that share nothing but a cable: that of one process, and it survives the loss of a host."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.hosts import Agent, Hosts, refusal, two_hosts, wait_until
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
    assert [agents[name].end() for name in ("alpha", "beta")] == [0, 0], (
        agents["alpha"].text + agents["beta"].text
    )
    assert any(line.startswith("resuming") for line in agents["alpha"].lines)
    assert [path.name for path in runs.iterdir()] == ["00000-rocks-none"]
    assert not list((hosts.beta.folder / "runs").iterdir())  # the first process alone writes
    expected, run = next((tmp_path / "whole").iterdir()), runs / "00000-rocks-none"
    assert_equal(read_state(expected), read_state(run))
    for path in expected.glob("*.safetensors"):
        assert path.read_bytes() == (run / path.name).read_bytes()


def test_a_host_that_is_lost_is_done_without_until_it_is_back(
    hosts: Hosts, data: Path, tmp_path: Path
) -> None:
    more = ["--kimg", "0.12", "--save-minutes", "0"]
    whole = torchrun("bend", *TINY, *more, "--data", data, "-o", tmp_path / "whole", num=1)
    assert whole.returncode == 0, whole.stderr
    elastic = "--nnodes 1:2 --max-restarts 5 --rdzv-conf last_call_timeout=25"
    # Beta stands still before its eighth step and is lost. Alpha alone goes on, and fails twice, so that it cannot be
    # done before beta is back: each time it waits for beta a while.
    alpha, beta = (
        hosts.start(host, "bend", *FINETUNE, *more, options=elastic, BEND_FAILPOINT=when)
        for host, when in (
            (hosts.alpha, "step@rank0.1:kill:4,step@rank0.2:kill:1"),
            (hosts.beta, "step@rank1.0:stop:8"),
        )
    )
    wait_until(lambda: "snapshot-000000.040" in alpha.text, "the state", alpha)
    beta.kill()
    wait_until(lambda: "resuming" in alpha.text, "alpha alone", alpha)
    assert alpha.text.count("2 processes share each batch") == 1
    beta = hosts.start(hosts.beta, "bend", *FINETUNE, *more, options=elastic)
    assert [alpha.end(), beta.end()] == [0, 0], alpha.text + beta.text
    assert alpha.text.count("2 processes share each batch") > 1
    one, two = (
        read_state(next((folder).iterdir())) for folder in (tmp_path / "whole", hosts.alpha.folder / "runs")
    )
    for network in ("G", "D", "G_ema"):
        for key, value in one[network].items():
            torch.testing.assert_close(two[network][key], value, rtol=1e-3, atol=1e-3)
    assert two["cur_nimg"] == one["cur_nimg"] == 120


def test_other_pictures_and_no_pictures_are_one_line(hosts: Hosts) -> None:
    pictures = hosts.beta.folder / "rocks.zip"
    pictures.unlink()
    write_zip(pictures, seed=1)
    alpha, _ = hosts.run("bend", *FINETUNE, run_id="other")
    assert errors_of(alpha) == [
        "Error: host beta: rocks.zip: not the data set that the first process has; copy the same zip to every host"
    ]
    pictures.unlink()
    alpha, _ = hosts.run("bend", *FINETUNE, run_id="none")
    (line,) = errors_of(alpha)
    assert line.startswith("Error: host beta: rocks.zip")
    assert not (hosts.alpha.folder / "runs").exists()


def test_a_cut_cable_is_one_line(hosts: Hosts) -> None:
    endless = [*FINETUNE, "--kimg", "1000"]
    alpha, _ = (hosts.start(host, "bend", *endless, BEND_PATIENCE="40") for host in (hosts.alpha, hosts.beta))
    wait_until(lambda: "snapshot-000000.040" in alpha.text, "the snapshot", alpha)
    hosts.beta.network("link", "set", "eth0", "down")
    assert alpha.end() != 0
    (line,) = errors_of(alpha)
    assert "another process has not been heard of for too long; what was saved is intact" in line


def test_the_run_of_a_host_that_is_gone_is_not_begun_anew_elsewhere(hosts: Hosts) -> None:
    elastic, alone = "--nnodes 1:2", "--rdzv-endpoint beta:29401 --rdzv-conf last_call_timeout=1"
    alpha, beta = (
        hosts.start(host, "bend", *FINETUNE, options=elastic, BEND_FAILPOINT="step@rank1.0:stop:8")
        for host in (hosts.alpha, hosts.beta)
    )
    wait_until(lambda: "snapshot-000000.040" in alpha.text, "the state", alpha)
    alpha.kill()
    assert beta.end() != 0
    again = hosts.start(hosts.beta, "bend", *FINETUNE, options=f"{elastic} {alone}")
    assert again.end() != 0
    (line,) = errors_of(again)
    assert line.startswith("Error: runs/00000-rocks-none on alpha: this launch has begun its training there")


def errors_of(agent: Agent) -> list[str]:
    return [line for line in agent.text.splitlines() if line.startswith("Error:")]
