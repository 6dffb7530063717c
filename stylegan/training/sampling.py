"""Generating images for the losses: all random numbers are drawn first, then comes a computation without any.

The computation is a module, of which only the arguments change from step to step, so that it can be recorded
(`stylegan.training.graphs`). Numbers are drawn in the order in which the networks would draw them.
"""

from torch import Tensor, nn

from stylegan.draws import GivenNormals, SampleDraws
from stylegan.generator import Generator
from stylegan.training.losses import draw_mixing, mix_styles, path_lengths

__all__ = ["PathLengths", "Sampler", "draw_inputs"]


def draw_inputs(
    G: Generator, c: Tensor, style_mixing: float, cpu: SampleDraws, device: SampleDraws
) -> tuple[Tensor, ...]:
    """Draw the arguments of a `Sampler` for labels `[N, c_dim]`, which are the first of them."""
    z = device.normal([len(c), G.z_dim])
    mixing = draw_mixing(G, len(c), style_mixing, cpu, device) or ()
    noise = [device.normal(shape) for shape in G.synthesis.noise_shapes(len(c))]
    return (c, z, *mixing, *noise)


class Sampler(nn.Module):
    """Images of random numbers.

    Args:
        G: the generator, whose parameters are this module's.
    """

    def __init__(self, G: Generator) -> None:
        super().__init__()
        self.G = G

    def forward(self, c: Tensor, z: Tensor, *rest: Tensor) -> tuple[Tensor, Tensor]:
        """Images `[N, C, H, W]`, and each sample's w before it is mixed, `[N, w_dim]`, without a gradient.

        Args:
            c: `[N, c_dim]`.
            z: `[N, z_dim]`.
            rest: where styles are mixed, the last arguments of `mix_styles`; then noise, a tensor a layer.
        """
        ws, first, noise = self._draw_ws(c, z, rest)
        return self.G.synthesis(ws, generator=GivenNormals(noise)), first

    def _draw_ws(
        self, c: Tensor, z: Tensor, rest: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """Fresh ws `[N, num_ws, w_dim]`, some of them mixed of two; the first w of each; and the noise."""
        ws = self.G.mapping(z, c, skip_w_avg_update=True)
        first = ws[:, 0].detach()
        num_noise = len(self.G.synthesis.noise_shapes(len(z)))
        if len(rest) > num_noise:
            ws = mix_styles(self.G, ws, c, *rest[:2])
        return ws, first, rest[len(rest) - num_noise :]


class PathLengths(Sampler):
    """How far images move per change of ws, `[N]`, and each sample's w."""

    def forward(self, c: Tensor, z: Tensor, *rest: Tensor) -> tuple[Tensor, Tensor]:
        """As `Sampler.forward`; the last of `rest` is the direction y of `path_lengths`, shaped like the images."""
        *rest_of_ws, y = rest
        ws, first, noise = self._draw_ws(c, z, tuple(rest_of_ws))
        if not ws.requires_grad:  # where only the lengths are wanted
            ws = ws.detach().requires_grad_()
        images = self.G.synthesis(ws, generator=GivenNormals(noise))
        return path_lengths(images, ws, y), first
