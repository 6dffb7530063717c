"""SeFa, closed-form factorisation: the directions of w that change the styles of the layers most.

A style is `A w + b`, so the unit vector n with the greatest `‖A n‖²` changes the styles most. This n and the next best
ones, each orthogonal to those before, are the eigenvectors of `AᵀA` (Shen & Zhou, arXiv 2007.06600, eq. 4 to 6). A
stacks the style matrices of the chosen convolutions, each scaled by its equalised learning rate as the layer uses it.
This needs neither samples nor training.
"""

import torch
from torch import Tensor

from bend.style_layers import style_layers
from stylegan.generator import Generator

__all__ = ["sefa", "signed"]


def sefa(G: Generator, rows: slice) -> Tensor:
    """Unit directions by falling strength, float64 `[w_dim, w_dim]`, one per row.

    Args:
        G: the generator.
        rows: of ws; the convolutions that they style are stacked. If there are none, as for the last torgb, all are.
    """
    layers = style_layers(G)
    chosen = [at for at in layers if at.row in range(G.num_ws)[rows]] or layers
    stacked = torch.cat(
        [at.layer.affine.weight.detach().cpu().double() * at.layer.affine.weight_gain for at in chosen]
    )
    _, vectors = torch.linalg.eigh(stacked.T @ stacked)  # eigenvalues rise
    return signed(vectors.T.flip(0))


def signed(directions: Tensor) -> Tensor:
    """The directions `[K, dim]` with the sign that makes each one's largest entry positive.

    An eigenvector's sign is arbitrary; this makes it the same on every machine.
    """
    largest = directions.abs().argmax(dim=1, keepdim=True)
    return directions * directions.gather(1, largest).sign()
