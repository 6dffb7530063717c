"""One synthesis layer without intermediate tensors: the fast twin of `modulated_conv2d` and `bias_act` in a row.

On a CPU in float32 the whole layer is one native operation. In half precision, and on CUDA in any, the convolution is
torch's, which has the processor's matrix units (AMX) or cuDNN, on activations scaled by their styles; what follows it
is one pass, and on CUDA so is each of the things that precede it. There nothing waits for the device, but for reading a
filter the first time it is met.
On a CPU the first call has the C library keep freed memory (`stylegan.allocator`), as feature maps come and go at every
layer.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan.allocator import keep_freed_memory
from stylegan.inference import kernels
from stylegan.inference.serving import may_serve
from stylegan.ops.modulated_conv import bounded, demodulation_of

__all__ = ["synthesis_layer", "taps_read"]

_SLOPES = {"linear": 1.0, "relu": 0.0, "lrelu": 0.2}


def synthesis_layer(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    noise: Tensor | None,
    bias: Tensor,
    *,
    up: int,
    resample_filter: Tensor,
    activation: str,
    gain: float,
    clamp: float | None,
    on_matrix_unit: bool = True,
) -> Tensor | None:
    """Compute a synthesis layer, or say that the plain one must.

    Args:
        x: `[N, I, H, W]`.
        weight: `[O, I, 3, 3]`.
        styles: `[N, I]`.
        noise: times its strength, `[H*up, W*up]` or `[N, 1, H*up, W*up]`; None for none.
        bias: `[O]`.
        up: 1 or 2.
        resample_filter: `[4, 4]`, see `stylegan.ops.setup_filter`.
        activation: a name in `stylegan.ops.bias_act.ACTIVATIONS`.
        gain: after the activation.
        clamp: symmetric bound, None for none.
        on_matrix_unit: see `stylegan.inference.kernels.styled_conv`.

    Returns:
        `[N, O, H*up, W*up]` in `x`'s dtype, channels last (on CUDA in `x`'s layout); None where this path does not
        serve.
    """
    if not may_serve(x, weight, styles, bias) or not _fits(x, weight, styles, up, activation, gain):
        return None
    taps = None if up == 1 else _taps(resample_filter, x.device)
    if not _fits_noise(noise, x, up) or (up == 2 and taps is None):
        return None
    if noise is not None:
        noise = noise.reshape(-1, 1, *noise.shape[-2:]).contiguous()
    if x.device.type == "cpu":
        keep_freed_memory()
    settings = (noise, bias.contiguous(), taps, _SLOPES[activation], gain, -1.0 if clamp is None else clamp)
    if kernels.takes_whole_layer(x):
        return kernels.styled_conv(x, weight.contiguous(), styles.contiguous(), *settings, on_matrix_unit)
    y, demodulation = _scaled_conv(x, weight, styles, up)
    return kernels.finish_layer(y, demodulation, *settings)


def taps_read(network: nn.Module) -> list[Tensor]:
    """The filters' taps that the fast layers of a network on CUDA read; whoever records their launches keeps them."""
    filters = [buffer for name, buffer in network.named_buffers() if name.endswith("resample_filter")]
    taps = [_taps(f, f.device) for f in filters if f.device.type == "cuda"]
    return [own for own in taps if own is not None]


def _fits(x: Tensor, weight: Tensor, styles: Tensor, up: int, activation: str, gain: float) -> bool:
    return (
        x.dtype in (torch.float32, torch.float16, torch.bfloat16)
        and up in (1, 2)
        and tuple(weight.shape[2:]) == (3, 3)
        and tuple(styles.shape) == tuple(x.shape[:2])
        and activation in _SLOPES
        and gain > 0
        and kernels.serves(x, weight.shape[0])
    )


def _fits_noise(noise: Tensor | None, x: Tensor, up: int) -> bool:
    return noise is None or (
        noise.device == x.device
        and noise.dtype == torch.float32
        and tuple(noise.shape[-2:]) == (x.shape[2] * up, x.shape[3] * up)
        and noise.shape[:-2].numel() in (1, x.shape[0])
    )


def _scaled_conv(x: Tensor, weight: Tensor, styles: Tensor, up: int) -> tuple[Tensor, Tensor]:
    """The shared convolution of scaled activations, in `x`'s layout, and float32 demodulation factors `[N, O]`."""
    is_last = x.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if is_last else torch.contiguous_format
    is_bounded = x.dtype == torch.float16  # keep products in range, as `modulated_conv2d` does
    if kernels.modulates(x):
        x, weight, demodulation = _modulated(x, weight.contiguous(), styles.contiguous(), up, is_bounded)
    else:
        if is_bounded:
            weight, styles = bounded(weight, styles)
        demodulation = demodulation_of(weight, styles)
        x = x * styles.to(x.dtype)[:, :, None, None]
        weight = (weight if up == 1 else weight.transpose(0, 1)).to(x.dtype)
    if up == 1:
        x = F.conv2d(x, weight.contiguous(memory_format=layout), padding=1)
    else:
        x = F.conv_transpose2d(x, weight, stride=2)
    return x.contiguous(memory_format=layout), demodulation


def _modulated(
    x: Tensor, weight: Tensor, styles: Tensor, up: int, is_bounded: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """The convolution's input, its weights, and demodulation; a single sample's styles go to the weights."""
    demodulation, scales, gains = kernels.demodulate(weight, styles, is_bounded)
    own = scales[0] if len(x) == 1 else None
    if own is None:
        x = kernels.scale_channels(x, scales)
    if x.is_contiguous(memory_format=torch.channels_last):
        return x, kernels.lay_out(x, weight, gains, own, up == 2), demodulation
    if is_bounded:
        weight = weight * gains[:, None, None, None]
    if own is not None:
        weight = weight * own[:, None, None]
    return x, (weight if up == 1 else weight.transpose(0, 1)).to(x.dtype), demodulation


def _taps(resample_filter: Tensor, device: torch.device) -> Tensor | None:
    """The filter as taps along y and along x, `[2, 4]`; None if it is no product of two, or elsewhere."""
    if tuple(resample_filter.shape) != (4, 4) or resample_filter.device != device:
        return None
    if resample_filter.device.type == "cpu":
        return _separated(tuple(resample_filter.flatten().tolist()))
    return _kept_taps(resample_filter, 0 if resample_filter.is_inference() else resample_filter._version)


@lru_cache(maxsize=64)
def _kept_taps(resample_filter: Tensor, version: int) -> Tensor | None:
    """Of a filter on an accelerator, which to read is to wait for it; kept by the tensor itself and its version."""
    taps = _separated(tuple(resample_filter.flatten().tolist()))
    return None if taps is None else taps.to(resample_filter.device)


@lru_cache(maxsize=16)
def _separated(values: tuple[float, ...]) -> Tensor | None:
    filter_2d = torch.tensor(values, dtype=torch.float64).reshape(4, 4)
    total = filter_2d.sum()
    if total == 0:
        return None
    along_y, along_x = filter_2d.sum(1), filter_2d.sum(0) / total
    if not torch.allclose(torch.outer(along_y, along_x), filter_2d, rtol=0, atol=1e-6):
        return None
    # The FIR is a true convolution and the kernel correlates; upsampling doubles each axis's gain.
    return 2 * torch.stack([along_y.flip(0), along_x.flip(0)]).float()
