"""`bend package` on a real cluster: the same bytes as locally, whoever is killed."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bend.cluster.connection import Cluster
from bend.cluster.preparing import package_on
from bend.errors import BendError, ClusterError, PackageError
from bend.prepare import PackageConfig, package
from stylegan.lock import FileLock
from tests.bend.prepare.pictures import photos
from tests.bend.prepare.videos import film

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs Ray"),
]


def config_of(out: Path, *sources: Path, **settings: Any) -> PackageConfig:
    return PackageConfig(**{"sources": sources, "out": out, "resolution": 16, "workers": 1} | settings)


def no_warning(message: str) -> None:
    raise AssertionError(message)


@pytest.mark.parametrize(
    "settings", [{}, {"crop": "tiles:3", "split": ("test:.3",)}, {"max_images": 20, "dedupe": "near"}]
)
def test_the_zip_is_that_of_one_machine(cluster: Cluster, tmp_path: Path, settings: dict[str, Any]) -> None:
    folder = photos(tmp_path / "in", 24)
    (folder / "005b.txt").write_text("no picture")
    (folder / "023z.jpg").write_bytes((folder / "001.jpg").read_bytes())
    film(folder / "010b.mp4")
    here = config_of(tmp_path / "here.zip", folder, **settings)
    there = config_of(tmp_path / "there.zip", folder, **settings)
    wanted, found = package(here), package_on(cluster, there, no_warning, shard_size=7)
    for mine, theirs in zip(here.outs, there.outs, strict=True):
        assert theirs.read_bytes() == mine.read_bytes()
    assert json.dumps(found.to_json()).replace("there", "here") == json.dumps(wanted.to_json())
    assert not list(tmp_path.glob(".there*"))


def test_a_killed_worker_costs_its_shard_only(
    cluster: Cluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    submitted: list[tuple[int, int]],
) -> None:
    folder = photos(tmp_path / "in", 30)
    package(config_of(tmp_path / "here.zip", folder))
    monkeypatch.setenv("BEND_FAILPOINT", "item@000001-*.1:kill:3")
    warnings: list[str] = []
    package_on(cluster, config_of(tmp_path / "there.zip", folder), warnings.append, shard_size=6)
    assert (tmp_path / "there.zip").read_bytes() == (tmp_path / "here.zip").read_bytes()
    assert sorted(submitted) == [(0, 1), (1, 1), (1, 2), (2, 1), (3, 1), (4, 1)]
    assert len(warnings) == 1
    assert warnings[0].startswith("shard 000001-")


def test_a_shard_that_kills_every_worker_ends_the_work(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = photos(tmp_path / "in", 4)
    out = tmp_path / "there.zip"
    monkeypatch.setenv("BEND_FAILPOINT", "item@000001-*:kill:1")
    with pytest.raises(ClusterError, match=r"shard 000001-.* lost its worker 4 times") as raised:
        package_on(cluster, config_of(out, folder), lambda message: None, shard_size=2)
    assert "\n" not in str(raised.value)
    assert not out.exists()


def test_a_killed_command_is_gone_on_with(
    cluster: Cluster, tmp_path: Path, submitted: list[tuple[int, int]]
) -> None:
    folder = photos(tmp_path / "in", 150)
    package(config_of(tmp_path / "here.zip", folder))
    out = tmp_path / "there.zip"
    address = cluster.ray.get_runtime_context().gcs_address
    command = [sys.executable, "-m", "bend", "package", str(folder), "-o", str(out), "--resolution", "16",
               "--engine", "ray", "--address", address]  # fmt: skip
    died = subprocess.run(
        command,
        check=False,
        env=os.environ | {"BEND_FAILPOINT": "member@there.zip:kill:70"},  # in the second of three shards
        capture_output=True,
        text=True,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert not out.exists()
    done = {path.name[:6] for path in (tmp_path / ".there.shards").glob("*.done")}
    assert {"000000", "000001"} <= done
    package_on(cluster, config_of(out, folder, workers=None), no_warning)
    assert out.read_bytes() == (tmp_path / "here.zip").read_bytes()
    assert {f"{number:06d}" for number, _ in submitted}.isdisjoint(done)
    assert not (tmp_path / ".there.shards").exists()


def test_a_changed_picture_is_prepared_anew(
    cluster: Cluster, tmp_path: Path, submitted: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = photos(tmp_path / "in", 8)
    config = config_of(tmp_path / "there.zip", folder)
    with monkeypatch.context() as patch:
        patch.setattr("bend.cluster.preparing.decoded", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            package_on(cluster, config, no_warning, shard_size=2)
    submitted.clear()
    (folder / "000.jpg").write_bytes((folder / "007.jpg").read_bytes() + b"\0")
    package_on(cluster, config, no_warning, shard_size=2)
    assert (0, 1) in submitted
    package(config_of(tmp_path / "here.zip", folder))
    assert config.out.read_bytes() == (tmp_path / "here.zip").read_bytes()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_two_commands_do_not_make_the_same_zip(cluster: Cluster, tmp_path: Path) -> None:
    folder = photos(tmp_path / "in", 2)
    (tmp_path / ".there.shards").mkdir()
    lock = FileLock(tmp_path / ".there.shards" / ".lock")
    with pytest.raises(PackageError, match=f"process {os.getpid()} is making it"):
        package_on(cluster, config_of(tmp_path / "there.zip", folder), no_warning)
    lock.release()


def test_what_a_task_raises_is_one_line(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = photos(tmp_path / "in", 2)
    monkeypatch.setattr("bend.cluster.runner.__version__", "0.0.9")
    with pytest.raises(BendError, match=r"has bend .*, but 0.0.9 is required; install the same everywhere"):
        package_on(cluster, config_of(tmp_path / "there.zip", folder), no_warning)
    monkeypatch.undo()
    monkeypatch.setenv("BEND_FAILPOINT", "item:ENOSPC:1")
    with pytest.raises(OSError, match="No space left") as raised:
        package_on(cluster, config_of(tmp_path / "there.zip", folder), no_warning)
    assert raised.value.errno == 28
