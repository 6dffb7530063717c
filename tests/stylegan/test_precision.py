"""Half precision: which blocks run in it, and that they come close to full precision."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stylegan import Discriminator, Generator
from stylegan.precision import block_dtype, block_format, set_half_dtype

HALVES = [torch.float16, torch.bfloat16]
CHANNELS: dict[str, Any] = {"channel_base": 256, "channel_max": 16, "num_fp16_res": 2, "conv_clamp": 256}


def generator(**options: Any) -> Generator:
    torch.manual_seed(0)
    return Generator(
        8, 0, 8, 32, 3, mapping_kwargs={"num_layers": 2}, synthesis_kwargs={**CHANNELS, **options}
    )


def discriminator(**options: Any) -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(0, 32, 3, **{**CHANNELS, **options})


def dtypes_seen(network: nn.Module, *inputs: Tensor, **options: Any) -> dict[str, torch.dtype]:
    """The dtype that leaves the last convolution of each block."""
    seen = {}

    def note(name: str) -> Any:
        return lambda module, args, output: seen.update({name: output.dtype})

    handles = [
        module.register_forward_hook(note(name.split(".")[-2]))
        for name, module in network.named_modules()
        if name.endswith(".conv1")
    ]
    with torch.no_grad():
        network(*inputs, **options)
    for handle in handles:
        handle.remove()
    return seen


def test_the_highest_resolutions_run_in_half_precision() -> None:
    G, D = generator(), discriminator()
    for network in (G, D):
        set_half_dtype(network, torch.float16)
    half, full = torch.float16, torch.float32
    assert dtypes_seen(G, torch.randn(1, 8)) == {"b4": full, "b8": full, "b16": half, "b32": half}
    assert dtypes_seen(D, torch.randn(1, 3, 32, 32)) == {"b32": half, "b16": half, "b8": full}


@pytest.mark.parametrize(("num_fp16_res", "first"), [(0, None), (1, 32), (3, 8), (4, 8), (9, 8)])
def test_never_the_lowest_resolution(num_fp16_res: int, first: int | None) -> None:
    G, D = generator(num_fp16_res=num_fp16_res), discriminator(num_fp16_res=num_fp16_res)
    for block in (*G.synthesis.blocks(), *D.blocks()):
        assert block.use_fp16 == (first is not None and block.resolution >= first)


def test_force_fp32_and_the_default_on_a_cpu_are_full_precision() -> None:
    G, z = generator(), torch.randn(1, 8)
    assert set(dtypes_seen(G, z).values()) == {torch.float32}
    set_half_dtype(G, torch.float16)
    assert set(dtypes_seen(G, z, force_fp32=True).values()) == {torch.float32}
    set_half_dtype(G, None)
    assert set(dtypes_seen(G, z).values()) == {torch.float32}


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("architecture", ["skip", "orig", "resnet"])
def test_generator_comes_close(architecture: str, dtype: torch.dtype) -> None:
    G, z = generator(architecture=architecture).eval(), torch.randn(2, 8)
    with torch.no_grad():
        expected = G(z, noise_mode="const")
        set_half_dtype(G, dtype)
        actual = G(z, noise_mode="const")
    assert actual.dtype == torch.float32
    assert not torch.equal(actual, expected)
    error = (actual - expected).abs().max() / expected.abs().max()
    assert error < 16 * torch.finfo(dtype).eps


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("architecture", ["skip", "orig", "resnet"])
def test_discriminator_comes_close(architecture: str, dtype: torch.dtype) -> None:
    D, x = discriminator(architecture=architecture), torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        expected = D(x)
        set_half_dtype(D, dtype)
        actual = D(x)
    assert actual.dtype == torch.float32
    torch.testing.assert_close(actual, expected, atol=16 * torch.finfo(dtype).eps, rtol=0)


@pytest.mark.parametrize("dtype", HALVES)
def test_gradients_reach_full_precision_weights(dtype: torch.dtype) -> None:
    G, D, z = generator(), discriminator(), torch.randn(4, 8)
    gradients = []
    for half in (None, dtype):
        for network in (G, D):
            set_half_dtype(network, half)
            network.zero_grad()
        D(G(z, noise_mode="none")).sum().backward()
        weight = G.synthesis.b32.conv1.weight
        assert weight.grad is not None
        assert weight.grad.dtype == torch.float32
        gradients.append(weight.grad)
    error = (gradients[1] - gradients[0]).norm() / gradients[0].norm()
    assert error < 64 * torch.finfo(dtype).eps


def test_block_dtype_table() -> None:
    x = torch.zeros(1)
    assert block_dtype(x, False, torch.float16) == torch.float32
    assert block_dtype(x, True, torch.bfloat16) == torch.bfloat16
    assert block_dtype(x, True, None) == torch.float32
    assert block_dtype(x.double(), True, None) == torch.float64
    assert block_dtype(torch.zeros(1, device="meta"), True, None) == torch.float16


def test_block_format_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    assert block_format(torch.zeros(1)) == torch.channels_last
    assert block_format(torch.zeros(1, device="meta")) == torch.contiguous_format
    cuda = type("Cuda", (), {"device": torch.device("cuda"), "dtype": torch.float32})()
    assert block_format(cuda) == torch.contiguous_format
    assert block_format(cuda, torch.float16) == torch.channels_last
    cuda.dtype = torch.bfloat16
    assert block_format(cuda) == torch.channels_last
    assert block_format(cuda, torch.float32) == torch.contiguous_format
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    assert block_format(cuda, torch.float32) == torch.channels_last
