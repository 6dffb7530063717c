"""How the page looks on narrow and wide screens, and to those who cannot see it."""

from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

from playwright.sync_api import Browser

from tests.bend.studio.page.playing import IN_A_BROWSER, open_page, rests, until

pytestmark = IN_A_BROWSER
_STILL = "document.getAnimations().every(({ effect }) => effect.getTiming().iterations === Infinity)"


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
        page = open_page(context.new_page(), address)
        page.locator(".chip", has_text="rotate").evaluate("chip => chip.click()")
        page.locator(f'.view[data-view="{view}"]').click()
        rests(page)
        until(page, _STILL)
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
    page = open_page(context.new_page(), address)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    canvas = page.locator("canvas.picture").bounding_box()
    assert canvas is not None
    assert min(canvas["width"], canvas["height"]) >= 200
    frame = page.locator(".picture-frame").bounding_box()
    assert frame is not None
    assert canvas["height"] <= frame["height"] + 1  # the whole picture is in sight
    context.close()
