"""The upsampling filter as the native layers take it: four taps along each axis, which a 2-D filter is split into.

It is read anew at each call, so that an edit takes effect; on CUDA, where reading it waits for the device, only after
torch has counted a change.
"""

from functools import lru_cache

import torch
from torch import Tensor, nn

__all__ = ["taps_of", "taps_read"]


def taps_of(resample_filter: Tensor, device: torch.device) -> Tensor | None:
    """An upsampling filter as taps along y and along x, `[2, 4]`; None if it is no such product or not on `device`."""
    if tuple(resample_filter.shape) != (4, 4) or resample_filter.device != device:
        return None
    if resample_filter.device.type == "cpu":
        return _separated(tuple(resample_filter.flatten().tolist()))
    return _kept_taps(resample_filter, 0 if resample_filter.is_inference() else resample_filter._version)


def taps_read(network: nn.Module) -> list[Tensor]:
    """The taps that a network's fast layers read on CUDA, which must be kept as long as a recording of them."""
    filters = [buffer for name, buffer in network.named_buffers() if name.endswith("resample_filter")]
    taps = [taps_of(f, f.device) for f in filters if f.device.type == "cuda"]
    return [own for own in taps if own is not None]


@lru_cache(maxsize=64)
def _kept_taps(resample_filter: Tensor, version: int) -> Tensor | None:
    """Taps of a filter on an accelerator, cached by tensor and version, since reading it waits for the device."""
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
