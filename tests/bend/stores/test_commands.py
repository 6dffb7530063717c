"""Commands that are given addresses, over HTTP to a local S3 server: what they leave there, and what they say."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bend.training import remote
from stylegan.archive import DatasetZip
from tests.bend.conftest import Run
from tests.bend.stores.conftest import Bucket
from tests.stylegan.training.tiny import assert_equal, read_state, write_zip

SMALL = (
    *("--base", "none", "--batch", 4, "--channel-base", 256, "--channel-max", 16, "--w-dim", 16),
    *("--device", "cpu", "--no-score"),
)


@pytest.mark.slow
def test_a_folder_of_pictures_becomes_a_zip_there(bucket: Bucket, run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(3):
        path = tmp_path / f"{i}.png"
        Image.fromarray(rng.integers(0, 256, [40, 40, 3], dtype=np.uint8)).save(path)
        bucket.set(f"photos/sub/{i}.png", path.read_bytes())
    words = ("package", f"{bucket.url}/photos", "-o", f"{bucket.url}/out/rocks.zip", "--resolution", 16)
    status, out, err = run(*words, "--split", "test:0.4", "--workers", 1)
    assert status == 0, err
    assert f"{bucket.url}/out/rocks.zip" in out
    assert "cache" not in out
    there = [key for key in bucket.names() if key.startswith("out/")]
    assert there == ["out/rocks-test.zip", "out/rocks.zip"]
    num = 0
    for key in there:
        (tmp_path / "copy.zip").write_bytes(bucket.get(key))
        num += len(DatasetZip(tmp_path / "copy.zip"))
    assert num == 3
    status, out, err = run(*words)
    assert (status, out) == (1, "")
    assert (
        err
        == f"Error: {bucket.url}/out/rocks.zip: exists already; pass --force to overwrite it, or another name\n"
    )
    status, out, _ = run("package", "--check", f"{bucket.url}/out/rocks.zip")
    assert (status, out) == (0, f"{bucket.url}/out/rocks.zip: sound\n")
    status, out, err = run(*words[:3], f"{bucket.url}/moss.zip", *words[4:], "--shard-size", 2)
    assert status == 0, err
    shards = out.partition(": ")[0]
    assert shards == f"{bucket.url}/moss-{{00000..00001}}-of-00002.zip"
    assert run("info", shards)[1].startswith(f"data set: {shards}\npictures: 3 of 16×16")


@pytest.mark.slow
def test_a_training_there_and_what_is_made_of_it(bucket: Bucket, run: Run, tmp_path: Path) -> None:
    bucket.set("rocks.zip", write_zip(tmp_path / "rocks.zip").read_bytes())
    runs = f"{bucket.url}/runs"
    words = ("finetune", "--data", f"{bucket.url}/rocks.zip", *SMALL, "-o", runs)
    status, out, err = run(*words, "--kimg", 0.004, "--snapshots", "0.004")
    assert status == 0, err
    assert out.startswith(f"{runs}/00000-rocks-none: 0.004 kimg in ")
    assert {"newest.json", "training_options.json", "log.txt", "stats.jsonl", "timeline.png"} <= {
        key.rpartition("/")[2] for key in bucket.names()
    }

    shutil.rmtree(tmp_path / "cache")
    status, out, err = run("finetune", "--resume", "latest", "--kimg", 0.008, "-o", runs)
    assert status == 0, err
    assert out.startswith(f"{runs}/00000-rocks-none: 0.008 kimg in ")
    status, out, err = run("finetune", "--data", tmp_path / "rocks.zip", *SMALL, "--kimg", 0.004, "-o", runs)
    assert out.startswith(f"{runs}/00001-rocks-none: 0.004 kimg in "), err

    status, out, err = run("info", f"{runs}/00000-rocks-none")
    assert status == 0, err
    assert f"run: {runs}/00000-rocks-none" in out
    assert "state: 0.008 of 0.008 kimg, done" in out
    assert "snapshots at kimg: 0, 0.004, 0.008" in out
    status, out, err = run("info", f"{runs}/00000-rocks-none", "--graph", f"{bucket.url}/out/graph.svg")
    assert status == 0, err
    assert bucket.get("out/graph.svg").startswith(b"<svg")
    picture = f"{bucket.url}/out/grid.png"
    network = f"{runs}/00000-rocks-none@0.004"
    dial = ("--dial-from", f"{runs}/00000-rocks-none@0", "--dial", "0.5")
    status, out, err = run(
        "render", "grid", "--network", network, *dial, "--seeds", "0-1", "--grid", "2x1", "-o", picture
    )
    assert (status, out) == (0, f"{picture}: 1 picture, 32×16\n"), err
    again = tmp_path / "again.png"
    status, out, err = run("replay", picture, "-o", again, "--check")
    assert status == 0, err
    assert again.read_bytes() == bucket.get("out/grid.png")
    with Image.open(again) as opened:
        note = json.loads(opened.info["bend"])
    assert note["network"] == network
    assert str(tmp_path) not in json.dumps(note)
    status, out, err = run("models", "convert", network, f"{bucket.url}/out/net.pkl")
    assert status == 0, err
    assert out.startswith(f"{bucket.url}/out/net.pkl: ")
    status, out, err = run("credits", picture)
    assert (status, err) == (0, "1 of 1 have no known licence\n")  # the path led to the zip there


@pytest.mark.slow
def test_what_a_training_leaves_is_what_a_local_one_does(bucket: Bucket, run: Run, tmp_path: Path) -> None:
    data = write_zip(tmp_path / "rocks.zip")
    words = ("finetune", "--data", data, *SMALL, "--snapshots", "0.004")
    assert run(*words, "--kimg", 0.008, "-o", tmp_path / "runs")[0] == 0
    assert run(*words, "--kimg", 0.004, "-o", f"{bucket.url}/runs")[0] == 0
    shutil.rmtree(tmp_path / "cache")
    name = "00000-rocks-none"
    status, _, err = run("finetune", "--resume", f"{bucket.url}/runs/{name}", "--data", data, "--kimg", 0.008)
    assert status == 0, err
    assert_same_run(bucket, name, tmp_path / "runs" / name)


def assert_same_run(bucket: Bucket, name: str, local: Path) -> None:
    """The networks of a run on the store are those of a local one, bit for bit, in its snapshots and in its state."""
    marker = json.loads(bucket.get(f"runs/{name}/newest.json"))
    copy = local.parent / "copy"
    copy.mkdir()
    sha256 = marker["files"]["state-latest.pt"]["sha256"]
    (copy / "state-latest.pt").write_bytes(bucket.get(f"runs/{name}/state-{sha256[:16]}.pt"))
    assert_equal({**read_state(copy), "extra": None}, {**read_state(local), "extra": None})
    snapshots = sorted(path.name for path in local.glob("snapshot-*"))
    assert snapshots == sorted(name for name in marker["files"] if name.startswith("snapshot-"))
    for path in snapshots:
        assert bucket.get(f"runs/{name}/{path}") == (local / path).read_bytes()


@pytest.mark.slow
def test_a_killed_training_goes_on_elsewhere_bit_for_bit(bucket: Bucket, run: Run, tmp_path: Path) -> None:
    bucket.set("rocks.zip", write_zip(tmp_path / "rocks.zip").read_bytes())
    words = ("--kimg", 0.06, "--save-minutes", 0, "--snapshots", "0.02", *SMALL)
    name = "00000-rocks-none"
    arguments = ("finetune", "--data", f"{bucket.url}/rocks.zip", *words, "-o", f"{bucket.url}/runs")
    process = subprocess.Popen(
        [sys.executable, "-m", "bend", *map(str, arguments)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 240
        while f"runs/{name}/snapshot-000000.020.safetensors" not in bucket.names():
            assert process.poll() in (None, 0)
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    marker = json.loads(bucket.get(f"runs/{name}/newest.json"))
    there = {key.rpartition("/")[2] for key in bucket.names()}
    assert {name for name in marker["files"] if not name.startswith("state-")} <= there
    shutil.rmtree(tmp_path / "cache")  # another machine
    status, out, err = run("finetune", "--resume", "latest", "-o", f"{bucket.url}/runs")
    assert status == 0, err
    assert out.startswith(f"{bucket.url}/runs/{name}: 0.06 kimg")
    assert run("finetune", "--data", tmp_path / "rocks.zip", *words, "-o", tmp_path / "runs")[0] == 0
    assert_same_run(bucket, name, tmp_path / "runs" / name)


@pytest.mark.slow
def test_a_training_outlives_a_lost_connection(bucket: Bucket, run: Run, tmp_path: Path) -> None:
    data = write_zip(tmp_path / "rocks.zip")
    words = ("finetune", "--data", data, *SMALL, "--kimg", 0.008, "--snapshots", "0.004")
    whole = remote.RunMirror.push
    num_pushes = iter(range(99))

    def push(mirror: remote.RunMirror) -> int:
        if next(num_pushes) == 2:
            bucket.wire.cut_after(0)
        return whole(mirror)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remote.RunMirror, "push", push)
        status, out, err = run(*words, "-o", f"{bucket.url}/runs")
    assert (status, out) == (1, "")
    assert "not mirrored: " in err
    assert "continuing, and trying again when the next state is saved" in err
    name = "00000-rocks-none"
    assert err.splitlines()[-1].endswith(
        f"the run is whole on this machine, `bend finetune --resume {bucket.url}/runs/{name}` sends the rest"
    )
    bucket.wire.mend()
    status, out, err = run("finetune", "--resume", f"{bucket.url}/runs/{name}")
    assert status == 0, err
    assert "nothing left to do" in out
    assert run(*words, "-o", tmp_path / "runs")[0] == 0
    assert_same_run(bucket, name, tmp_path / "runs" / name)


@pytest.mark.slow
def test_what_cannot_be_sent_is_kept(bucket: Bucket, run: Run, tiny_network: Path, tmp_path: Path) -> None:
    picture = f"{bucket.url}/out/grid.png"
    words = ("render", "grid", "--network", tiny_network, "--seeds", "0-1", "--grid", "2x1", "-o", picture)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bend.commands.render_grid.echo_report", lambda *_: bucket.wire.cut_after(0))
        status, out, err = run(*words)
    assert (status, out) == (1, "")
    line = err.splitlines()[-1]
    assert line.startswith(f"Error: {picture}: no connection to the store, or it broke off")
    kept = Path(line.rpartition("what was made is kept in ")[2]) / "grid.png"
    assert bucket.names() == []
    bucket.wire.mend()
    assert run(*words)[:2] == (0, f"{picture}: 1 picture, 32×16\n")
    assert bucket.get("out/grid.png") == kept.read_bytes()


@pytest.mark.parametrize(
    "words",
    [
        "demo -o ADDRESS",
        "scrape moss -o ADDRESS",
        "studio --out ADDRESS",
        "run examples/lecture.toml --out=ADDRESS",
        "models pull ADDRESS",
        "render latent-walk --audio ADDRESS -o w.mp4",
    ],
)
def test_who_takes_no_addresses_says_so(
    words: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = run(*words.replace("ADDRESS", "s3://bend/x").split())
    assert (status, out) == (2, "")
    assert "s3://bend/x" in err.splitlines()[-1]
    assert "copy" in err.splitlines()[-1]
    assert not list(tmp_path.iterdir())
