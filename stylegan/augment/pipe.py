"""The augmentation pipe: what stands between an image and the discriminator (arXiv 2006.06676, appendix B).

Each stage draws its numbers for the whole batch and applies them at once; stages that are off draw nothing.
The order is geometry, colour, filtering, noise, cutout. All is differentiable twice with respect to the
images. Moving `p` is left to `AdaController`.
"""

from typing import Any

import torch
from torch import Tensor, nn

from stylegan.augment.colour import apply_colour, draw_colour
from stylegan.augment.corruption import add_noise, cut_out
from stylegan.augment.draws import Draws
from stylegan.augment.filters import draw_gains, filter_bands
from stylegan.augment.geometry import draw_inverse
from stylegan.augment.resample import warp
from stylegan.augment.settings import AugmentSettings
from stylegan.draws import NormalSource
from stylegan.ops.autocast import without_autocast

__all__ = ["AugmentPipe"]


class AugmentPipe(nn.Module):
    """Random augmentations, each with probability `p` times its own multiplier.

    Args:
        **settings: fields of `AugmentSettings`, such as `AugmentPipe(xflip=1, rotate=1)`, or a named set,
            `AugmentPipe(**AUGMENT_PIPES["bgc"])`.

    Attributes:
        settings: what is on and how strong.
        p: overall probability, a float32 scalar buffer that starts at 1.

    Raises:
        ConfigError: a negative or non-finite setting.
    """

    p: Tensor

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.settings = AugmentSettings(**settings)
        self.register_buffer("p", torch.ones([]))
        self._known_p: tuple[Tensor, int, float] | None = None

    def forward(
        self,
        images: Tensor,
        debug_percentile: float | None = None,
        *,
        generator: NormalSource | None = None,
    ) -> Tensor:
        """Augment a batch.

        The same generator state gives the same result; how far it moves depends on the settings and the shape
        of `images` (and on whether `p` is 0), never on their values. A CPU generator serves every device, and
        saves a transfer on the way.

        Args:
            images: `[N, C, H, W]`, C 1 or 3, nominally in [-1, 1]. Half precision is computed in float32.
            debug_percentile: None to draw at random; a number inside (0, 1) applies every transform that is
                on, at that percentile of its strength, whatever `p`.
            generator: source of randomness, one for the batch or one a sample; None for torch's global one.

        Returns:
            Shape, dtype and device of `images`; at `p = 0` the images themselves, with nothing drawn.

        Raises:
            ConfigError: colour transforms for images of neither 1 nor 3 channels.
            ValueError: `images` is not a batch of floating-point images, or `debug_percentile` not inside (0,
                1).
        """
        if images.ndim != 4 or not images.is_floating_point():
            raise ValueError(
                f"images must be floating-point [N, C, H, W], not {images.dtype} {list(images.shape)}"
            )
        draws = Draws(len(images), percentile=debug_percentile, generator=generator)
        p = self._read_p()
        if p == 0 and debug_percentile is None:
            return images
        x = images if images.dtype == torch.float64 else images.float()
        with without_autocast(x.device.type):  # which would resample in half precision
            return self._augment(x, draws, p).to(images.dtype)

    def _read_p(self) -> float:
        """`p` as a number, read again only after it may have changed, since reading from a GPU waits for it."""
        if self.p.device.type == "cpu" or self.p.is_inference():
            return float(self.p)
        known = self._known_p
        if known is None or known[0] is not self.p or known[1] != self.p._version:
            self._known_p = known = self.p, self.p._version, float(self.p)
        return known[2]

    def extra_repr(self) -> str:
        return repr(self.settings)

    def _augment(self, x: Tensor, draws: Draws, p: float) -> Tensor:
        settings = self.settings
        if settings.moves_pixels:
            x = warp(x, draw_inverse(settings, draws, p, x.shape[2], x.shape[3]))
        if settings.changes_colour:
            x = apply_colour(x, draw_colour(settings, draws, p))
        if settings.imgfilter > 0:
            x = filter_bands(x, draw_gains(settings, draws, p))
        if settings.noise > 0:
            x = add_noise(x, settings, draws, p)
        if settings.cutout > 0:
            x = cut_out(x, settings, draws, p)
        return x
