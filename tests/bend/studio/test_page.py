"""The page in a real browser, played as a person does: drag, turn, drop, roll, record, render, train.

Skipped where no Chromium is installed; the browser is the system's, since Playwright's own cannot be had everywhere.
"""

import os
import re
import shutil
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

from playwright.sync_api import Browser, Page, expect, sync_playwright

_CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))),
    None,
)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(_CHROMIUM is None, reason="no Chromium is installed")]

PATIENCE_MS = 60_000
LONG_MS = 300_000
"""For what computes: films, trainings, clusters, on a machine that has other things to do."""
expect.set_options(timeout=PATIENCE_MS)
_SOUND_HZ = 44_100
_AFRESH = """() => {
    const { store } = bendStudio;
    const place = { ...store.patch.place, mode: "seeds", x: 0, y: 0, to: null, share: 0 };
    const wander = { ...store.patch.wander, on: false };
    const dial = { base: null, amount: "1" };
    store.take({ ...store.patch, place, wander, trunc: "1", noise_mode: "const", dial, modules: [] });
}"""
_STILL = "document.getAnimations().every(({ effect }) => effect.getTiming().iterations === Infinity)"
_COMMAND = (sys.executable, "-u", "-c", "from bend.cli import main; main()")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, tiny_network: Path) -> Iterator[str]:
    """A studio with the embedded network, as `bend studio` starts it, and another that is quite unlike."""
    folder = tmp_path_factory.mktemp("studio")
    words = ["studio", "--port", "0", "--no-open", "--device", "cpu"]
    words += ["--also", str(tiny_network), "--runs", str(folder / "runs"), "-o", str(folder / "kept")]
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    process = subprocess.Popen([*_COMMAND, *words], stdout=subprocess.PIPE, text=True, env=environment)
    watchdog = threading.Timer(300, process.kill)
    watchdog.start()
    assert process.stdout is not None
    line = process.stdout.readline()
    watchdog.cancel()
    found = re.search(r"http://\S+", line)
    assert found is not None, line
    yield found[0]
    process.terminate()
    assert process.wait(timeout=300) == 143
    process.stdout.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless browser, with a microphone in which a low tone swells and fades."""
    tone = tmp_path_factory.mktemp("sound") / "tone.wav"
    t = np.arange(4 * _SOUND_HZ) / _SOUND_HZ
    samples = (20_000 * np.sin(2 * np.pi * 80 * t) * np.sin(np.pi * t / 2) ** 2).astype("<i2")
    with wave.open(str(tone), "wb") as file:
        file.setparams((1, 2, _SOUND_HZ, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    words = [
        "--no-sandbox",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={tone}",
    ]
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=_CHROMIUM, args=words, timeout=LONG_MS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The page at a desk, ready to be played; no error may be left in its console."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="dark")
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on(
        "console",
        lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None,
    )
    yield _open(opened, address)
    context.close()
    assert errors == []


def _open(page: Page, address: str) -> Page:
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    expect(page.locator(".meter")).to_contain_text("px")
    page.evaluate(_AFRESH)
    _rests(page)
    return page


def _until(page: Page, claim: str, argument: Any = None, patience_ms: int = PATIENCE_MS) -> None:
    """Wait until an expression holds; Playwright's own waiting needs `eval`, which the page's policy forbids."""
    ends = time.monotonic() + patience_ms / 1000
    while not page.evaluate(claim, argument):
        assert time.monotonic() < ends, f"it never came true: {claim}"
        page.wait_for_timeout(50)


def _rests(page: Page) -> None:
    """Wait until the picture of the last gesture is shown, whole, and the gesture is a step that can be undone."""
    _until(page, "bendStudio.store.isSettled && bendStudio.connection.isAtRest")


def _patch(page: Page) -> Any:
    return page.evaluate("bendStudio.store.patch")


def _looks(page: Page) -> str:
    """What the canvas shows, as text that differs where pictures do."""
    return str(page.evaluate("document.querySelector('canvas.picture').toDataURL('image/jpeg', 0.5)"))


def _changes(page: Page, before: str) -> None:
    _until(
        page,
        "before => document.querySelector('canvas.picture').toDataURL('image/jpeg', 0.5) !== before",
        before,
    )


def _played(page: Page, name: str) -> Any:
    """A field of the patch as the server has it."""
    return page.evaluate("async name => (await (await fetch('/start')).json()).patch[name]", name)


def _focused(page: Page) -> str | None:
    name: str | None = page.evaluate("document.activeElement.getAttribute('aria-label')")
    return name


def test_the_token_leaves_the_address_and_a_stranger_is_refused(page: Page, address: str) -> None:
    assert "token" not in page.url
    page.reload()
    expect(page.locator(".meter")).to_contain_text("px")
    stranger = page.context.browser
    assert stranger is not None
    other = stranger.new_page()
    answer = other.goto(address.partition("?")[0])
    assert answer is not None
    assert answer.status == 403
    other.close()


def test_dragging_the_map_moves_the_picture(page: Page) -> None:
    before = _looks(page)
    pad = page.locator(".map-pad").bounding_box()
    assert pad is not None
    page.mouse.move(pad["x"] + 40, pad["y"] + 40)
    page.mouse.down()
    page.mouse.move(pad["x"] + 150, pad["y"] + 120, steps=12)
    page.mouse.up()
    _changes(page, before)
    _until(page, "bendStudio.store.patch.place.x > 0.3")
    _until(page, "bendStudio.connection.lag > 0")


def test_everything_goes_by_keyboard(page: Page) -> None:
    before = _looks(page)
    page.get_by_role("slider", name="Point on the map").press("Shift+ArrowRight")
    _changes(page, before)
    knob = page.get_by_role("slider", name="Dial: 0 the base")
    knob.press("ArrowDown")
    expect(knob).to_have_attribute("aria-valuenow", "0.95")
    _rests(page)
    page.keyboard.press("Control+z")
    expect(knob).to_have_attribute("aria-valuenow", "1")


def test_no_key_is_lost_that_is_struck_twice_between_two_frames(page: Page) -> None:
    struck = """control => {
        const strike = (key) => control.dispatchEvent(new KeyboardEvent("keydown", { key, cancelable: true }));
        strike("ArrowRight");
        strike("ArrowRight");
        return Number(control.getAttribute("aria-valuenow"));
    }"""
    knob = page.get_by_role("slider", name="Dial: 0 the base")
    assert knob.evaluate(struck.replace("ArrowRight", "ArrowDown")) == pytest.approx(0.9)
    point = page.get_by_role("slider", name="Point on the map")
    assert point.evaluate(struck) == pytest.approx(0.03, abs=0.006)


def test_a_bend_is_dropped_on_the_network_and_undone(page: Page) -> None:
    before = _looks(page)
    chip = page.get_by_role("button", name="swirl", exact=True)
    node = page.locator('[data-tap="b16.conv1"]')
    chip.scroll_into_view_if_needed()
    start, end = chip.bounding_box(), node.bounding_box()
    assert start is not None
    assert end is not None
    page.mouse.move(start["x"] + 8, start["y"] + 8)
    page.mouse.down()
    page.mouse.move(start["x"] - 30, start["y"] + 30)
    page.mouse.move(end["x"] + 20, end["y"] + 20, steps=6)
    page.mouse.up()
    _changes(page, before)
    (module,) = _patch(page)["modules"]
    assert (module["name"], module["tap"]) == ("swirl", "b16.conv1")
    expect(node).to_have_class(re.compile("is-bent"))
    _rests(page)
    page.get_by_role("button", name="Move swirl degrees over time").click()
    page.get_by_label("moved by").select_option("lfo")
    _until(page, "bendStudio.store.patch.modules[0].values[0].startsWith('lfo(sine')")
    moving = _looks(page)
    _changes(page, moving)
    _until(page, "bendStudio.store.isSettled")
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Undo").click()
    _until(page, "bendStudio.store.patch.modules.length === 0")


def test_what_is_out_of_range_is_put_to_its_end_and_what_is_refused_goes_back(page: Page) -> None:
    seed = page.get_by_label("seed", exact=True)
    seed.fill("99999999999")
    seed.press("Enter")
    expect(seed).to_have_value("4294967295")
    page.get_by_role("button", name="Move truncation over time").click()
    page.get_by_label("moved by").select_option("lfo")
    page.locator(".drawer").get_by_label("from").fill("-50")
    page.locator(".drawer").get_by_label("from").press("Enter")
    _until(page, "bendStudio.store.patch.trunc.startsWith('lfo(sine,-20..')")
    page.get_by_label("moved by").select_option("none")
    chip = page.get_by_role("button", name="invert", exact=True)
    chip.evaluate("chip => { for (let i = 0; i < 33; i++) chip.click(); }")
    expect(page.locator(".notice")).to_contain_text("it holds 32 bends")
    _rests(page)
    assert len(_played(page, "modules")) == 32
    page.evaluate("bendStudio.store.change((patch) => { patch.place.seeds[0] = -1; })")
    expect(page.locator(".notice").last).to_contain_text("seed -1 is out of range")
    _until(page, "bendStudio.store.patch.place.seeds[0] === 4294967295")
    page.evaluate("bendStudio.store.change((patch) => { patch.trunc = '0.3'; })")
    _rests(page)
    assert _played(page, "trunc") == "0.3"


def test_a_lost_connection_is_told_and_what_was_moved_meanwhile_is_played(page: Page, address: str) -> None:
    record, meter = page.locator(".record"), page.locator(".meter")
    expect(meter).to_have_text(re.compile("px at rest"))
    page.context.set_offline(True)
    page.evaluate("bendStudio.connection.socket.close()")
    expect(page.locator(".notice")).to_have_text("The connection is lost; trying again.")
    expect(meter).to_have_text("lost")
    expect(record).to_be_disabled()
    page.evaluate("bendStudio.store.change((patch) => { patch.trunc = '0.25'; })")
    assert page.context.browser is not None
    beside = page.context.browser.new_context()
    _open(other := beside.new_page(), address)
    other.evaluate("bendStudio.store.change((patch) => { patch.noise_mode = 'none'; })")
    _rests(other)
    page.context.set_offline(False)
    _until(page, "bendStudio.store.patch.noise_mode === 'none'")
    expect(page.locator(".notice")).to_have_count(0)
    _rests(page)
    assert _patch(page)["trunc"] == _played(page, "trunc") == "0.25"
    _until(other, "bendStudio.store.patch.trunc === '0.25'")
    beside.close()
    page.context.clear_cookies()
    page.evaluate("bendStudio.connection.socket.close()")
    expect(page.locator(".notice")).to_contain_text("open the address that the terminal shows")


def test_two_pages_play_together_and_each_undoes_its_own(page: Page, address: str) -> None:
    assert page.context.browser is not None
    beside = page.context.browser.new_context()
    other = _open(beside.new_page(), address)
    page.evaluate("bendStudio.store.change((patch) => { patch.noise_mode = 'none'; })")
    _rests(page)
    page.evaluate(
        "window.hand = setInterval(() => bendStudio.store.change(({ place }) => (place.x = Math.random())), 7)"
    )
    for trunc in ("0.2", "0.3", "0.4", "0.5", "0.6"):
        other.evaluate("trunc => bendStudio.store.change((patch) => { patch.trunc = trunc; })", trunc)
        _until(page, "trunc => bendStudio.store.patch.trunc === trunc", trunc)
        assert _played(other, "trunc") == trunc
    page.evaluate("clearInterval(window.hand)")
    _until(page, "bendStudio.store.isSettled")
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Undo").click()
    _until(page, "bendStudio.store.patch.noise_mode === 'const'")
    _until(other, "bendStudio.store.patch.noise_mode === 'const' && bendStudio.store.patch.place.x === 0")
    assert _patch(page)["trunc"] == _patch(other)["trunc"] == "0.6"
    beside.close()


def test_neither_focus_nor_open_drawers_are_lost(page: Page) -> None:
    for name in ("swirl", "invert", "rotate"):
        page.get_by_role("button", name=name, exact=True).click()
    page.get_by_role("button", name="Move swirl degrees over time").click()
    page.get_by_role("button", name="invert 2 on").click()
    expect(page.locator(".module.is-off")).to_have_count(1)
    expect(page.locator(".drawer:not([hidden])")).to_have_count(1)
    page.get_by_role("button", name="invert 2 earlier").press("Enter")
    _until(page, "bendStudio.store.patch.modules[0].name === 'invert'")
    _rests(page)
    assert _focused(page) == "invert 1 later"
    page.get_by_role("button", name="Remove swirl 2").press("Enter")
    expect(page.locator(".module")).to_have_count(2)
    assert _focused(page) == "Remove rotate 2"
    page.locator(".where summary").first.click()
    page.get_by_label("at", exact=True).first.focus()
    page.get_by_label("at", exact=True).first.select_option("b32.conv1")
    expect(page.locator(".where summary").first).to_contain_text("b32.conv1")
    assert page.evaluate("document.activeElement.value") == "b32.conv1"
    page.evaluate("""() => {
        const { store } = bendStudio;
        const patch = structuredClone(store.patch);
        store.shelf.presets = ["one", "two"].map((name) => ({ name, patch, picture: "" }));
        store.tell("shelf");
    }""")
    page.get_by_role("button", name="Play two").focus()
    page.evaluate(
        "bendStudio.store.shelf = structuredClone(bendStudio.store.shelf); bendStudio.store.tell('shelf')"
    )
    assert _focused(page) == "Play two"


def test_keys_are_the_instruments_after_a_choice_and_a_number(page: Page) -> None:
    noise = page.get_by_label("noise", exact=True)
    noise.focus()
    noise.select_option("none")
    _rests(page)
    page.keyboard.press("Control+z")
    _until(page, "bendStudio.store.patch.noise_mode === 'const'")
    page.keyboard.press("r")
    expect(page.locator(".record-time")).to_have_text(re.compile(r"[1-9]\.\d s"))  # though nothing moves
    page.keyboard.press("r")
    assert noise.input_value() == "const"
    number = page.get_by_label("truncation, number")
    number.fill("0.9")
    number.press("Enter")
    _rests(page)
    number.press("Control+z")
    expect(number).to_have_value("1")
    assert _patch(page)["trunc"] == "1"
    point = page.get_by_role("slider", name="Point on the map")
    for _ in range(8):
        point.press("Shift+ArrowLeft")
    assert _patch(page)["place"]["x"] == -0.25  # it stays on the map
    page.locator(".fader").evaluate_all(
        "faders => faders.forEach((one) => { one.value = 0; one.dispatchEvent(new Event('input')); })"
    )
    expect(page.get_by_label("dial, number")).to_have_value("0")


def test_a_morph_from_midway_does_not_jump(page: Page) -> None:
    place = """share => {
        const { store } = bendStudio;
        const far = { ...structuredClone(store.patch.place), seeds: [5, 6, 7] };
        const midway = { ...store.patch, place: { ...store.patch.place, to: far, share: 0.32 } };
        const end = { ...store.patch, place: { ...far, seeds: [8, 9, 10] } };
        store.shelf.presets = [["a", midway], ["b", end]].map(([name, patch]) => ({ name, patch, picture: "" }));
        store.tell("shelf");
        const slider = document.querySelector(".share");
        slider.value = share;
        slider.dispatchEvent(new Event("input"));
        return [store.patch.place.to?.seeds[0], store.patch.place.share];
    }"""
    afresh = _patch(page)
    at = []
    for share in (0, 0.001, 0.25, 1):
        page.evaluate("patch => bendStudio.store.take(patch)", afresh)
        at.append(page.evaluate(place, share))
    assert at[0] == [5, pytest.approx(0.32)]
    assert at[1] == [5, pytest.approx(0.32, abs=0.01)]
    assert at[2] == [8, pytest.approx(0.01)]  # back at its own seed after 0.32 of 1.32, and on from there
    assert at[3] == [None, 0]


def test_sound_comes_from_a_track_and_the_microphone_each_to_be_had_alone(page: Page, tmp_path: Path) -> None:
    state = page.locator(".panel", has_text="Sound and MIDI").get_by_role("status")
    page.locator("input[type=file]").set_input_files(
        {"name": "odd.mp3", "mimeType": "audio/mpeg", "buffer": b"no sound"}
    )
    expect(page.locator(".notice")).to_contain_text("odd.mp3 cannot be played")
    with wave.open(str(tmp_path / "low.wav"), "wb") as file:
        file.setparams((1, 2, _SOUND_HZ, 0, "NONE", ""))
        file.writeframes(bytes(_SOUND_HZ))
    page.locator("input[type=file]").set_input_files(tmp_path / "low.wav")
    expect(state).to_have_text("Hearing low.wav.")
    microphone = page.get_by_role("button", name="Microphone")
    microphone.click()
    expect(state).to_have_text("Hearing the microphone and low.wav.")
    microphone.click()
    expect(state).to_have_text("Hearing low.wav.")
    expect(microphone).to_have_attribute("aria-pressed", "false")


def test_a_roll_is_taken_and_two_are_bred(page: Page) -> None:
    page.get_by_label("how many").fill("3")
    page.get_by_label("how many").press("Enter")
    page.get_by_role("button", name="Roll", exact=True).click()
    expect(page.locator(".chance")).to_have_count(3, timeout=LONG_MS)
    expect(page.get_by_role("button", name="Roll", exact=True)).to_be_visible()  # it is not rolling any more
    page.locator(".chance").first.click()
    assert _patch(page)["modules"]
    for number in (1, 2):
        page.get_by_role("button", name=f"Parent {number}", exact=True).click()
    page.get_by_role("button", name="Breed two").click()
    expect(page.locator(".chance")).to_have_count(3, timeout=LONG_MS)


def test_controllers_and_clusters(page: Page) -> None:
    page.get_by_role("button", name="Move truncation over time").click()
    page.get_by_label("moved by").select_option("midi")
    page.evaluate("bendStudio.sources.control('1/7', 127); bendStudio.sources.control('1/7', 0)")
    _until(page, "Number(bendStudio.store.patch.trunc) < 0.5")
    page.get_by_label("moved by").select_option("none")
    page.get_by_role("button", name="invert", exact=True).click()
    page.locator(".where summary").click()
    page.locator(".module").get_by_label("channels", exact=True).select_option("cluster")
    expect(page.locator(".cluster").first).to_be_visible(timeout=LONG_MS)
    page.locator(".cluster").nth(1).click()
    _until(page, "bendStudio.store.patch.modules[0].channels === 'cluster=0,1'")


def test_what_the_microphone_hears_moves_a_parameter(page: Page) -> None:
    page.get_by_role("button", name="Microphone").click()
    expect(page.get_by_text("Hearing the microphone.")).to_be_visible()
    page.get_by_role("button", name="Move truncation over time").click()
    page.get_by_label("moved by").select_option("sound")
    _until(page, "Number(bendStudio.store.patch.trunc) > 0.7")
    _until(page, "Number(bendStudio.store.patch.trunc) < 0.6")
    page.get_by_label("moved by").select_option("none")
    _rests(page)


def test_a_dial_between_two_unlike_networks_is_refused_in_one_line(page: Page) -> None:
    before = _looks(page)
    page.locator(".dial").get_by_label("from").select_option("tiny.safetensors")
    note = page.locator(".notice")
    expect(note).to_contain_text("faces64 and tiny.safetensors cannot be mixed")
    assert "\n" not in note.inner_text()
    page.locator(".dial").get_by_label("from").select_option("")
    _rests(page)
    assert _looks(page) == before


def test_the_map_has_principal_axes_and_the_walk_goes_by_itself(page: Page) -> None:
    before = _looks(page)
    page.get_by_label("map", exact=True).select_option("pca")
    point = page.get_by_role("slider", name="Point on the map")
    point.press("Shift+ArrowRight")
    _changes(page, before)
    stood = point.get_attribute("aria-valuetext")
    page.get_by_label("walk", exact=True).select_option("circle")
    expect(point).not_to_have_attribute("aria-valuetext", stood or "")
    walked = _looks(page)
    _changes(page, walked)
    page.get_by_label("walk", exact=True).select_option("off")
    _rests(page)
    assert _patch(page)["place"]["mode"] == "pca"


def test_a_performance_is_recorded_kept_and_rendered(page: Page) -> None:
    page.get_by_role("button", name="Record what is played").click()
    expect(page.locator(".record")).to_have_attribute("aria-pressed", "true")
    point = page.get_by_role("slider", name="Point on the map")
    for _ in range(6):
        before = _looks(page)
        point.press("Shift+ArrowRight")
        _changes(page, before)
    page.get_by_role("button", name="Record what is played").click()
    page.get_by_role("button", name="Render take-001").click()
    film = page.get_by_role("link", name="Film of take-001")
    expect(film).to_be_visible(timeout=LONG_MS)
    answer = page.request.get(page.url.rstrip("/") + (film.get_attribute("href") or ""))
    assert answer.body()[4:8] == b"ftyp"
    with page.expect_download() as download:
        page.get_by_role("link", name="Picture (PNG)").click()
    assert Path(download.value.path()).read_bytes()[:4] == b"\x89PNG"


def test_the_record_key_struck_again_at_once_stops_what_it_began(page: Page) -> None:
    record = page.locator(".record")
    struck = """() => {
        const strike = (repeat) => window.document.body.dispatchEvent(
            new KeyboardEvent("keydown", { key: "r", repeat, bubbles: true }));
        strike(false);
        const begun = document.querySelector(".record").getAttribute("aria-pressed");
        strike(true);
        strike(false);
        return [begun, document.querySelector(".record").getAttribute("aria-pressed")];
    }"""
    assert page.evaluate(struck) == ["true", "false"]
    point = page.get_by_role("slider", name="Point on the map")
    for _ in range(4):  # frames that say whether it records
        before = _looks(page)
        point.press("Shift+ArrowRight")
        _changes(page, before)
        expect(record).to_have_attribute("aria-pressed", "false")


def test_presets_are_kept_and_morphed(page: Page) -> None:
    for name, trunc in (("one", "0.2"), ("two", "1")):
        page.evaluate("trunc => bendStudio.store.take({...bendStudio.store.patch, trunc})", trunc)
        page.get_by_label("Name of the preset").fill(name)
        page.get_by_role("button", name="Keep preset").click()
        expect(page.get_by_role("button", name=f"Play {name}")).to_be_visible()
    page.get_by_label("Morph from one preset to the other").fill("0.5")
    _until(page, "Math.abs(Number(bendStudio.store.patch.trunc) - 0.6) < 0.01")


def test_a_training_is_started_watched_stopped_and_gone_on_with(page: Page, address: str) -> None:
    page.get_by_role("button", name="Train", exact=True).first.click()
    page.get_by_label("length, in thousands of pictures").fill("40")
    page.get_by_label("length, in thousands of pictures").press("Tab")
    page.locator(".train-form button").click()
    job = page.locator(".job").first
    expect(job).to_contain_text("running")
    run = page.locator(".runs .panel").first
    expect(run).to_contain_text("photos", timeout=LONG_MS)
    page.goto("about:blank")  # the page is closed, the training goes on
    page.goto(address)
    page.get_by_role("button", name="Train", exact=True).first.click()
    expect(job).to_contain_text("running")
    expect(run.locator("img").first).to_be_visible(timeout=LONG_MS)
    page.get_by_role("button", name="Stop faces64 on bundled photos, 40 kimg").click()
    expect(job).to_contain_text("stopped", timeout=LONG_MS)
    page.get_by_role("button", name=re.compile("Go on with")).click()
    expect(page.locator(".job").first).to_contain_text("going on")
    expect(page.locator(".job").first).to_contain_text("running")
    page.get_by_role("button", name=re.compile("Stop going on")).click()
    expect(page.locator(".job").first).to_contain_text("stopped", timeout=LONG_MS)


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_no_serious_fault(browser: Browser, address: str, scheme: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    for width, height, view in [
        (1440, 900, "play"),
        (1440, 900, "train"),
        (360, 740, "play"),
        (360, 740, "bends"),
    ]:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, has_touch=width < 1000
        )
        page = _open(context.new_page(), address)
        page.locator(".chip", has_text="rotate").evaluate("chip => chip.click()")
        page.locator(f'.view[data-view="{view}"]').click()
        _rests(page)
        _until(page, _STILL)
        found = axe.Axe().run(page).response["violations"]
        serious = [
            (fault["id"], [node["html"][:120] for node in fault["nodes"][:4]])
            for fault in found
            if fault["impact"] in ("serious", "critical") or fault["id"] == "page-has-heading-one"
        ]
        assert not serious, (width, view, serious)
        context.close()


@pytest.mark.parametrize("width", [360, 768, 1024, 1440, 3840])
def test_nothing_spills_over_the_side(browser: Browser, address: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": max(width * 9 // 16, 640)})
    page = _open(context.new_page(), address)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    canvas = page.locator("canvas.picture").bounding_box()
    assert canvas is not None
    assert min(canvas["width"], canvas["height"]) >= 200
    frame = page.locator(".picture-frame").bounding_box()
    assert frame is not None
    assert canvas["height"] <= frame["height"] + 1  # the picture is all in sight
    context.close()
