"""`bend finetune --base` takes a network of every format, with its discriminator or without."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from stylegan.checkpoint import load_network
from tests.bend.conftest import Run
from tests.stylegan.checkpoint.legacy.writers import (
    discriminator,
    generator,
    training_extras,
    write_official,
    write_rosinality,
    write_tensorflow,
)
from tests.stylegan.training.tiny import write_zip

pytestmark = pytest.mark.usefixtures("few_fakes")

BASES: dict[str, tuple[str, bool, Callable[[Path], Path]]] = {
    "official": (
        "a.pkl",
        True,
        lambda path: write_official(
            path, {"G": generator(0), "D": discriminator(), "G_ema": generator(2)}, p=0.1
        ),
    ),
    "official-frozen": (
        "b.pkl",
        True,
        lambda path: write_official(
            path, {"D": discriminator(block_kwargs={"freeze_layers": 4}), "G_ema": generator(2)}
        ),
    ),
    "official-average": ("c.pkl", False, lambda path: write_official(path, {"G_ema": generator(2)})),
    "tensorflow": (
        "d.pkl",
        True,
        lambda path: write_tensorflow(path, (generator(0), discriminator(), generator(2))),
    ),
    "tensorflow-average": ("e.pkl", False, lambda path: write_tensorflow(path, (generator(2),))),
    "rosinality": (
        "f.pt",
        True,
        lambda path: write_rosinality(path, {"g_ema": generator(2), "d": discriminator()}),
    ),
    "rosinality-training": (
        "g.pt",
        True,
        lambda path: write_rosinality(
            path,
            {"g": generator(0), "g_ema": generator(2), "d": discriminator()},
            is_legacy=True,
            **training_extras(),
        ),
    ),
    "rosinality-average": ("h.pt", False, lambda path: write_rosinality(path, {"g_ema": generator(2)})),
}


def finetune(run: Run, folder: Path, base: Path, data: Path, *extra: Any) -> tuple[int, str, Path]:
    status, _, err = run(
        *("finetune", "--data", data, "--base", base, "--kimg", 0.004, "--batch", 4, "--micro-batch", 4),
        *("--device", "cpu", "--no-score", "-o", folder / "runs", *extra),
    )
    return status, err, folder / "runs" / f"00000-rocks-{base.stem}"


QUICK = ("official", "rosinality")  # tensorflow's is conditional; the others are among the slow tests


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] * (kind not in QUICK)) for kind in BASES]
)
def test_trains_from_every_format(kind: str, tmp_path: Path, run: Run) -> None:
    name, has_discriminator, write = BASES[kind]
    status, err, folder = finetune(run, tmp_path, write(tmp_path / name), write_zip(tmp_path / "rocks.zip"))
    assert status == 0, err
    assert ("the base has no discriminator" in err) is not has_discriminator
    start, end = load_network(f"{folder}@0"), load_network(folder)
    assert start.G_ema is not None
    expected = generator(2)
    weight = start.G_ema.synthesis.b8.conv0.weight
    assert torch.equal(weight, expected.synthesis.b8.conv0.weight)
    assert start.D is not None
    assert torch.equal(start.D.b4.out.weight, discriminator().b4.out.weight) is has_discriminator
    assert end.D is not None
    assert not torch.equal(end.D.b16.conv0.weight, start.D.b16.conv0.weight)


def test_trains_a_conditional_network_of_tensorflow(tmp_path: Path, run: Run) -> None:
    layers = {"num_layers": 2, "lr_multiplier": 0.01}
    networks = (generator(c_dim=3), discriminator(c_dim=3, mapping_kwargs=layers), generator(2, c_dim=3))
    base = write_tensorflow(tmp_path / "base.pkl", networks)
    data = write_zip(tmp_path / "rocks.zip", classes=3)
    status, err, folder = finetune(run, tmp_path, base, data, "--aug", "noaug")
    assert status == 0, err
    assert load_network(folder).generator().c_dim == 3
