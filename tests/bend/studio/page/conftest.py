"""A studio as `bend studio` starts it, and a browser with its page."""

import os
import re
import subprocess
import sys
import threading
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_COMMAND = (sys.executable, "-u", "-c", "from bend.cli import main; main()")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, tiny_network: Path) -> Iterator[str]:
    """A studio as `bend studio` starts it, with the embedded network and another that is quite unlike it."""
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
def browser(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Browser]":
    """A headless browser, with a microphone in which a low tone swells and fades."""
    from playwright.sync_api import sync_playwright  # which need not be installed

    from tests.bend.studio.page.playing import CHROMIUM, LONG_MS, SOUND_HZ

    tone = tmp_path_factory.mktemp("sound") / "tone.wav"
    t = np.arange(4 * SOUND_HZ) / SOUND_HZ
    samples = (20_000 * np.sin(2 * np.pi * 80 * t) * np.sin(np.pi * t / 2) ** 2).astype("<i2")
    with wave.open(str(tone), "wb") as file:
        file.setparams((1, 2, SOUND_HZ, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    words = [
        "--no-sandbox",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={tone}",
    ]
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=words, timeout=LONG_MS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: "Browser", address: str) -> "Iterator[Page]":
    """The page at a desk, ready to be played; no error may be left in its console."""
    from tests.bend.studio.page.playing import open_page

    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="dark")
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on(
        "console",
        lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None,
    )
    yield open_page(opened, address)
    context.close()
    assert errors == []
