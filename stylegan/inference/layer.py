"""One synthesis layer without intermediate tensors: the fast path of `modulated_conv2d` followed by `bias_act`.

On a CPU in float32 the whole layer is one native operation. In half precision, and on CUDA in any, the convolution is
torch's, which uses the processor's matrix units (AMX) or cuDNN, on activations scaled by their styles; what follows it
is one pass over memory, and on CUDA so is each step before it. On CUDA nothing waits for the device, except that each
filter is read once. On a CPU the first call makes the C library keep freed memory (`stylegan.allocator`), since every
layer allocates and frees feature maps.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.allocator import keep_freed_memory
from stylegan.inference import kernels
from stylegan.inference.filters import taps_of
from stylegan.inference.serving import may_serve
from stylegan.ops.modulated_conv import bounded, demodulation_of

__all__ = ["synthesis_layer"]


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
    """Compute a synthesis layer, or return None where the plain one must.

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
        apply.
    """
    if not may_serve(x, weight, styles, bias) or not _fits(x, weight, styles, up, activation, gain):
        return None
    taps = None if up == 1 else taps_of(resample_filter, x.device)
    if not _fits_noise(noise, x, up) or (up == 2 and taps is None):
        return None
    if noise is not None:
        noise = noise.reshape(-1, 1, *noise.shape[-2:]).contiguous()
    if x.device.type == "cpu":
        keep_freed_memory()
    settings = (
        noise,
        bias.contiguous(),
        taps,
        kernels.SLOPES[activation],
        gain,
        -1.0 if clamp is None else clamp,
    )
    if kernels.takes_whole_layer(x):
        return kernels.styled_conv(x, weight.contiguous(), styles.contiguous(), *settings, on_matrix_unit)
    y, demodulation = _scaled_conv(x, weight, styles, up)
    return kernels.finish_layer(y, demodulation, *settings)


def _fits(x: Tensor, weight: Tensor, styles: Tensor, up: int, activation: str, gain: float) -> bool:
    return (
        x.dtype in (torch.float32, torch.float16, torch.bfloat16)
        and up in (1, 2)
        and tuple(weight.shape[2:]) == (3, 3)
        and tuple(styles.shape) == tuple(x.shape[:2])
        and activation in kernels.SLOPES
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
