"""Random gains in four frequency bands (arXiv 2006.06676, appendix B.2).

The bands are octaves, cut by the orthogonal wavelet sym2: its low-pass and high-pass, each multiplied by its
own mirror image so that phases stay, share the spectrum exactly, and the low half is cut again at twice the
tap spacing. A weighted sum of the bands is one symmetric filter an image, run along both axes. As that is
linear, it is done as a product with one matrix a band, which holds the reflection at the border too.
"""

import numpy as np
import torch
from torch import Tensor

from stylegan.augment.draws import Draws
from stylegan.augment.settings import AugmentSettings
from stylegan.augment.wavelets import SYM2

__all__ = ["band_filters", "draw_gains", "filter_bands"]

# Expected share of an image's power in each band, low to high: natural spectra fall as 1/f.
_POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)
_NUM_BANDS = len(_POWER)
_ROUNDING = 1e-9  # a gain this close to 1 counts as 1


def draw_gains(settings: AugmentSettings, draws: Draws, p: float) -> Tensor:
    """Draw each band's gain, such that the expected power of the whole stays the same.

    Args:
        settings: multipliers of the bands, and how strong.
        draws: the batch's random numbers.
        p: overall probability.

    Returns:
        `[N, 4]` float64 on the CPU, low band to high; ones where nothing happens.
    """
    power = torch.tensor(_POWER, dtype=torch.float64)
    gains = torch.ones([draws.count, _NUM_BANDS], dtype=torch.float64)
    for band, multiplier in enumerate(settings.imgfilter_bands):
        if multiplier == 0:
            continue
        happens = draws.happens(settings.imgfilter * multiplier * p)
        log_gain = draws.normal() * settings.imgfilter_std * happens
        change = torch.ones_like(gains)
        change[:, band] = torch.exp2(log_gain)
        gains = gains * change / (change.square() @ power).sqrt()[:, None]
    return gains


def filter_bands(images: Tensor, gains: Tensor) -> Tensor:
    """Filter each image with its own gains; images whose gains are all one stay as they are.

    Args:
        images: `[N, C, H, W]`.
        gains: `[N, 4]` float64 on the CPU, low band to high.

    Returns:
        Shape and dtype of `images`.
    """
    changed = ((gains - 1).abs() > _ROUNDING).any(dim=1).nonzero().squeeze(1)
    if len(changed) == 0:
        return images
    index = changed.to(images.device)
    some = images.index_select(0, index)
    weights = gains[changed].to(images.dtype).to(images.device)  # in this order: some devices know no float64
    rows, columns = (_combine(weights, _band_matrices(some, size)) for size in images.shape[2:])
    return images.index_copy(0, index, rows @ (some @ columns.mT))


def band_filters() -> Tensor:
    """The bands' symmetric FIR filters, `[4, 43]` float64, low to high; they sum to the unit impulse."""
    low = np.array(SYM2)
    high = low[::-1] * [1, -1, 1, -1]
    low_pass, high_pass = (np.convolve(f, f[::-1]) / 2 for f in (low, high))
    bands = []
    octave = np.ones(1)
    for level in range(_NUM_BANDS - 1):
        bands.append(np.convolve(octave, _spread(high_pass, 2**level)))
        octave = np.convolve(octave, _spread(low_pass, 2**level))
    bands.append(octave)
    widest = len(octave)
    return torch.from_numpy(np.stack([np.pad(band, (widest - len(band)) // 2) for band in reversed(bands)]))


def _combine(weights: Tensor, matrices: Tensor) -> Tensor:
    """Weighted sums `[N, 1, size, size]` of the bands' matrices."""
    size = matrices.shape[1]
    return (weights @ matrices.flatten(1)).reshape(-1, 1, size, size)


def _band_matrices(like: Tensor, size: int) -> Tensor:
    """The bands' filters along one axis of `size` pixels, reflection included, as matrices `[4, size, size]`."""
    filters = band_filters().to(like.dtype).to(like.device)
    radius = filters.shape[1] // 2
    # Tap t of pixel i reads pixel i + t - radius, folded back into the image as often as it takes.
    source = torch.arange(size)[:, None] + torch.arange(-radius, radius + 1)
    period = max(2 * (size - 1), 1)
    source = source.remainder(period)
    source = torch.minimum(source, period - source).to(like.device)  # [size, taps]
    matrices = like.new_zeros([_NUM_BANDS, size, size])
    return matrices.scatter_add(2, source.expand(_NUM_BANDS, -1, -1), filters[:, None].expand(-1, size, -1))


def _spread(f: np.ndarray, spacing: int) -> np.ndarray:
    """`f` with its taps `spacing` apart."""
    result = np.zeros((len(f) - 1) * spacing + 1)
    result[::spacing] = f
    return result
