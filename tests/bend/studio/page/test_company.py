"""The page in company: a stranger, another page, a server that goes away and comes back."""

import re

import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

from playwright.sync_api import Page, expect

from tests.bend.studio.page.playing import IN_A_BROWSER, open_page, patch_of, played, rests, until

pytestmark = IN_A_BROWSER


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
    open_page(other := beside.new_page(), address)
    other.evaluate("bendStudio.store.change((patch) => { patch.noise_mode = 'none'; })")
    rests(other)
    page.context.set_offline(False)
    until(page, "bendStudio.store.patch.noise_mode === 'none'")
    expect(page.locator(".notice")).to_have_count(0)
    rests(page)
    assert patch_of(page)["trunc"] == played(page, "trunc") == "0.25"
    until(other, "bendStudio.store.patch.trunc === '0.25'")
    beside.close()
    page.context.clear_cookies()
    page.evaluate("bendStudio.connection.socket.close()")
    expect(page.locator(".notice")).to_contain_text("open the address that the terminal shows")


def test_two_pages_play_together_and_each_undoes_its_own(page: Page, address: str) -> None:
    assert page.context.browser is not None
    beside = page.context.browser.new_context()
    other = open_page(beside.new_page(), address)
    page.evaluate("bendStudio.store.change((patch) => { patch.noise_mode = 'none'; })")
    rests(page)
    page.evaluate(
        "window.hand = setInterval(() => bendStudio.store.change(({ place }) => (place.x = Math.random())), 7)"
    )
    for trunc in ("0.2", "0.3", "0.4", "0.5", "0.6"):
        other.evaluate("trunc => bendStudio.store.change((patch) => { patch.trunc = trunc; })", trunc)
        until(page, "trunc => bendStudio.store.patch.trunc === trunc", trunc)
        assert played(other, "trunc") == trunc
    page.evaluate("clearInterval(window.hand)")
    until(page, "bendStudio.store.isSettled")
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Undo").click()
    until(page, "bendStudio.store.patch.noise_mode === 'const'")
    until(other, "bendStudio.store.patch.noise_mode === 'const' && bendStudio.store.patch.place.x === 0")
    assert patch_of(page)["trunc"] == patch_of(other)["trunc"] == "0.6"
    beside.close()
