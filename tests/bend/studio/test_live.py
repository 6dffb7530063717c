"""Playing over the socket, as a page does."""

import functools
import io
import shutil
import time
import tomllib
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from urllib.parse import quote

import av
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from bend import recipe
from bend.cli import bend
from bend.errors import SettingsError
from bend.studio.actions import ACTIONS, Answer, Studio, keep_takes
from bend.studio.app import make_app, open_studio
from bend.studio.config import StudioConfig
from bend.studio.hub import Seat
from bend.studio.instrument import Instrument
from bend.studio.keeping import Keeping
from bend.studio.message import Message
from tests.bend.runs import write_run
from tests.bend.studio.conftest import TOKEN, Player, eventually

SWIRL = {"key": "s", "name": "swirl", "values": ["120"], "tap": "b16.conv0"}


def _pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def _has_takes(studio: Studio, number: int) -> bool:
    """Whether so many takes have frames."""
    return sum(take.patch is not None for take in studio.instrument._recording._takes) == number


def record_two_takes(studio: Studio) -> None:
    """Play two kinds of noise while recording."""
    studio.instrument.seat(+1)
    studio.instrument.start_take()
    for number, kind in enumerate(("const", "none"), 1):
        studio.instrument.play(replace(studio.instrument.patch, noise_mode=kind))
        eventually(functools.partial(_has_takes, studio, number))


@pytest.fixture
def patch(client: TestClient) -> dict[str, Any]:
    """The initial state."""
    started = client.get("/start").json()
    assert {bend["name"] for bend in started["bends"]} >= {"rotate", "perturb", "feedback"}
    assert started["graph"]["resolution"] == 16
    assert [layer["tap"] for layer in started["graph"]["layers"]][-1] == "b16.image"
    found: dict[str, Any] = started["patch"]
    return found


def test_every_gesture_has_its_picture(player: Player, patch: dict[str, Any]) -> None:
    meta, first = player.picture(patch)
    assert meta["type"] == "image/png"
    assert meta["size"] == [16, 16]
    patch["place"]["x"] = 1.0
    _, moved = player.picture(patch)
    assert np.abs(_pixels(first) - _pixels(moved)).mean() > 1
    patch["place"]["x"] = 0.0
    patch["modules"] = [SWIRL]
    _, bent = player.picture(patch)
    assert np.abs(_pixels(first) - _pixels(bent)).mean() > 1
    patch["modules"] = []
    _, again = player.picture(patch)
    assert np.array_equal(_pixels(first), _pixels(again))


def test_what_moves_by_itself_sends_frame_after_frame(player: Player, patch: dict[str, Any]) -> None:
    patch["wander"] = {"on": True, "path": "drift", "speed": 40, "reach": 1}
    patch["trunc"] = "lfo(sine,0.2..1,1s)"
    gesture = player.play(patch)
    places = []
    while len(places) < 6:
        meta, _ = player.kind("frame")
        if meta["gesture"] == gesture:
            places.append((meta["place"]["x"], meta["place"]["y"]))
            assert not meta["is_whole"]
    assert len(set(places)) == 6


def test_feature_maps_are_shown_of_what_is_watched(player: Player, patch: dict[str, Any]) -> None:
    player.say(do="watch", taps=["b16.conv1", "ws", "b4.const", "nonsense"])
    player.play(patch)
    meta, sheet = player.kind("maps")
    assert meta["order"] == ["b16.conv1", "ws", "b4.const", "nonsense"]
    tiles = _pixels(sheet)
    assert tiles[:40, :40].std() > 5
    assert tiles[:40, 120:160].max() < 30


def test_nonsense_is_answered_in_one_line_and_changes_nothing(player: Player, patch: dict[str, Any]) -> None:
    _, before = player.picture(patch)
    for nonsense in (
        {"do": "explode"},
        {"do": "play", "patch": {"network": 3}},
        {"do": "play", "patch": {**patch, "modules": [{**SWIRL, "tap": "b999.conv0"}]}},
        {"do": "play", "patch": {**patch, "network": "/etc/passwd"}},
        {"do": "play", "patch": {**patch, "trunc": "audio(bass,0..1)"}},
        {"do": "watch", "taps": "all"},
        {"do": "roll", "num": -4},
        {"do": "render-take", "name": "../../x"},
        {"do": "keep-preset", "name": "../x"},
        {"do": "stop-job", "number": 7},
        ["not", "a", "table"],
    ):
        player._socket.send_json(nonsense)
        meta, _ = player.kind("trouble")
        assert "\n" not in meta["text"]
    player._socket.send_text("{no json")
    assert "JSON" in player.kind("trouble")[0]["text"]
    _, after = player.picture(patch)
    assert np.array_equal(_pixels(before), _pixels(after))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TimeoutError(), "the instrument is busy; try again"),
        (OSError(28, "No space left on device", "/kept"), "/kept: No space left on device"),
        (OSError("odd"), "a file: odd"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    player: Player, monkeypatch: pytest.MonkeyPatch, error: OSError, said: str
) -> None:
    monkeypatch.setitem(ACTIONS, "refresh", Mock(side_effect=error))
    player.say(do="refresh")
    assert player.kind("trouble")[0]["text"] == said


def test_an_address_says_that_the_instrument_is_busy(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Instrument, "ask_now", Mock(return_value=Mock(result=Mock(side_effect=TimeoutError))))
    answer = client.get("/picture.png")
    assert (answer.status_code, answer.text) == (503, "the instrument is busy; try again\n")


def test_a_page_opens_whatever_the_name_of_what_is_played(client: TestClient, player: Player) -> None:
    player.play({"network": "\ud800"})
    assert "not on the shelf" in player.kind("trouble")[0]["text"]
    assert client.get("/start").json()["patch"]["network"] == "\ud800"


def test_a_page_that_lets_too_many_words_wait_is_sent_away(
    player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bend.studio.hub._MOST_WORDS", 0)
    player.say(do="graph")
    with pytest.raises(WebSocketDisconnect) as told:
        while True:
            player._socket.receive_bytes()
    assert told.value.code == 1013


def test_what_two_pages_move_at_once_is_all_played(client: TestClient, patch: dict[str, Any]) -> None:
    with client.websocket_connect("/live") as socket, client.websocket_connect("/live") as beside:
        one, other = Player(socket), Player(beside)
        gesture = one.play({"trunc": "0.5"})
        assert other.kind("patch")[0]["patch"] == {**patch, "trunc": "0.5"}
        other.play({"noise_mode": "none"})
        heard, _ = one.kind("patch")
        assert heard["patch"] == {**patch, "trunc": "0.5", "noise_mode": "none"}
        assert gesture in heard["heard"]


def test_what_is_refused_is_answered_with_what_is_played(player: Player, patch: dict[str, Any]) -> None:
    player.play({"trunc": "0.5"})
    gesture = player.play({"place": {**patch["place"], "seeds": [2**32, 1, 2]}})
    trouble, _ = player.kind("trouble")
    assert "out of range" in trouble["text"]
    assert trouble["patch"] == {**patch, "trunc": "0.5"}
    assert trouble["heard"] == [gesture]


def test_chances_live_and_breed(player: Player, patch: dict[str, Any]) -> None:
    player.say(do="roll", num=2, seed=3)
    first, second = player.kind("chance")[0], player.kind("chance")[0]
    assert first["picture"].startswith("data:image/webp;base64,")
    assert first["modules"]
    player.until(lambda meta: meta == {"kind": "finished", "what": "roll"})
    parents = [{**patch, "modules": one["modules"]} for one in (first, second)]
    player.say(do="roll", num=1, seed=4, parents=parents)
    child = player.kind("chance")[0]
    player.picture({**patch, "modules": child["modules"]})


def test_clusters_and_the_map_are_pictures(player: Player) -> None:
    player.say(do="clusters")
    found = player.kind("clusters")[0]["layers"]
    assert sum(found["b16.conv1"]["channels"]) == 16
    player.say(do="ground", key="k")
    meta, sheet = player.kind("ground")
    assert meta["key"] == "k"
    assert _pixels(sheet).shape == (336, 336, 3)


def test_the_downloaded_picture_is_made_again_from_its_recipe(
    client: TestClient, player: Player, patch: dict[str, Any], tmp_path: Path
) -> None:
    patch["place"] |= {"x": 0.25, "seeds": [7, 8, 9]}
    patch["modules"] = [SWIRL]
    player.picture(patch)
    downloaded = client.get("/picture.png").content
    (tmp_path / "studio.png").write_bytes(downloaded)
    recipe = client.get("/recipe")
    assert tomllib.loads(recipe.text)["stage"][0]["do"] == "render plane"
    (tmp_path / "studio.toml").write_bytes(recipe.content)
    ran = CliRunner().invoke(bend, ["run", str(tmp_path / "studio.toml"), "-o", str(tmp_path / "again")])
    assert ran.exit_code == 0, ran.output
    again = _pixels((tmp_path / "again" / "studio.png").read_bytes())
    assert np.abs(again - _pixels(downloaded)).max() <= 1
    replayed = CliRunner().invoke(
        bend, ["replay", str(tmp_path / "studio.png"), "-o", str(tmp_path / "r.png"), "--check"]
    )
    assert replayed.exit_code == 0, replayed.output


def test_a_place_off_the_map_travels_in_a_zip(
    client: TestClient, player: Player, patch: dict[str, Any], tmp_path: Path
) -> None:
    patch["place"] |= {"mode": "pca", "x": 1.5, "seeds": [7, 8, 9]}
    patch |= {"noise_mode": "random", "trunc": "0.5"}
    patch["modules"] = [
        {"key": str(seed), "name": "freeze", "values": [str(seed)], "tap": tap, "mix": "0.5"}
        for seed, tap in ((7, "b8.conv1"), (9, "ws"), (7, "b16.conv0"))
    ]
    player.picture(patch)
    zipped = client.get("/recipe")
    assert zipped.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(zipped.content)) as archive:
        archive.extractall(tmp_path)
    ran = CliRunner().invoke(bend, ["run", str(tmp_path / "studio.toml"), "-o", str(tmp_path / "out")])
    assert ran.exit_code == 0, ran.output
    again = _pixels((tmp_path / "out" / "studio.png").read_bytes())
    assert np.abs(again - _pixels(client.get("/picture.png").content)).max() <= 1


def test_presets_are_kept_and_forgotten(client: TestClient, player: Player, patch: dict[str, Any]) -> None:
    patch["modules"] = [SWIRL]
    player.picture(patch)
    player.say(do="keep-preset", name="whirl")
    state = player.kind("state")[0]
    assert [preset["name"] for preset in state["presets"]] == ["whirl"]
    assert state["presets"][0]["patch"]["modules"][0]["name"] == "swirl"
    player.say(do="drop-preset", name="whirl")
    assert player.kind("state")[0]["presets"] == []


def test_a_recording_begins_before_it_ends_however_soon(
    player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def slowly(studio: Studio, seat: Seat, message: Mapping[str, Any]) -> Answer:
        time.sleep(0.2)
        order.append("record")
        return None

    def at_once(studio: Studio, seat: Seat, message: Mapping[str, Any]) -> Answer:
        order.append("end-record")
        return Message("kept")

    monkeypatch.setitem(ACTIONS, "record", slowly)
    monkeypatch.setitem(ACTIONS, "end-record", at_once)
    player.say(do="record")
    player.say(do="end-record")
    player.kind("kept")
    assert order == ["record", "end-record"]


def test_a_recording_goes_on_as_another_take_where_the_network_changes(
    client: TestClient, player: Player, patch: dict[str, Any]
) -> None:
    player.picture(patch)
    player.say(do="record")
    player.until(lambda meta: meta["kind"] == "frame" and meta["is_recording"])
    patch["place"]["x"] = 0.5
    player.picture(patch)
    patch |= {"network": "faces64"}
    player.play(patch)
    assert player.kind("parted")[0]["what"] == "network"
    player.until(lambda meta: meta["kind"] == "frame" and meta["size"] == [64, 64])
    player.say(do="end-record")
    assert player.kind("kept")[0]["names"] == ["take-001", "take-002"]
    scales, widths = [], []
    for name in ("take-001", "take-002"):
        with zipfile.ZipFile(io.BytesIO(client.get(f"/takes/{name}.zip").content)) as archive:
            stage = tomllib.loads(archive.read(f"{name}/recipe.toml").decode())["stage"][0]
            scales.append(stage["scale"])
            widths.append(np.load(archive.open(f"{name}/path.npz"))["w"].shape[1])
    assert scales == [32, 8]
    assert widths == [32, 512]


def test_a_take_that_cannot_be_saved_is_saved_later(
    config: StudioConfig, player: Player, patch: dict[str, Any]
) -> None:
    player.say(do="record")
    player.picture(patch)
    config.out.mkdir()
    (config.out / "takes").touch()
    player.say(do="end-record")
    assert "takes" in player.kind("trouble")[0]["text"]
    assert player.picture(patch)[0]["is_recording"]
    (config.out / "takes").unlink()
    player.say(do="end-record")
    assert player.kind("kept")[0]["names"] == ["take-001"]
    assert not player.picture(patch)[0]["is_recording"]


@pytest.mark.parametrize("is_full", [False, True])
def test_what_is_being_recorded_when_the_studio_ends_is_kept_and_told(
    config: StudioConfig, caplog: pytest.LogCaptureFixture, is_full: bool
) -> None:
    app = make_app(open_studio(config), token=TOKEN, hosts=["testserver"])
    with (
        TestClient(app, cookies={"bend-studio-testserver": TOKEN}) as client,
        client.websocket_connect("/live") as socket,
    ):
        player = Player(socket)
        player.say(do="record")
        player.until(lambda meta: meta["kind"] == "frame" and meta["is_recording"])
        if is_full:
            config.out.mkdir()
            (config.out / "takes").touch()
    assert [take["name"] for take in Keeping(config.out).takes()] == ([] if is_full else ["take-001"])
    (told,) = [record.getMessage() for record in caplog.records if record.name == "bend.studio.app"]
    assert "\n" not in told
    assert ("is lost: " if is_full else "kept what was being recorded: take-001") in told


def test_a_take_that_cannot_be_written_keeps_no_other_back_and_leaves_no_folder(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_two_takes(studio)
    write, failures = recipe.write_recipe, iter([OSError(28, "No space left on device", "/kept")])

    def write_second(path: Path, what: recipe.Recipe) -> None:
        for error in failures:
            raise error
        write(path, what)

    monkeypatch.setattr("bend.studio.keeping.write_recipe", write_second)
    with pytest.raises(OSError, match="No space left"):
        keep_takes(studio)
    assert [path.name for path in (studio.config.out / "takes").iterdir()] == ["take-001"]
    assert keep_takes(studio) == ["take-002"]
    assert not studio.instrument.is_recording


def test_a_take_of_a_run_that_is_gone_is_saved(studio: Studio) -> None:
    run = write_run(studio.config.runs)
    studio.instrument.play(replace(studio.instrument.patch, network=f"run:{run.name}"))
    record_two_takes(studio)
    shutil.rmtree(run)
    assert keep_takes(studio) == ["take-001", "take-002"]


def test_two_pages_that_stop_a_recording_at_once_save_it_once(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_two_takes(studio)
    keep_film = studio.keeping.keep_film
    slowly = Mock(side_effect=lambda *args, **settings: (time.sleep(0.2), keep_film(*args, **settings))[1])
    monkeypatch.setattr(studio.keeping, "keep_film", slowly)
    with ThreadPoolExecutor(2) as pages:
        stops = [pages.submit(keep_takes, studio) for _ in range(2)]
    told = [stop.exception() or stop.result() for stop in stops]
    assert ["take-001", "take-002"] in told
    assert any(isinstance(one, SettingsError) for one in told)
    assert len(studio.keeping.takes()) == 2


@pytest.mark.slow
def test_a_performance_is_recorded_and_rendered(
    client: TestClient, player: Player, patch: dict[str, Any], tmp_path: Path
) -> None:
    player.picture(patch)
    player.say(do="record")
    player.until(lambda meta: meta["kind"] == "frame" and meta["is_recording"])
    for x in (0.2, 0.5, 1.0):
        patch["place"]["x"] = x
        player.picture(patch)
    patch["modules"] = [SWIRL]
    player.picture(patch)
    player.say(do="end-record")
    kept = player.kind("kept")[0]
    assert kept["names"] == ["take-001"]
    with zipfile.ZipFile(io.BytesIO(client.get("/takes/take-001.zip").content)) as archive:
        assert sorted(archive.namelist()) == ["take-001/path.npz", "take-001/recipe.toml"]
        stage = tomllib.loads(archive.read("take-001/recipe.toml").decode())["stage"][0]
    assert stage["do"] == "render latent-walk"
    assert "mix=0s:0," in stage["bend"][0]
    player.say(do="render-take", name="take-001")
    player.until(lambda meta: meta["kind"] == "jobs")
    while True:
        player.say(do="refresh")
        (job,) = player.kind("state")[0]["jobs"]
        if job["state"] not in ("waiting", "running"):
            break
        time.sleep(0.05)
    assert job["state"] == "done", job
    film = client.get("/takes/take-001.mp4")
    (tmp_path / "take.mp4").write_bytes(film.content)
    with av.open(str(tmp_path / "take.mp4")) as opened:
        frames = [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]
    assert frames[0].shape == (512, 512, 3)
    whole = _pixels(client.get("/picture.png").content)
    last = np.asarray(Image.fromarray(frames[-1]).resize((16, 16), Image.Resampling.BOX)).astype(int)
    assert np.abs(last - whole).mean() < 14


def test_a_take_that_somebody_renamed_is_downloaded_with_its_film(
    client: TestClient, player: Player, config: StudioConfig
) -> None:
    player.say(do="record")
    player.until(lambda meta: meta["kind"] == "frame" and meta["is_recording"])
    player.say(do="end-record")
    assert player.kind("kept")[0]["names"] == ["take-001"]
    name = 'дубль "1"; é.x'
    folder = (config.out / "takes" / "take-001").rename(config.out / "takes" / name)
    zipped = client.get(f"/takes/{quote(name)}.zip")
    assert zipfile.ZipFile(io.BytesIO(zipped.content)).namelist() == [
        f"{name}/recipe.toml",
        f"{name}/path.npz",
    ]
    assert zipped.headers["content-disposition"] == f"attachment; filename*=UTF-8''{quote(name)}.zip"
    (folder / ".take-001.1.mp4").write_bytes(b"fi")  # still being written
    assert client.get(f"/takes/{quote(name)}.mp4").text == f"{name} is not rendered yet\n"
    (folder / "take-001.mp4").write_bytes(b"film")
    player.say(do="refresh")
    shown = [{"name": name, "is_rendered": True}]
    player.until(lambda meta: meta["kind"] == "state" and meta["takes"] == shown)
    assert client.get(f"/takes/{quote(name)}.mp4").content == b"film"
    (folder / "path.npz").unlink()
    broken = client.get(f"/takes/{quote(name)}.zip")
    assert (broken.status_code, broken.text) == (404, f"{folder / 'path.npz'}: No such file or directory\n")


@pytest.mark.parametrize(
    "path",
    [
        "/takes/..%2F..%2Fx.zip",
        "/takes/none.mp4",
        "/runs/..%2F/reals.png",
        "/runs/x/reals.png",
        "/assets/../app.py",
    ],
)
def test_no_address_leads_to_other_files(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_two_pages_play_one_instrument(client: TestClient, player: Player, patch: dict[str, Any]) -> None:
    with client.websocket_connect("/live") as socket:
        other = Player(socket)
        patch["place"]["x"] = 0.75
        player.play(patch)
        told = other.kind("patch")[0]["patch"]
        assert told["place"]["x"] == 0.75
