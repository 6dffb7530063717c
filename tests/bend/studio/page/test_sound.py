"""What moves a parameter on the page: a track, the microphone, a controller."""

import wave
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

from playwright.sync_api import Page, expect

from tests.bend.studio.page.playing import IN_A_BROWSER, LONG_MS, SOUND_HZ, rests, until

pytestmark = IN_A_BROWSER


def test_sound_comes_from_a_track_and_the_microphone_each_to_be_had_alone(page: Page, tmp_path: Path) -> None:
    state = page.locator(".panel", has_text="Sound and MIDI").get_by_role("status")
    page.locator("input[type=file]").set_input_files(
        {"name": "odd.mp3", "mimeType": "audio/mpeg", "buffer": b"no sound"}
    )
    expect(page.locator(".notice")).to_contain_text("odd.mp3 cannot be played")
    with wave.open(str(tmp_path / "low.wav"), "wb") as file:
        file.setparams((1, 2, SOUND_HZ, 0, "NONE", ""))
        file.writeframes(bytes(SOUND_HZ))
    page.locator("input[type=file]").set_input_files(tmp_path / "low.wav")
    expect(state).to_have_text("Hearing low.wav.")
    microphone = page.get_by_role("button", name="Microphone")
    microphone.click()
    expect(state).to_have_text("Hearing the microphone and low.wav.")
    microphone.click()
    expect(state).to_have_text("Hearing low.wav.")
    expect(microphone).to_have_attribute("aria-pressed", "false")


def test_controllers_and_clusters(page: Page) -> None:
    page.get_by_role("button", name="Move truncation over time").click()
    page.get_by_label("moved by").select_option("midi")
    page.evaluate("bendStudio.sources.control('1/7', 127); bendStudio.sources.control('1/7', 0)")
    until(page, "Number(bendStudio.store.patch.trunc) < 0.5")
    page.get_by_label("moved by").select_option("none")
    page.get_by_role("button", name="invert", exact=True).click()
    page.locator(".where summary").click()
    page.locator(".module").get_by_label("channels", exact=True).select_option("cluster")
    expect(page.locator(".cluster").first).to_be_visible(timeout=LONG_MS)
    page.locator(".cluster").nth(1).click()
    until(page, "bendStudio.store.patch.modules[0].channels === 'cluster=0,1'")


def test_what_the_microphone_hears_moves_a_parameter(page: Page) -> None:
    page.get_by_role("button", name="Microphone").click()
    expect(page.get_by_text("Hearing the microphone.")).to_be_visible()
    page.get_by_role("button", name="Move truncation over time").click()
    page.get_by_label("moved by").select_option("sound")
    until(page, "Number(bendStudio.store.patch.trunc) > 0.7")
    until(page, "Number(bendStudio.store.patch.trunc) < 0.6")
    page.get_by_label("moved by").select_option("none")
    rests(page)
