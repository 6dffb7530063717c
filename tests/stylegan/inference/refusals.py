"""A process that asks CUDA's kernels for what they must refuse: `test_cuda` runs it, with the library to load.

Each case is announced before it is tried, as one that is not refused can end the process.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from stylegan.inference import kernels
from stylegan.ops import native


def main() -> None:
    native.use("cuda", Path(sys.argv[1]))
    for name, case in cases():
        print(name, flush=True)
        try:
            case()
            torch.cuda.synchronize()
        except RuntimeError as error:
            print(" ", str(error).splitlines()[0], flush=True)
        else:
            sys.exit(f"{name}: not refused")
    print("all refused")


def cases() -> Iterator[tuple[str, Callable[[], Any]]]:
    x = torch.randn(2, 16, 8, 8, device="cuda")
    demodulation, bias = torch.rand(2, 16, device="cuda"), torch.rand(16, device="cuda")
    noise = torch.randn(1, 1, 8, 8, device="cuda")
    good = [x, demodulation, noise, bias, None]
    names = ("x", "demodulation", "noise", "bias", "taps")
    for place, what, bad in (
        (1, "for one sample", demodulation[:1]),
        (2, "too narrow", noise[..., 1:]),
        (2, "for three samples", noise.expand(3, -1, -1, -1).contiguous()),
        (3, "too short", bias[1:]),
        (0, "with gaps", x[:, :, ::2]),
        (0, "in float64", x.double()),
        (1, "elsewhere", demodulation.cpu()),
        (3, "elsewhere", bias.cpu()),
        (4, "elsewhere", torch.ones(2, 4)),
    ):
        given = [bad if i == place else good[i] for i in range(5)]
        yield (
            f"finish_layer: {names[place]} {what}",
            lambda given=given: kernels.finish_layer(*given, 0.2, 1.0, -1.0),
        )
    weight, gains = torch.randn(8, 16, 3, 3, device="cuda"), torch.ones(8, device="cuda")
    for what, given in (
        ("gains too short", (weight, gains[1:])),
        ("a kernel of two rows", (weight[:, :, :2], gains)),
        ("weights in float64", (weight.double(), gains)),
        ("weights elsewhere", (weight.cpu(), gains)),
        ("gains elsewhere", (weight, gains.cpu())),
    ):
        yield f"lay_out: {what}", lambda given=given: kernels.lay_out(x, *given, None, False)
    act, fir = torch.ops.bend.bias_act, torch.ops.bend.upfirdn2d
    yield "bias_act: bias elsewhere", lambda: act(x, bias.cpu(), 1, 2, 0.2, 1.0, -1.0)
    yield "bias_act: x elsewhere", lambda: act(x.cpu(), bias, 1, 2, 0.2, 1.0, -1.0)
    yield "upfirdn2d: filter elsewhere", lambda: fir(x, torch.ones(4, 4), *[1] * 4, *[0] * 4, False, 1.0)
    yield "demodulate: styles too short", lambda: kernels.demodulate(weight, gains.expand(2, -1), False)
    yield "scale_channels: scales of one sample", lambda: kernels.scale_channels(x, demodulation[:1])
    yield "to_rgb: weights elsewhere", lambda: kernels.to_rgb(x, torch.randn(2, 3, 16), bias[:3], -1.0)


if __name__ == "__main__":
    main()
