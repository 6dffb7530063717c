"""Four processes on two hosts: who they are, what they hand on, and whose turn it is."""

import json
from pathlib import Path

import pytest

from tests.hosts import refusal, two_hosts


@pytest.mark.slow
def test_four_processes_on_two_hosts(tmp_path: Path) -> None:
    if why := refusal():
        pytest.skip(why)
    with two_hosts(tmp_path) as hosts:
        agents = hosts.run("tests.stylegan.meeting", num=2)
        assert [agent.end() for agent in agents] == [0, 0], "".join(agent.text for agent in agents)
        told = json.loads((hosts.alpha.folder / "said").read_text())
        assert told["said"] == [[rank, rank % 2, 2, True] for rank in range(4)]
        assert told["blobs"] == [[f"from {rank}", "and more"] for rank in (1, 2, 3)]
        assert not (hosts.beta.folder / "said").exists()
        for host in (hosts.alpha, hosts.beta):  # such as what one compiles for all of its host
            turns = (host.folder / "turns").read_text().splitlines()
            assert turns == ["begin 0", "end 0", "begin 1", "end 1"]
