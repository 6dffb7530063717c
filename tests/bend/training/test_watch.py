"""The watch over a run that trains: what it says, when it stops the training, and what it keeps."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bend.score import card as cards
from bend.score import read_card
from bend.score.moments import Curve
from bend.training.watch import RunWatch, train_watched
from stylegan.checkpoint import list_snapshots, load_network
from stylegan.errors import ConfigError
from stylegan.run_names import snapshot_name
from stylegan.training.config import TrainConfig
from stylegan.training.loop import Reply, train
from stylegan.training.session import Session, open_run, resume_run
from tests.bend.conftest import Run
from tests.bend.runs import between, collapsed, save_snapshot, write_data
from tests.bend.tiny import tiny_generator
from tests.stylegan.training.tiny import tiny_plan

pytestmark = pytest.mark.usefixtures("few_fakes")

HOME, AWAY = tiny_generator(seed=0), tiny_generator(seed=1)
SIZE = ["--base", "none", "--batch", "4", "--channel-base", "256", "--channel-max", "16", "--w-dim", "16"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data") / "rocks.zip", AWAY)


@pytest.fixture
def session(tmp_path: Path, data: Path, request: pytest.FixtureRequest) -> Iterator[Session]:
    """A run that has begun; the test's parameters are settings of it."""
    opened = open_run(tiny_plan(data, **getattr(request, "param", {})), tmp_path)
    yield opened
    opened.close()


def show(watch: RunWatch, run: Path, kimg: float, share: float, *, broken: bool = False) -> Reply:
    """Let the watch look at a snapshot at this share of its way."""
    G = between(HOME, AWAY, share)
    path = save_snapshot(run, kimg, collapsed(G) if broken else G, G)
    return watch(path, kimg)


def test_every_snapshot_is_scored_and_the_share_of_time_told(session: Session) -> None:
    watch = RunWatch(session)
    show(watch, session.run, 0, 0)
    reply = show(watch, session.run, 1, 0.5)
    assert reply.stop is None
    (line,) = reply.lines
    assert line.startswith("score raw d0 ")
    assert "% of the run so far" in line
    card = read_card(session.run)
    assert card is not None
    assert [row.kimg for row in card.of("ema")] == [0, 1]
    assert (session.run / "timeline.png").exists()


@pytest.mark.parametrize("session", [{"until": "crossing"}], indirect=True)
def test_until_the_crossing(session: Session) -> None:
    watch = RunWatch(session)
    replies = [show(watch, session.run, kimg, share) for kimg, share in ((0, 0), (1, 0.1), (2, 0.95))]
    assert [reply.stop is None for reply in replies] == [True, True, False]
    assert replies[2].stop is not None
    assert replies[2].stop.startswith("crossing of the averaged generator at 2 kimg")
    assert f"{session.run}@1, {session.run}@2" in replies[2].stop


@pytest.mark.slow
@pytest.mark.parametrize("session", [{"until": "knee"}], indirect=True)
def test_until_the_knee_goes_one_snapshot_beyond(session: Session) -> None:
    watch = RunWatch(session)
    course = ((0, 0), (0.25, 0.002), (0.5, 0.01), (1, 0.7), (2, 0.71), (4, 0.72))
    stops = [show(watch, session.run, kimg, share).stop for kimg, share in course]
    first = next(index for index, stop in enumerate(stops) if stop)
    assert "knee of the averaged generator at 1 kimg" in stops[first]
    assert course[first][0] > 1
    assert f"{session.run}@0.5, {session.run}@1, {session.run}@2" in stops[-1]


@pytest.mark.parametrize("session", [{"until": "collapse", "keep": 3}], indirect=True)
def test_a_collapse_is_told_once_and_the_last_good_snapshot_stays(session: Session) -> None:
    watch = RunWatch(session)
    course = ((0, 0, False), (1, 0.1, False), (2, 0.5, False), (3, 0.6, True), (4, 0.7, True), (5, 0.7, True))
    replies = [show(watch, session.run, kimg, share, broken=broken) for kimg, share, broken in course]
    alarms = [line for reply in replies for line in reply.lines if line.startswith("collapse")]
    assert len(alarms) == 1
    assert "raw generator at 3 kimg" in alarms[0]
    assert f"the last good snapshot is {session.run}@2, and is kept" in alarms[0]
    assert [bool(reply.stop) for reply in replies] == [False, False, False, True, True, True]
    kept = [kimg for kimg, _ in list_snapshots(session.run)]
    assert len(kept) == 3
    assert {0, 2, 5} == set(kept)


@pytest.mark.parametrize("session", [{"keep": 4}], indirect=True)
def test_pruning_keeps_what_differs_and_the_rows_of_what_goes(session: Session) -> None:
    watch = RunWatch(session)
    course = ((0, 0), (1, 0.01), (2, 0.02), (3, 0.3), (4, 0.9), (5, 0.91), (6, 0.92))
    lines = [line for kimg, share in course for line in show(watch, session.run, kimg, share).lines]
    kept = [kimg for kimg, _ in list_snapshots(session.run)]
    assert len(kept) == 4
    assert {0, 6} <= set(kept)
    assert sum(line.startswith("removed the snapshots at") for line in lines) == 3
    card = read_card(session.run)
    assert card is not None
    assert len(card.rows) == 14


class Killed(BaseException):
    """Stands for a kill."""


def broken_off(watch: RunWatch, run: Path, site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the watch look at a snapshot on its way to the data, and be killed at a write site."""

    def kill(*arguments: object, **options: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(site, kill)
        show(watch, run, 2, 0.95)


@pytest.mark.parametrize("session", [{"until": "crossing", "keep": 3}], indirect=True)
@pytest.mark.parametrize("site", ["ScoreCard.write", "choose_removals", "RunTimeline.__call__"])
def test_a_look_that_was_broken_off_is_made_up_for(
    session: Session, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = RunWatch(session)
    for kimg, share in ((0, 0), (0.5, 0.1), (1, 0.2)):
        show(watch, session.run, kimg, share)
    broken_off(watch, session.run, f"bend.training.watch.{site}", monkeypatch)
    session.plan.state.cur_nimg = 2000
    reply = RunWatch(session).catch_up()
    assert [line.split()[0] for line in reply.lines if line.startswith("score")] == ["score"]
    assert reply.stop is not None
    assert reply.stop.startswith("crossing of the averaged generator at 2 kimg")
    card = read_card(session.run)
    assert card is not None
    assert [row.kimg for row in card.of("ema")] == [0, 0.5, 1, 2]
    assert len(list_snapshots(session.run)) == 3


@pytest.mark.parametrize("session", [{"until": "crossing"}], indirect=True)
def test_what_was_looked_at_is_not_looked_at_again_and_stops_a_resumed_run_too(session: Session) -> None:
    watch = RunWatch(session)
    for kimg, share in ((0, 0), (1, 0.1)):
        show(watch, session.run, kimg, share)
    session.plan.state.cur_nimg = 1000
    assert RunWatch(session).catch_up() == Reply()
    stop = show(watch, session.run, 2, 0.95).stop
    session.plan.state.cur_nimg = 2000
    assert RunWatch(session).catch_up() == Reply(stop=stop)


@pytest.mark.parametrize("session", [{"kimg": 0.004}], indirect=True)
def test_a_run_that_was_killed_at_its_last_look_is_complete_once_it_is_resumed(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(watch: RunWatch, path: Path, kimg: float) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(RunWatch, "__call__", lambda *look: kill(*look) if look[2] else Reply())
        train_watched(session)
    assert train_watched(resume_run(session.run, {})).num_images == 0
    card = read_card(session.run)
    assert card is not None
    assert [row.kimg for row in card.of("raw")] == [0, 0.004]
    assert (session.run / "timeline.png").exists()


@pytest.mark.parametrize("session", [{"no_score": True}], indirect=True)
def test_without_a_score_there_is_a_timeline_only(session: Session) -> None:
    assert show(RunWatch(session), session.run, 0, 0).lines == ()
    assert not (session.run / "score.json").exists()
    assert (session.run / "timeline.png").exists()


def test_a_run_without_a_beginning_is_not_scored_but_trains(session: Session) -> None:
    watch = RunWatch(session)
    (line,) = show(watch, session.run, 2, 0.5).lines
    assert line.startswith("not scored:")
    assert show(watch, session.run, 3, 0.5).lines == ()


def test_the_loop_stops_where_it_is_told_to_and_goes_on_from_there(tmp_path: Path, data: Path) -> None:
    seen: list[float] = []

    def look(path: Path, kimg: float) -> Reply:
        seen.append(kimg)
        return Reply(lines=("looked",), stop="enough" if kimg == 0.008 else None)

    summary = train(open_run(tiny_plan(data, kimg=0.016, snapshots="every:0.004"), tmp_path), look)
    assert (summary.kimg, summary.stopped_at, summary.stopped_by) == (0.008, "enough", None)
    assert seen == [0, 0.004, 0.008]
    log = (summary.run / "log.txt").read_text()
    assert log.count("looked\n") == 3
    assert log.rstrip().endswith("stopped: enough")
    heard = train(resume_run(summary.run, {}), None, reply=Reply(lines=("heard",), stop="enough"))
    assert (heard.num_images, heard.stopped_at) == (0, "enough")
    assert (summary.run / "log.txt").read_text().endswith("heard\nstopped: enough\n")
    further = train(resume_run(summary.run, {}), None)
    assert (further.kimg, further.stopped_at) == (0.016, None)


@pytest.mark.slow
def test_finetune_until_stops_short_of_kimg(
    tmp_path: Path, data: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(curve: Curve) -> dict[str, int | None]:
        none = dict.fromkeys(("knee", "crossing", "richest", "last"))
        return none if len(curve.kimg) < 3 else {**none, "crossing": 2}

    monkeypatch.setattr(cards, "find_moments", found)
    status, out, err = run(
        *("finetune", "--data", data, *SIZE, "--kimg", 0.04, "--snapshots", "every:0.008", "--device", "cpu"),
        *("--until", "crossing", "-o", tmp_path, "--json"),
    )
    assert status == 0, err
    facts = json.loads(out)
    assert facts["kimg"] == 0.016
    assert facts["stopped_at"].startswith("crossing of the averaged generator at 0.016 kimg")
    monkeypatch.undo()
    status, out, err = run("finetune", "--resume", "latest", "--until", "none", "-o", tmp_path)
    assert status == 0, err
    assert ": 0.04 kimg in " in out


@pytest.mark.slow
def test_delta_snapshots_are_half_as_large_and_draw_the_same(tmp_path: Path, data: Path, run: Run) -> None:
    for form in ("full", "delta"):
        status, _, err = run(
            *(
                "finetune",
                "--data",
                data,
                *SIZE,
                "--kimg",
                0.016,
                "--snapshots",
                "every:0.008",
                "--device",
                "cpu",
            ),
            *("--snapshot-format", form, "-o", tmp_path / form),
        )
        assert status == 0, err
    full, delta = ((tmp_path / form / "00000-rocks-none") for form in ("full", "delta"))
    assert [kimg for kimg, _ in list_snapshots(delta)] == [0, 0.008, 0.016]
    first, last = snapshot_name(0), snapshot_name(0.016)
    assert (full / first).stat().st_size == (delta / first).stat().st_size
    sizes = [
        sum(value.numel() for value in load_network(full).generator(kind).state_dict().values())
        for kind in ("raw", "ema")
    ]
    assert (full / last).stat().st_size - (delta / last).stat().st_size > 2 * sum(sizes) * 0.95
    for kind in ("raw", "ema"):
        pictures = [list(images_of(f"{folder}@0.016", kind)) for folder in (full, delta)]
        for one, other in zip(*pictures, strict=True):
            assert abs(one.astype(int) - other).max() <= 1


def images_of(network: str, kind: str) -> Iterator[object]:
    from bend import render

    return render.images(render.generator_of(network, kind), range(4))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"until": "knee", "no_score": True}, "--no-score"),
        ({"keep": 3, "no_score": True}, "--no-score"),
        ({"keep": 2}, "--keep must be at least 3"),
        ({"until": "dawn"}, "--until dawn"),
        ({"snapshot_format": "tar"}, "--snapshot-format"),
    ],
)
def test_contradictions_are_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        TrainConfig(data="rocks.zip", kimg=1, **settings)
