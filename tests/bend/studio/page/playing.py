"""How the tests handle a page: they open it, wait for what it shows, and read what it knows.

Skipped where no Chromium is installed; the browser is the system's, since Playwright's own cannot be had everywhere.
"""

import shutil
import time
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

from playwright.sync_api import Page, expect

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))),
    None,
)
IN_A_BROWSER = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")]
"""The marks of every test here."""
PATIENCE_MS = 60_000
LONG_MS = 300_000
"""For long computations: films, trainings, clusters, on a machine that has other things to do."""
expect.set_options(timeout=PATIENCE_MS)
SOUND_HZ = 44_100
_AFRESH = """() => {
    const { store } = bendStudio;
    const place = { ...store.patch.place, mode: "seeds", x: 0, y: 0, to: null, share: 0 };
    const wander = { ...store.patch.wander, on: false };
    const dial = { base: null, amount: "1" };
    store.take({ ...store.patch, place, wander, trunc: "1", noise_mode: "const", dial, modules: [] });
}"""


def open_page(page: Page, address: str) -> Page:
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    expect(page.locator(".meter")).to_contain_text("px")
    page.evaluate(_AFRESH)
    rests(page)
    return page


def until(page: Page, claim: str, argument: Any = None, patience_ms: int = PATIENCE_MS) -> None:
    """Wait until an expression holds; Playwright's own waiting needs `eval`, which the page's policy forbids."""
    ends = time.monotonic() + patience_ms / 1000
    while not page.evaluate(claim, argument):
        assert time.monotonic() < ends, f"it never came true: {claim}"
        page.wait_for_timeout(50)


def rests(page: Page) -> None:
    """Wait until the picture of the last gesture is shown, whole, and the gesture is a step that can be undone."""
    until(page, "bendStudio.store.isSettled && bendStudio.connection.isAtRest")


def patch_of(page: Page) -> Any:
    return page.evaluate("bendStudio.store.patch")


def looks(page: Page) -> str:
    """What the canvas shows, as text that differs where pictures do."""
    return str(page.evaluate("document.querySelector('canvas.picture').toDataURL('image/jpeg', 0.5)"))


def changes(page: Page, before: str) -> None:
    until(
        page,
        "before => document.querySelector('canvas.picture').toDataURL('image/jpeg', 0.5) !== before",
        before,
    )


def played(page: Page, name: str) -> Any:
    """A field of the patch as the server has it."""
    return page.evaluate("async name => (await (await fetch('/start')).json()).patch[name]", name)


def focused(page: Page) -> str | None:
    name: str | None = page.evaluate("document.activeElement.getAttribute('aria-label')")
    return name
