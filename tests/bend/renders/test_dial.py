"""The dial as a sheet, a film and a network file, from the command line."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from bend import render
from bend.errors import SettingsError
from bend.latent_file import write_latents
from bend.renders.dial import DialConfig
from stylegan.checkpoint import NetworkMeta, load_network, save_network
from tests.bend.conftest import Run
from tests.bend.pixels import pixels
from tests.bend.runs import between, drawn_at, save_snapshot, tiny_discriminator
from tests.bend.tiny import save_tiny, tiny_generator

SIDE, HEAD = 16, 18


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("ends")
    for seed, name in enumerate(("base", "bent")):
        save_network(
            folder / f"{name}.safetensors",
            G=tiny_generator(seed=seed + 10),
            D=tiny_discriminator(),
            G_ema=tiny_generator(seed=seed),
            meta=NetworkMeta(licence=f"L{seed}", augment_p=0.2),
        )
    return folder / "base.safetensors", folder / "bent.safetensors"


def test_a_range_is_a_sheet_with_overdrive_at_its_ends(
    ends: tuple[Path, Path], run: Run, tmp_path: Path
) -> None:
    status, _, err = run(
        *("render", "dial", "--from", ends[0], "--to", ends[1], "--amount", "-0.5..1.5", "--steps", 5),
        *("--seeds", "3,4", "--device", "cpu", "-o", tmp_path / "dial.png"),
    )
    assert status == 0, err
    sheet = pixels(tmp_path / "dial.png")
    assert sheet.shape == (HEAD + 2 * SIDE, 5 * SIDE, 3)
    for column, share in enumerate((-0.5, 0, 0.5, 1, 1.5)):
        for row, seed in enumerate((3, 4)):
            top, left = HEAD + row * SIDE, column * SIDE
            assert np.abs(sheet[top : top + SIDE, left : left + SIDE] - drawn_at(share, seed)).max() <= 1


def test_one_amount_is_a_grid_and_a_swap_takes_layers(
    ends: tuple[Path, Path], run: Run, tmp_path: Path
) -> None:
    status, _, err = run(
        *("render", "dial", "--from", ends[0], "--to", ends[1], "--amount", 1, "--swap", 8),
        *("--seeds", "3", "--device", "cpu", "-o", tmp_path / "swap.png"),
    )
    assert status == 0, err
    G, bent = tiny_generator(seed=0), tiny_generator(seed=1)
    for name in ("b8", "b16"):
        getattr(G.synthesis, name).load_state_dict(getattr(bent.synthesis, name).state_dict())
    assert np.abs(pixels(tmp_path / "swap.png") - next(render.images(G, [3]))).max() <= 1


def test_a_film_turns_the_dial_while_truncation_moves(
    ends: tuple[Path, Path], run: Run, tmp_path: Path
) -> None:
    status, _, err = run(
        *(
            "render",
            "dial",
            "--from",
            ends[0],
            "--to",
            ends[1],
            "--amount",
            "0s:0,1s:1",
            "--trunc",
            "0s:1,1s:0",
        ),
        *("--seeds", "3", "--device", "cpu", "--seconds", 1.5, "--fps", 2, "-o", tmp_path / "film"),
    )
    assert status == 0, err
    for index, (share, psi) in enumerate(((0, 1), (0.5, 0.5), (1, 0))):
        G = between(tiny_generator(seed=0), tiny_generator(seed=1), share)
        (wanted,) = render.images(G, [3], truncation_psi=psi)
        assert np.abs(pixels(tmp_path / "film" / f"frame{index:06d}.png") - wanted).max() <= 1
    status, _, err = run(
        *("render", "dial", "--from", ends[0], "--to", ends[1], "--amount", "0..1", "--loop"),
        *("--seeds", "3", "--device", "cpu", "--seconds", 2, "--fps", 2, "-o", tmp_path / "loop"),
    )
    assert status == 0, err
    for index, share in enumerate((0, 0.5, 1, 0.5)):
        assert np.abs(pixels(tmp_path / "loop" / f"frame{index:06d}.png") - drawn_at(share, 3)).max() <= 1


def test_the_bent_network_goes_on_training_under_the_dial(
    ends: tuple[Path, Path], run: Run, tmp_path: Path
) -> None:
    for kimg in (0, 1):
        save_snapshot(tmp_path / "run", kimg, tiny_generator(seed=kimg))
    words = ("--from", ends[0], "--to", tmp_path / "run", "--kimg", "0s:1,1s:0", "--seeds", "3")
    for output, timing in (("film", ("--seconds", 2, "--fps", 1)), ("sheet.png", ())):
        status, _, err = run(
            "render", "dial", *words, "--amount", "0.5", *timing, "--device", "cpu", "-o", tmp_path / output
        )
        assert status == 0, err
    for name, share in (("film/frame000000.png", 0.5), ("film/frame000001.png", 0), ("sheet.png", 0.5)):
        assert np.abs(pixels(tmp_path / name) - drawn_at(share, 3)).max() <= 1, name


def test_only_a_range_goes_there_and_back(ends: tuple[Path, Path], run: Run, tmp_path: Path) -> None:
    words = ("--from", ends[0], "--to", ends[1], "--amount", "0s:0,1s:1", "--loop")
    status, _, err = run("render", "dial", *words, "-o", tmp_path / "no.mp4")
    assert (status, "--loop: --amount 0s:0,1s:1 is not a range; leave it out" in err) == (1, True)


def test_latents_of_a_file_are_all_turned(ends: tuple[Path, Path], run: Run, tmp_path: Path) -> None:
    write_latents(tmp_path / "two.npz", w=np.random.RandomState(0).randn(2, 32))
    words = ("--from", ends[0], "--to", ends[1], "--steps", "2", "--latents", tmp_path / "two.npz")
    status, _, err = run("render", "dial", *words, "-o", tmp_path / "dial.png")
    assert status == 0, err
    assert pixels(tmp_path / "dial.png").shape == (HEAD + 2 * SIDE, 2 * SIDE, 3)


def test_a_walk_while_the_dial_turns(ends: tuple[Path, Path], run: Run, tmp_path: Path) -> None:
    status, _, err = run(
        *("render", "latent-walk", "--network", ends[1], "--dial-from", ends[0], "--dial", "0s:0,1s:1"),
        *("--path", "linear", "--space", "w", "--seeds", "1,2", "--seconds", 1.5, "--fps", 2),
        *("--device", "cpu", "-o", tmp_path / "walk"),
    )
    assert status == 0, err
    last = next(render.images(tiny_generator(seed=1), [2])).astype(int)
    assert np.abs(pixels(tmp_path / "walk" / "frame000002.png") - last).max() <= 1
    first = pixels(tmp_path / "walk" / "frame000000.png")
    assert np.abs(first - next(render.images(tiny_generator(seed=1), [1])).astype(int)).max() > 10


def test_a_mix_becomes_a_network(ends: tuple[Path, Path], run: Run, tmp_path: Path) -> None:
    status, out, err = run(
        *("models", "mix", "--from", ends[0], "--to", ends[1], "--amount", 0.25),
        *("-o", tmp_path / "mixed.safetensors", "--json"),
    )
    assert status == 0, err
    assert json.loads(out)["licence"] == "L0; L1"
    mixed = load_network(tmp_path / "mixed.safetensors")
    for kind, first in (("ema", 0), ("raw", 10)):
        wanted = between(tiny_generator(seed=first), tiny_generator(seed=first + 1), 0.25).state_dict()
        for key, value in mixed.generator(kind).state_dict().items():
            assert torch.allclose(value, wanted[key], atol=1e-6), key
    assert mixed.D is not None
    assert mixed.meta.augment_p == 0.2
    status, _, err = run(
        "models", "mix", "--from", ends[0], "--to", ends[1], "-o", tmp_path / "mixed.safetensors"
    )
    assert status == 1
    assert "--force" in err


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        (["--amount", "b64=1"], 1, "b64 is not a layer of this network"),
        (["--amount", "1", "--swap", "12"], 2, "--swap 12"),
        (["--amount", "b4=1", "--swap", "8"], 2, "choose one"),
        (["--amount", "0s:0,1s:1"], 1, "varies over time"),
        (["--mix", "0.5,0.5"], 2, "--mix names 2 shares for 1 networks"),
        (["--steps", "1"], 2, "--steps 1"),
        (["--loop"], 2, "--loop: is for films; leave it out, or write an .mp4"),
        (["--seconds", "3"], 2, "--seconds: is for films"),
        (["--grid", "9x9"], 2, "--grid: is for films"),
        (["--amount", "far"], 2, "--amount far: 'far' is not a number"),
        (["--amount", "nan"], 2, "--amount nan: 'nan' is not finite"),
        (["--amount", "0..far"], 2, "--amount 0..far: 'far' is not a number"),
    ],
)
def test_refusals_are_one_line(
    ends: tuple[Path, Path], run: Run, tmp_path: Path, options: list[str], status: int, says: str
) -> None:
    got, _, err = run(
        "render",
        "dial",
        "--from",
        ends[0],
        "--to",
        ends[1],
        *options,
        "-o",
        tmp_path / "no.png",
        "--device",
        "cpu",
    )
    assert (got, err.count("\n")) == (status, 1), err
    assert says in err
    assert not (tmp_path / "no.png").exists()


@pytest.mark.parametrize(
    ("amount", "fault"),
    [
        ("0..1", "'0..1' is not a number"),
        ("0s:0,1s:1", "is not a fixed mix"),
        ("b4=far", "'far' is not a number"),
    ],
)
def test_a_mix_stands_still(
    ends: tuple[Path, Path], run: Run, tmp_path: Path, amount: str, fault: str
) -> None:
    typed = ("models", "mix", "--from", ends[0], "--to", ends[1], "--amount", amount)
    status, _, err = run(*typed, "-o", tmp_path / "no.safetensors")
    assert status == 2
    assert err == f"Error: --amount {amount}: {fault}; write a number, or b4=0,b64=1\n"


def test_other_architectures_are_refused_by_what_differs(
    ends: tuple[Path, Path], run: Run, tmp_path: Path
) -> None:
    large = save_tiny(tmp_path / "large.safetensors", resolution=32)
    for command, output in ((("render", "dial"), "no.png"), (("models", "mix"), "no.safetensors")):
        status, _, err = run(*command, "--from", ends[0], "--to", large, "-o", tmp_path / output)
        assert status == 1
        assert "img_resolution is" in err
        assert not (tmp_path / output).exists()


def test_a_dial_without_networks_is_a_usage_error(run: Run, tmp_path: Path) -> None:
    assert run("render", "dial", "-o", tmp_path / "no.png")[0] == 2
    with pytest.raises(SettingsError, match="--mix"):
        DialConfig(base="a", others=("b",), shares=(1.0,))
