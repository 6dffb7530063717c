"""Films drawn on two hosts that share no disk have the bytes of those drawn by one process; folders need one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bend.test_shares import WALK, draw_alone
from tests.bend.tiny import save_tiny
from tests.hosts import Hosts, refusal, two_hosts

pytestmark = pytest.mark.slow
NETWORK = "tiny.safetensors"


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    if why := refusal():
        pytest.skip(why)
    with two_hosts(tmp_path) as both:
        both.give(save_tiny(both.here / NETWORK))  # so that it is there outside of the hosts as well
        yield both


def test_a_film_comes_together_on_the_first_host(hosts: Hosts, tmp_path: Path) -> None:
    draw_alone(WALK, hosts.here / NETWORK, tmp_path / "film.mp4")
    (hosts.beta.folder / "films").mkdir()
    (hosts.beta.folder / "films" / "film.mp4").write_bytes(b"of other work, and in nobody's way")
    alpha, beta = hosts.run("bend", *WALK, "--network", hosts.here / NETWORK, "-o", "films/film.mp4")
    assert (alpha.end(), beta.end()) == (0, 0), alpha.text + beta.text
    assert (hosts.alpha.folder / "films" / "film.mp4").read_bytes() == (tmp_path / "film.mp4").read_bytes()
    for host in (hosts.alpha, hosts.beta):
        assert [path.name for path in (host.folder / "films").iterdir()] == ["film.mp4"]
    assert (hosts.beta.folder / "films" / "film.mp4").read_bytes().startswith(b"of other work")


def test_a_folder_of_frames_needs_a_shared_disk(hosts: Hosts, tmp_path: Path) -> None:
    alpha, _ = hosts.run("bend", *WALK, "--network", hosts.here / NETWORK, "-o", "frames", run_id="apart")
    lines = [line for line in alpha.text.splitlines() if line.startswith("Error:")]
    assert lines == [
        "Error: host beta: frames: not the folder of the first process; share a disk among the hosts for pictures in a "
        "folder, or give a film file, which needs none"
    ]
    assert not (hosts.beta.folder / "frames").exists()

    shared = tmp_path / "shared"  # at the same path on both, like the machine's own disk
    alpha, beta = hosts.run("bend", *WALK, "--network", hosts.here / NETWORK, "-o", shared, run_id="shared")
    assert (alpha.end(), beta.end()) == (0, 0), alpha.text + beta.text
    draw_alone(WALK, hosts.here / NETWORK, tmp_path / "alone")
    drawn, expected = (
        {path.name: path.read_bytes() for path in folder.iterdir()} for folder in (shared, tmp_path / "alone")
    )
    assert drawn == expected


def test_a_host_without_the_network_or_with_another_is_one_line(hosts: Hosts) -> None:
    network = hosts.beta.folder / NETWORK
    network.unlink()
    words = ["bend", *WALK, "--network", hosts.here / NETWORK, "-o", "film.mp4"]
    alpha, _ = hosts.run(*words, run_id="none")
    (line,) = [line for line in alpha.text.splitlines() if line.startswith("Error:")]
    assert line.startswith(f"Error: host beta: {hosts.here / NETWORK}")
    save_tiny(network, seed=1)
    alpha, _ = hosts.run(*words, run_id="other")
    (line,) = [line for line in alpha.text.splitlines() if line.startswith("Error:")]
    assert line.startswith(
        "Error: host beta: bend, the network or a file is not the same as in the first process"
    )
    assert not (hosts.alpha.folder / "film.mp4").exists()
