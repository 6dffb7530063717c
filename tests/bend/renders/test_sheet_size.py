"""Sheets and films that no file or memory can hold are refused before anything is drawn."""

from pathlib import Path

import pytest

from bend import render
from bend.renders import latent_walk
from tests.bend.conftest import Run


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
    run: Run,
    tiny_network: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delattr(render, "draw")
    status, _, stderr = run("render", *words, "--network", tiny_network)
    assert (status, stderr.count("\n")) == (1, 1), stderr
    assert told in stderr


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
    ],
)
def test_so_is_a_film_too_big(
    run: Run,
    tiny_network: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delattr(render, "draw")
    monkeypatch.delattr(latent_walk, "draw")
    status, _, stderr = run("render", *words, "--network", tiny_network)
    assert (status, stderr.count("\n")) == (1, 1), stderr
    assert told in stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--steps", "100", "--size", "256x32", "--seeds", "0-1"), "25600×64"),
        (("--amount", "0.5", "--size", "4096x16", "--seeds", "0-15"), "16384×64"),
    ],
)
def test_so_is_a_dial_too_big(
    run: Run,
    tiny_network: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delattr(render, "draw")
    status, _, stderr = run(
        "render", "dial", "--from", tiny_network, "--to", tiny_network, *words, "-o", "a.webp"
    )
    assert (status, stderr) == (
        1,
        f"Error: a.webp: {told} is too big for .webp; write a .png, or ask for a smaller one\n",
    )


def test_and_so_is_the_film_of_one(
    run: Run, tiny_network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delattr(render, "draw")
    ends = ("--from", tiny_network, "--to", tiny_network)
    status, _, stderr = run("render", "dial", *ends, "--grid", "9999x9999", "-o", "a.mp4")
    assert (status, stderr) == (
        1,
        "Error: 159984×159984 is too big for an .mp4; write an .apng or a smaller --grid\n",
    )
