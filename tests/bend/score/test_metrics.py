"""FID, KID and LPIPS through their protocols, with stand-ins for the networks."""

import importlib.machinery
import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bend.score.measures import kernel_distance
from bend.score.metrics import Fid, Kid, Lpips, found_metrics, frechet_distance


def embed(images: Tensor) -> Tensor:
    """Mean and spread of each channel."""
    return torch.cat([images.mean(dim=[2, 3]), images.std(dim=[2, 3])], dim=1)


def pictures(num: int, seed: int) -> Tensor:
    return torch.rand([num, 3, 8, 8], generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_frechet_distance_is_the_formula() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn([50, 4], generator=generator, dtype=torch.float64)
    y = torch.randn([60, 4], generator=generator, dtype=torch.float64) @ torch.randn(4, 4).double() + 1
    a, b = torch.cov(x.T), torch.cov(y.T)
    values = torch.linalg.eigvals(a @ b)
    wanted = (x.mean(0) - y.mean(0)).square().sum() + a.trace() + b.trace() - 2 * values.sqrt().sum().real
    assert frechet_distance(x, y) == pytest.approx(float(wanted))
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)


def test_metrics_are_a_name_and_a_number() -> None:
    data, base, images = pictures(20, 0), pictures(16, 1), pictures(16, 2)
    kid = Kid(embed=embed, data=embed(data))
    assert kid.name == "kid_x1000"
    wanted = kernel_distance(embed(images).double(), embed(data).double()).value
    assert kid(images) == pytest.approx(1000 * wanted)
    assert Fid(embed=embed, data=embed(data))(data) == pytest.approx(0, abs=1e-6)
    lpips = Lpips(distance=lambda a, b: (a - b).abs().mean(dim=[1, 2, 3]), base=base)
    assert lpips(base) == 0
    assert lpips(images) == pytest.approx(float((images - base).abs().mean()), rel=1e-5)


def test_without_networks_there_are_no_metrics(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert (
        found_metrics(lambda: pytest.fail("drawn for nobody"), lambda: pytest.fail("read for nobody")) == []
    )


def test_networks_that_are_there_bring_all_three(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Inception(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc: torch.nn.Module = torch.nn.Linear(3, 10)

        def forward(self, images: Tensor) -> Tensor:
            assert images.shape[1:] == (3, 299, 299)
            assert float(images.abs().max()) <= 1
            return self.fc(images.mean(dim=[2, 3]))

    class Distance(torch.nn.Module):
        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            return (a - b).abs().mean(dim=[1, 2, 3], keepdim=True)

    torchvision, models, lpips = (
        importlib.util.module_from_spec(importlib.machinery.ModuleSpec(name, None))
        for name in ("torchvision", "torchvision.models", "lpips")
    )
    models.inception_v3 = lambda weights, init_weights: Inception()
    lpips.LPIPS = lambda net, verbose: Distance()
    for module in (torchvision, models, lpips):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    torch.save(Inception().state_dict(), cache / "inception_v3_google-0.pth")
    torch.save({}, cache / "alexnet-0.pth")

    data, base = pictures(20, 0), pictures(16, 1)
    metrics = found_metrics(lambda: [base], lambda: data.split(8))
    assert [metric.name for metric in metrics] == ["kid_x1000", "fid", "lpips"]
    assert metrics[1](data) == pytest.approx(0, abs=1e-6)
    assert metrics[1](data / 4 + 0.7) > 1
    assert metrics[2](base) == 0
