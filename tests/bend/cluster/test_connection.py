"""Clusters that are not there: each is reported in one line, and in good time."""

import importlib.util
import socket
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bend.cli import bend
from bend.cluster.connection import Cluster, joined
from bend.cluster.runner import _do, _Task
from bend.cluster.shards import Shard, ShardFolder, shard_name
from bend.errors import BendError, ClusterError
from tests.bend.prepare.pictures import photos
from tests.fakes.server import FakeServer

HAS_RAY = importlib.util.find_spec("ray") is not None


def message_of(address: str | None) -> str:
    with pytest.raises(ClusterError) as raised, joined(address):
        pass
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_without_ray_the_way_to_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert "Ray is not installed; pip install 'bend-gan[ray]'" in message_of(None)


@pytest.mark.slow
@pytest.mark.skipif(not HAS_RAY, reason="needs Ray")
@pytest.mark.parametrize("address", ["ray://10.0.0.1:10001", "10.0.0.1", "host:", "host:99999"])
def test_what_is_no_address_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    assert f"--address {address}: give HOST:PORT" in message_of(address)


@pytest.mark.slow
@pytest.mark.skipif(not HAS_RAY, reason="needs Ray")
def test_what_cannot_be_reached_or_is_no_cluster_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert "cannot be reached (Connection refused)" in message_of(f"127.0.0.1:{port}")
    monkeypatch.setattr("bend.cluster.connection._ANSWER_S", 5.0)
    with FakeServer() as server:
        assert "does not answer as a Ray cluster" in message_of(server.url.removeprefix("http://"))


@pytest.mark.slow
@pytest.mark.skipif(not HAS_RAY, reason="needs Ray")
def test_a_joined_cluster_is_used_again(cluster: Cluster) -> None:
    with joined("nowhere") as again:
        assert again.num_slots == cluster.num_slots == 2
    assert cluster.ray.is_initialized()


def test_an_address_without_the_engine_is_refused(tmp_path: Path) -> None:
    folder = photos(tmp_path / "in", 1)
    done = CliRunner().invoke(bend, ["package", str(folder), "-o", str(tmp_path / "a.zip"), "--resolution", "16",
                                     "--address", "10.0.0.1:6379"])  # fmt: skip
    assert isinstance(done.exception, BendError)
    assert "only --engine ray has one" in str(done.exception)


def test_a_folder_that_a_worker_does_not_see_is_named(tmp_path: Path) -> None:
    from bend import __version__

    shard = Shard(name=shard_name(0, "a"), items=())
    task = _Task(job=None, shard=shard, folder=tmp_path / "away", run="r", attempt=1, version=__version__,
                 failpoint=None)  # type: ignore[arg-type]  # fmt: skip
    with pytest.raises(ClusterError, match=r"does not see .*away; --engine ray needs a folder"):
        _do(task)


def test_results_are_whole_or_absent_and_others_are_swept(tmp_path: Path) -> None:
    folder = ShardFolder(path=tmp_path)
    name, other = shard_name(3, "a", "b"), shard_name(3, "ab")
    assert name != other
    assert name.startswith("000003-")

    def broken() -> object:
        yield b"half"
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        folder.write(name, broken(), "1")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    folder.write(name, [b"a", b"b"], "1")
    folder.write(other, [b"c"], "1")
    assert folder.is_done(name)
    folder.keep_only([name])
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"ab"]
