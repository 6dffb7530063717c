"""Sheets and films that no file or memory can hold are refused before anything is drawn."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bend import render
from bend.renders import latent_walk
from tests.bend.conftest import Run


@pytest.fixture
def refused(
    run: Run, tiny_network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """`bend render` in an empty folder, where nothing can be drawn; gives the one line of its error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delattr(render, "draw")
    monkeypatch.delattr(latent_walk, "draw")

    def told(kind: str, *words: str) -> str:
        ends = ("--from", tiny_network, "--to") if kind == "dial" else ("--network",)
        status, _, stderr = run("render", kind, *ends, tiny_network, *words)
        assert (status, stderr.count("\n")) == (1, 1), stderr
        return stderr.removeprefix("Error: ").rstrip()

    return told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("grid", "--grid", "17x1", "--scale", "64", "-o", "a.webp"),
            "a.webp: 17408×1024 is too big for .webp",
        ),
        (("grid", "--grid", "9999x9999", "-o", "a.png"), "a.png: 159984×159984 is more than 4096 megapixels"),
        (
            ("plane", "--grid", "9999x9999", "-o", "a.png"),
            "a.png: 159984×159984 is more than 4096 megapixels",
        ),
        (
            ("plane", "--grid", "1x65", "--scale", "64", "-o", "a.jpg"),
            "a.jpg: 1024×66560 is too big for .jpg",
        ),
        (
            ("style-mix", "--rows", "0", "--columns", "1-16", "--scale", "64", "-o", "a.webp"),
            "a.webp: 17408×2048 is too big for .webp",
        ),
        (
            ("truncation", "--steps", "600", "--size", "32x16", "--seeds", "0-1", "-o", "a.webp"),
            "a.webp: 19200×32 is too big for .webp",
        ),
    ],
)
def test_a_sheet_too_big_is_refused_before_anything_is_drawn(
    refused: Callable[..., str], words: tuple[str, ...], told: str
) -> None:
    assert refused(*words).startswith(told)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("latent-walk", "--grid", "9999x9999", "-o", "a.mp4"), "159984×159984 is too big for an .mp4"),
        (("latent-walk", "--grid", "1x9999", "-o", "a.webp"), "16×159984 is too big for a WebP"),
        (("latent-walk", "--grid", "9999x9999", "-o", "a"), "a: 159984×159984 is more than 4096 megapixels"),
        (
            ("truncation", "--seeds", "0-1", "--scale", "64", "--size", "288x16", "-o", "a.mp4"),
            "36864×1024 is",
        ),
        (("dial", "--grid", "9999x9999", "-o", "a.mp4"), "159984×159984 is too big for an .mp4"),
    ],
)
def test_so_is_a_film_too_big(refused: Callable[..., str], words: tuple[str, ...], told: str) -> None:
    assert refused(*words).startswith(told)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--steps", "100", "--size", "256x32", "--seeds", "0-1"), "25600×64"),
        (("--amount", "0.5", "--size", "4096x16", "--seeds", "0-15"), "16384×64"),
    ],
)
def test_so_is_a_dial_too_big(refused: Callable[..., str], words: tuple[str, ...], told: str) -> None:
    assert refused("dial", *words, "-o", "a.webp") == (
        f"a.webp: {told} is too big for .webp; write a .png, or ask for a smaller one"
    )
