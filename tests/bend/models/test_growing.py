"""`bend models grow`: a file that draws the old pictures enlarged, or one line that says why not."""

import json
from pathlib import Path

import torch

from stylegan import load_network
from stylegan.ops import setup_filter, upsample2d
from tests.bend.conftest import Run


def test_it_draws_the_old_faces_enlarged(run: Run, tmp_path: Path) -> None:
    output = tmp_path / "start.safetensors"
    words = ["models", "grow", "faces64", "--resolution", 128, "-o", output]
    status, out, _ = run(*words, "--json")
    assert status == 0
    assert json.loads(out)["networks"] == ["G", "D", "G_ema"]
    small, grown = load_network("faces64"), load_network(output)
    assert grown.meta.base == "faces64"
    z = torch.randn(2, 512, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = upsample2d(small.generator()(z, noise_mode="const"), setup_filter([1, 3, 3, 1]))
        torch.testing.assert_close(grown.generator()(z, noise_mode="const"), expected, atol=1e-3, rtol=0)
    status, _, err = run(*words)
    assert status == 1
    assert "--force" in err


def test_refusals(run: Run, tmp_path: Path) -> None:
    for words, name, told in (
        ((96,), "a.safetensors", "grows to a greater power of two, not 96"),
        ((128,), "a.pkl", "written as .safetensors"),
        ((128, "--channel-base", 64), "a.safetensors", "is less than"),
        ((16384,), "a.safetensors", "8192 pixels at most"),
    ):
        status, out, err = run("models", "grow", "faces64", "--resolution", *words, "-o", tmp_path / name)
        assert (status, out) == (1, "")
        assert told in err
        assert err.count("\n") == 1
    for option in (("--seed", 2**70), ("--seed", -1), ("--channel-base", 10**9)):
        status, _, err = run(
            "models", "grow", "faces64", "--resolution", 128, *option, "-o", tmp_path / "a.safetensors"
        )
        assert (status, err.count("\n")) == (2, 1)
        assert "is not in the range" in err
    assert not list(tmp_path.iterdir())
