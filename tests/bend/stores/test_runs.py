"""Run folders on a store: valid after every single request, resumed anywhere, and never by two at once."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bend.errors import StoreError
from bend.stores import marker as markers
from bend.stores import runs
from bend.stores.address import Address, parse_address
from bend.stores.marker import read_marker, state_object
from bend.stores.runs import RunMirror, TakenOverError, find_remote_run, prepare_runs, take_up
from bend.stores.store import _system

RUNS = parse_address("memory://bucket/runs")
RUN = RUNS.child("00000-rocks-none")


@pytest.fixture(autouse=True)
def memory(new_cache: Path) -> Iterator[dict[str, Any]]:
    """The objects of fsspec's store in memory, by their names."""
    store: dict[str, Any] = _system("memory").store
    yield store
    store.clear()


def write_run(run: Path, step: int) -> Path:
    """What a training has written by `step`, as far as a mirror looks at it."""
    run.mkdir(parents=True, exist_ok=True)
    (run / "training_options.json").write_text("{}")
    (run / f"snapshot-{step:06d}.000.safetensors").write_text(f"weights {step}")
    (run / "stats.jsonl").write_text("".join(f"tick {i}\n" for i in range(step + 1)))
    (run / "timeline.png").write_text(f"timeline {step}")
    (run / ".lock").write_text("1")
    if (run / "state-latest.pt").exists():
        (run / "state-latest.pt").replace(run / "state-previous.pt")
    (run / "state-latest.pt").write_text(f"state {step}")
    return run


def names(store: dict[str, Any]) -> set[str]:
    return {path.removeprefix(f"/{RUN.path}/") for path in store}


def assert_valid(step: int | None = None) -> int:
    """Everything that the marker names is there, and the newest state begins where the statistics end."""
    found = read_marker(RUN)
    assert found is not None
    shutil.rmtree(runs.slot_of("runs", RUNS), ignore_errors=True)
    run, _ = take_up(RUN)
    reached = int((run / "state-latest.pt").read_text().split()[1])
    assert (run / "stats.jsonl").read_text().startswith("".join(f"tick {i}\n" for i in range(reached + 1)))
    for name in found[0].files:
        assert (run / name).exists(), name
    assert step is None or reached == step
    return reached


def test_a_run_is_mirrored_and_taken_up(memory: dict[str, Any], tmp_path: Path) -> None:
    run = write_run(prepare_runs(RUNS) / RUN.name, 0)
    mirror = RunMirror(run, RUN, "s3://bucket/rocks.zip")
    assert mirror.push() == 5
    assert mirror.push() == 0
    write_run(run, 1)
    assert mirror.push() == 4  # the state before is there already, under the name of its content
    states = [name for name in names(memory) if name.startswith("state-")]
    assert len(states) == 2
    mirror.finish(keep=False)
    assert not run.exists()

    taken, data = take_up(RUN)
    assert (taken, data) == (run, "s3://bucket/rocks.zip")
    assert (run / "state-latest.pt").read_text() == "state 1"
    assert (run / "state-previous.pt").read_text() == "state 0"
    assert (run / "snapshot-000000.000.safetensors").read_text() == "weights 0"
    assert (run / "stats.jsonl").read_text() == "tick 0\ntick 1\n"
    assert not (run / ".lock").exists()
    assert [path for path in run.parent.iterdir() if path.name.endswith(".tmp")] == []


def test_times_are_kept_for_they_are_compared(tmp_path: Path) -> None:
    run = write_run(prepare_runs(RUNS) / RUN.name, 0)
    before = {path.name: path.stat().st_mtime_ns for path in run.iterdir() if not path.name.startswith(".")}
    RunMirror(run, RUN, None).finish(keep=False)
    taken, _ = take_up(RUN)
    assert {
        path.name: path.stat().st_mtime_ns for path in taken.iterdir() if not path.name.startswith(".")
    } == before


def test_what_is_pruned_here_goes_there_after_the_marker(memory: dict[str, Any]) -> None:
    run = write_run(prepare_runs(RUNS) / RUN.name, 0)
    mirror = RunMirror(run, RUN, None)
    mirror.push()
    write_run(run, 1)
    (run / "snapshot-000000.000.safetensors").unlink()
    mirror.push()
    assert "snapshot-000000.000.safetensors" not in names(memory)
    assert_valid(1)


def failing_after(patch: pytest.MonkeyPatch, num: int) -> None:
    """Let the connection break after `num` requests that change something."""
    left = [num]

    def counted(function: Callable[..., None]) -> Callable[..., None]:
        def call(*args: Any, **settings: Any) -> None:
            if left[0] == 0:
                raise StoreError("no connection")
            left[0] -= 1
            function(*args, **settings)

        return call

    for module, name in ((runs, "put"), (runs, "put_bytes"), (runs, "remove"), (markers, "put_bytes")):
        patch.setattr(module, name, counted(getattr(module, name)))


@pytest.mark.parametrize("num", range(7))
def test_the_store_is_valid_after_every_request(
    num: int, memory: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = write_run(tmp_path / RUN.name, 0)
    mirror = RunMirror(run, RUN, None)
    mirror.push()
    write_run(run, 1)
    (run / "snapshot-000000.000.safetensors").unlink()
    with monkeypatch.context() as patch:
        failing_after(patch, num)
        if num < 6:
            with pytest.raises(StoreError, match="no connection"):
                mirror.push()
        else:
            mirror.push()
    assert_valid(0 if num < 5 else 1)  # three files, a state, and the fifth is the marker
    # The training goes on where its connection came back, or was killed and goes on from the older state.
    if num % 2:
        mirror.push()
        assert_valid(1)
    else:
        taken, _ = take_up(RUN)
        again = RunMirror(write_run(taken, 1), RUN, None)
        again.push()
        assert_valid(1)
        found = read_marker(RUN)
        assert found is not None
        states = {state_object(entry) for name, entry in found[0].files.items() if name.startswith("state")}
        assert {name for name in names(memory) if name.startswith("state-")} == states


def test_a_damaged_or_missing_state_gives_way_to_the_one_before(memory: dict[str, Any]) -> None:
    run = write_run(prepare_runs(RUNS) / RUN.name, 0)
    mirror = RunMirror(run, RUN, None)
    mirror.push()
    write_run(run, 1)
    mirror.finish(keep=False)
    found = read_marker(RUN)
    assert found is not None
    latest = RUN.child(state_object(found[0].files["state-latest.pt"]))
    _system("memory").pipe_file(latest.path, b"state X")
    taken, _ = take_up(RUN)
    assert not (taken / "state-latest.pt").exists()
    assert (taken / "state-previous.pt").read_text() == "state 0"
    shutil.rmtree(taken)
    for name in ("state-latest.pt", "state-previous.pt"):
        _system("memory").rm_file(RUN.child(state_object(found[0].files[name])).path)
    with pytest.raises(
        StoreError, match=r"no valid state there \(state-\w+\.pt is missing; state-\w+\.pt is missing\)"
    ):
        take_up(RUN)
    assert not taken.exists()


def test_a_damaged_snapshot_is_told(memory: dict[str, Any]) -> None:
    run = write_run(prepare_runs(RUNS) / RUN.name, 0)
    RunMirror(run, RUN, None).finish(keep=False)
    _system("memory").pipe_file(RUN.child("snapshot-000000.000.safetensors").path, b"weights X")
    with pytest.raises(StoreError, match=r"snapshot-000000\.000\.safetensors is damaged; restore it"):
        take_up(RUN)


def test_who_went_on_elsewhere_is_not_disturbed(
    memory: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = write_run(prepare_runs(RUNS) / RUN.name, 0)
    slow = RunMirror(run, RUN, None)
    slow.push()
    monkeypatch.setenv("BEND_CACHE", str(tmp_path / "another machine"))
    quick = RunMirror(write_run(take_up(RUN)[0], 1), RUN, None)
    quick.push()
    before = dict(memory)
    write_run(run, 7)
    with pytest.raises(TakenOverError, match="another process has taken over this run; this one stops"):
        slow.push()
    assert memory == before
    assert_valid(1)


def test_this_machines_own_working_folder_is_used_as_it_is(memory: dict[str, Any]) -> None:
    run = write_run(prepare_runs(RUNS) / RUN.name, 0)
    RunMirror(run, RUN, None).push()
    write_run(run, 1)  # saved here, and the connection was gone
    assert (take_up(RUN)[0] / "state-latest.pt").read_text() == "state 1"
    RunMirror(run, RUN, None).push()
    assert_valid(1)


def test_two_that_begin_at_once_do_not_share_a_name(tmp_path: Path, memory: dict[str, Any]) -> None:
    first, second = write_run(tmp_path / "a", 0), write_run(tmp_path / "b", 0)
    RunMirror(first, RUN, None).push()
    with pytest.raises(StoreError, match="another training has taken this name in the meantime"):
        RunMirror(second, RUN, None)
    assert_valid(0)


def test_numbers_go_on_from_those_there(tmp_path: Path) -> None:
    RunMirror(write_run(tmp_path / "a", 0), RUNS.child("00041-x-y"), None).push()
    parent = prepare_runs(RUNS)
    assert [path.name for path in parent.iterdir() if path.is_dir()] == ["00041-taken"]
    assert prepare_runs(RUNS) == parent
    assert find_remote_run("latest", RUNS) == RUNS.child("00041-x-y")
    assert find_remote_run("00000-a-b", RUNS) == RUNS.child("00000-a-b")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no newest.json there; pass a run folder"),
        ("{", "newest.json: cannot be read"),
        ('{"version": 99, "files": {}}', "written by a later release; update bend"),
        ('{"version": 1, "owner": "x", "generation": 0, "data": null, "files": {}}', "before it had a state"),
    ],
)
def test_what_is_no_run_is_told(content: str | None, message: str) -> None:
    if content is not None:
        _system("memory").pipe_file(RUN.child("newest.json").path, content.encode())
    with pytest.raises(StoreError, match=message):
        take_up(RUN)


def test_a_run_without_a_state_is_not_the_latest(tmp_path: Path) -> None:
    RunMirror(write_run(tmp_path / "a", 0), RUN, None).push()
    RunMirror(write_run(tmp_path / "b", 0), RUNS.child("00001-rocks-none"), None)  # killed at once
    assert find_remote_run("latest", RUNS) == RUN


def test_no_run_to_resume() -> None:
    with pytest.raises(StoreError, match="no run there to resume"):
        find_remote_run("latest", Address(scheme="memory", path="bucket/nothing"))


def test_the_marker_says_what_there_is(memory: dict[str, Any], tmp_path: Path) -> None:
    RunMirror(write_run(tmp_path / "a", 0), RUN, "s3://bucket/rocks.zip").push()
    told = json.loads(_system("memory").cat_file(RUN.child("newest.json").path))
    assert told["data"] == "s3://bucket/rocks.zip"
    assert set(told["files"]) == {
        *("training_options.json", "snapshot-000000.000.safetensors", "stats.jsonl"),
        *("timeline.png", "state-latest.pt"),
    }
