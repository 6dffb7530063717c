"""The generator: mapping network and synthesis network (StyleGAN2, arXiv 1912.04958; ADA, arXiv 2006.06676).

Keyword arguments, attribute names and state-dict keys are the official ones, so that official weights load with
`strict=True`.
"""

from typing import Any

from torch import Tensor, nn

from stylegan.draws import NoiseSource
from stylegan.layers import NoiseMode
from stylegan.mapping import MappingNetwork
from stylegan.synthesis import SynthesisBlock, SynthesisNetwork

__all__ = ["Generator", "SynthesisBlock", "SynthesisNetwork"]


class Generator(nn.Module):
    """StyleGAN2 generator: `G(z, c)` is `G.synthesis(G.mapping(z, c))`.

    Args:
        z_dim: width of z.
        c_dim: width of the label, 0 for an unconditional network.
        w_dim: width of w.
        img_resolution: side of the image, a power of two.
        img_channels: 3 for colour, 1 for grey.
        mapping_kwargs: keyword arguments of `MappingNetwork`.
        synthesis_kwargs: keyword arguments of `SynthesisNetwork`.

    Raises:
        ValueError: contradictory arguments.
    """

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        img_resolution: int,
        img_channels: int,
        mapping_kwargs: dict[str, Any] | None = None,
        synthesis_kwargs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.z_dim = z_dim
        self.c_dim = c_dim
        self.w_dim = w_dim
        self.img_resolution = img_resolution
        self.img_channels = img_channels
        self.init_kwargs: dict[str, Any] = {
            "z_dim": z_dim,
            "c_dim": c_dim,
            "w_dim": w_dim,
            "img_resolution": img_resolution,
            "img_channels": img_channels,
            "mapping_kwargs": dict(mapping_kwargs or {}),
            "synthesis_kwargs": dict(synthesis_kwargs or {}),
        }
        self.synthesis = SynthesisNetwork(w_dim, img_resolution, img_channels, **(synthesis_kwargs or {}))
        self.num_ws = self.synthesis.num_ws
        self.mapping = MappingNetwork(z_dim, c_dim, w_dim, self.num_ws, **(mapping_kwargs or {}))

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
        noise_mode: NoiseMode = "random",
        force_fp32: bool = False,
        generator: NoiseSource | None = None,
    ) -> Tensor:
        """Images from latents.

        Args:
            z: `[N, z_dim]`.
            c: `[N, c_dim]`, None for an unconditional network.
            truncation_psi: see `MappingNetwork.forward`.
            truncation_cutoff: see `MappingNetwork.forward`.
            noise_mode: see `SynthesisNetwork.forward`.
            force_fp32: never use half precision.
            generator: source of random noise.

        Returns:
            float32 `[N, img_channels, img_resolution, img_resolution]`, nominally in [-1, 1].
        """
        ws = self.mapping(z, c, truncation_psi=truncation_psi, truncation_cutoff=truncation_cutoff)
        return self.synthesis(ws, noise_mode=noise_mode, force_fp32=force_fp32, generator=generator)
