"""The page played by mouse and keys: drag, turn, drop, undo, walk."""

import re

import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

from playwright.sync_api import Page, expect

from tests.bend.studio.page.playing import (
    IN_A_BROWSER,
    changes,
    focused,
    looks,
    patch_of,
    played,
    rests,
    until,
)

pytestmark = IN_A_BROWSER


def test_dragging_the_map_moves_the_picture(page: Page) -> None:
    before = looks(page)
    pad = page.locator(".map-pad").bounding_box()
    assert pad is not None
    page.mouse.move(pad["x"] + 40, pad["y"] + 40)
    page.mouse.down()
    page.mouse.move(pad["x"] + 150, pad["y"] + 120, steps=12)
    page.mouse.up()
    changes(page, before)
    until(page, "bendStudio.store.patch.place.x > 0.3")
    until(page, "bendStudio.connection.lag > 0")


def test_everything_goes_by_keyboard(page: Page) -> None:
    before = looks(page)
    page.get_by_role("slider", name="Point on the map").press("Shift+ArrowRight")
    changes(page, before)
    knob = page.get_by_role("slider", name="Dial: 0 the base")
    knob.press("ArrowDown")
    expect(knob).to_have_attribute("aria-valuenow", "0.95")
    rests(page)
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
    before = looks(page)
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
    changes(page, before)
    (module,) = patch_of(page)["modules"]
    assert (module["name"], module["tap"]) == ("swirl", "b16.conv1")
    expect(node).to_have_class(re.compile("is-bent"))
    rests(page)
    page.get_by_role("button", name="Move swirl degrees over time").click()
    page.get_by_label("moved by").select_option("lfo")
    until(page, "bendStudio.store.patch.modules[0].values[0].startsWith('lfo(sine')")
    moving = looks(page)
    changes(page, moving)
    until(page, "bendStudio.store.isSettled")
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Undo").click()
    until(page, "bendStudio.store.patch.modules.length === 0")


def test_what_is_out_of_range_is_put_to_its_end_and_what_is_refused_goes_back(page: Page) -> None:
    seed = page.get_by_label("seed", exact=True)
    seed.fill("99999999999")
    seed.press("Enter")
    expect(seed).to_have_value("4294967295")
    page.get_by_role("button", name="Move truncation over time").click()
    page.get_by_label("moved by").select_option("lfo")
    page.locator(".drawer").get_by_label("from").fill("-50")
    page.locator(".drawer").get_by_label("from").press("Enter")
    until(page, "bendStudio.store.patch.trunc.startsWith('lfo(sine,-20..')")
    page.get_by_label("moved by").select_option("none")
    chip = page.get_by_role("button", name="invert", exact=True)
    chip.evaluate("chip => { for (let i = 0; i < 33; i++) chip.click(); }")
    expect(page.locator(".notice")).to_contain_text("it holds 32 bends")
    rests(page)
    assert len(played(page, "modules")) == 32
    page.evaluate("bendStudio.store.change((patch) => { patch.place.seeds[0] = -1; })")
    expect(page.locator(".notice").last).to_contain_text("seed -1 is out of range")
    until(page, "bendStudio.store.patch.place.seeds[0] === 4294967295")
    page.evaluate("bendStudio.store.change((patch) => { patch.trunc = '0.3'; })")
    rests(page)
    assert played(page, "trunc") == "0.3"


def test_neither_focus_nor_open_drawers_are_lost(page: Page) -> None:
    for name in ("swirl", "invert", "rotate"):
        page.get_by_role("button", name=name, exact=True).click()
    page.get_by_role("button", name="Move swirl degrees over time").click()
    page.get_by_role("button", name="invert 2 on").click()
    expect(page.locator(".module.is-off")).to_have_count(1)
    expect(page.locator(".drawer:not([hidden])")).to_have_count(1)
    page.get_by_role("button", name="invert 2 earlier").press("Enter")
    until(page, "bendStudio.store.patch.modules[0].name === 'invert'")
    rests(page)
    assert focused(page) == "invert 1 later"
    page.get_by_role("button", name="Remove swirl 2").press("Enter")
    expect(page.locator(".module")).to_have_count(2)
    assert focused(page) == "Remove rotate 2"
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
    assert focused(page) == "Play two"


def test_keys_are_the_instruments_after_a_choice_and_a_number(page: Page) -> None:
    noise = page.get_by_label("noise", exact=True)
    noise.focus()
    noise.select_option("none")
    rests(page)
    page.keyboard.press("Control+z")
    until(page, "bendStudio.store.patch.noise_mode === 'const'")
    page.keyboard.press("r")
    expect(page.locator(".record-time")).to_have_text(re.compile(r"[1-9]\.\d s"))  # though nothing moves
    page.keyboard.press("r")
    assert noise.input_value() == "const"
    number = page.get_by_label("truncation, number")
    number.fill("0.9")
    number.press("Enter")
    rests(page)
    number.press("Control+z")
    expect(number).to_have_value("1")
    assert patch_of(page)["trunc"] == "1"
    point = page.get_by_role("slider", name="Point on the map")
    for _ in range(8):
        point.press("Shift+ArrowLeft")
    assert patch_of(page)["place"]["x"] == -0.25  # it stays on the map
    page.locator(".fader").evaluate_all(
        "faders => faders.forEach((one) => { one.value = 0; one.dispatchEvent(new Event('input')); })"
    )
    expect(page.get_by_label("dial, number")).to_have_value("0")


def test_a_dial_between_two_unlike_networks_is_refused_in_one_line(page: Page) -> None:
    before = looks(page)
    page.locator(".dial").get_by_label("from").select_option("tiny.safetensors")
    note = page.locator(".notice")
    expect(note).to_contain_text("faces64 and tiny.safetensors cannot be mixed")
    assert "\n" not in note.inner_text()
    page.locator(".dial").get_by_label("from").select_option("")
    rests(page)
    assert looks(page) == before


def test_the_map_has_principal_axes_and_the_walk_goes_by_itself(page: Page) -> None:
    before = looks(page)
    page.get_by_label("map", exact=True).select_option("pca")
    point = page.get_by_role("slider", name="Point on the map")
    point.press("Shift+ArrowRight")
    changes(page, before)
    stood = point.get_attribute("aria-valuetext")
    page.get_by_label("walk", exact=True).select_option("circle")
    expect(point).not_to_have_attribute("aria-valuetext", stood or "")
    walked = looks(page)
    changes(page, walked)
    page.get_by_label("walk", exact=True).select_option("off")
    rests(page)
    assert patch_of(page)["place"]["mode"] == "pca"
