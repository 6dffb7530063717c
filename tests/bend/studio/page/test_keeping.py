"""What the page throws, keeps, records and trains."""

import re
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

from playwright.sync_api import Page, expect

from tests.bend.studio.page.playing import IN_A_BROWSER, LONG_MS, changes, looks, patch_of, until

pytestmark = IN_A_BROWSER


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
    afresh = patch_of(page)
    at = []
    for share in (0, 0.001, 0.25, 1):
        page.evaluate("patch => bendStudio.store.take(patch)", afresh)
        at.append(page.evaluate(place, share))
    assert at[0] == [5, pytest.approx(0.32)]
    assert at[1] == [5, pytest.approx(0.32, abs=0.01)]
    assert at[2] == [8, pytest.approx(0.01)]  # back at its own seed after 0.32 of 1.32, and on from there
    assert at[3] == [None, 0]


def test_a_roll_is_taken_and_two_are_bred(page: Page) -> None:
    page.get_by_label("how many").fill("3")
    page.get_by_label("how many").press("Enter")
    page.get_by_role("button", name="Roll", exact=True).click()
    expect(page.locator(".chance")).to_have_count(3, timeout=LONG_MS)
    expect(page.get_by_role("button", name="Roll", exact=True)).to_be_visible()  # it is not rolling any more
    page.locator(".chance").first.click()
    assert patch_of(page)["modules"]
    for number in (1, 2):
        page.get_by_role("button", name=f"Parent {number}", exact=True).click()
    page.get_by_role("button", name="Breed two").click()
    expect(page.locator(".chance")).to_have_count(3, timeout=LONG_MS)


def test_a_performance_is_recorded_kept_and_rendered(page: Page) -> None:
    page.get_by_role("button", name="Record what is played").click()
    expect(page.locator(".record")).to_have_attribute("aria-pressed", "true")
    point = page.get_by_role("slider", name="Point on the map")
    for _ in range(6):
        before = looks(page)
        point.press("Shift+ArrowRight")
        changes(page, before)
    page.get_by_role("button", name="Record what is played").click()
    page.get_by_role("button", name="Render take-001").click()
    film = page.get_by_role("link", name="Film of take-001")
    expect(film).to_be_visible(timeout=LONG_MS)
    answer = page.request.get(page.url.rstrip("/") + (film.get_attribute("href") or ""))
    assert answer.body()[4:8] == b"ftyp"
    with page.expect_download() as download:
        page.get_by_role("link", name="Picture (PNG)").click()
    assert Path(download.value.path()).read_bytes()[:4] == b"\x89PNG"


def test_links_to_a_take_bear_its_name_whatever_it_is(page: Page) -> None:
    name = "100% #1?"
    shown = """name => {
        const { store } = bendStudio;
        store.shelf.takes = [{ name, is_rendered: true }];
        store.tell("shelf");
        return ["Film", "Recipe"].map((what) => {
            const link = new URL(document.querySelector(`[aria-label="${what} of ${name}"]`).href);
            return [decodeURIComponent(link.pathname), link.search, link.hash];
        });
    }"""
    assert page.evaluate(shown, name) == [[f"/takes/{name}{suffix}", "", ""] for suffix in (".mp4", ".zip")]


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
        before = looks(page)
        point.press("Shift+ArrowRight")
        changes(page, before)
        expect(record).to_have_attribute("aria-pressed", "false")


def test_presets_are_kept_and_morphed(page: Page) -> None:
    for name, trunc in (("one", "0.2"), ("two", "1")):
        page.evaluate("trunc => bendStudio.store.take({...bendStudio.store.patch, trunc})", trunc)
        page.get_by_label("Name of the preset").fill(name)
        page.get_by_role("button", name="Keep preset").click()
        expect(page.get_by_role("button", name=f"Play {name}")).to_be_visible()
    page.get_by_label("Morph from one preset to the other").fill("0.5")
    until(page, "Math.abs(Number(bendStudio.store.patch.trunc) - 0.6) < 0.01")


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
