"""Measures on feature vectors, with standard errors: distance from the base, distance from the data, diversity.

Distances are Euclidean. The kernel distance is the unbiased estimate of the squared maximum mean discrepancy with the
cubic kernel of KID (arXiv 1801.01401). Standard errors are those of the jackknife, which leaves one picture out at a
time (Tukey 1958), computed from row sums. These are plain functions of float64 tensors.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Measured", "diversity", "kernel_distance", "paired_distance"]


@dataclass(frozen=True, slots=True)
class Measured:
    """A value and its standard error."""

    value: float
    error: float


def paired_distance(a: Tensor, b: Tensor) -> Measured:
    """Mean distance between row i of `a` and row i of `b`.

    Args:
        a: `[N, F]`, N at least 2.
        b: `[N, F]`.
    """
    distances = (a - b).norm(dim=1)
    return Measured(float(distances.mean()), float(distances.std(unbiased=True)) / math.sqrt(len(distances)))


def diversity(a: Tensor) -> Measured:
    """Mean distance between two different rows of `a`, `[N, F]`, N at least 3."""
    num = len(a)
    rows = torch.cdist(a, a, compute_mode="donot_use_mm_for_euclid_dist").sum(dim=1)
    total = rows.sum()
    left_out = (total - 2 * rows) / ((num - 1) * (num - 2))
    return Measured(float(total / (num * (num - 1))), _jackknife(left_out))


def kernel_distance(x: Tensor, y: Tensor) -> Measured:
    """Squared maximum mean discrepancy of two sets under `k(a, b) = (a·b / F + 1)³`; may be slightly negative.

    Args:
        x: `[N, F]`, N at least 3.
        y: `[M, F]`, M at least 3.
    """
    n, m = len(x), len(y)
    xx, yy, xy = _kernel(x, x).fill_diagonal_(0), _kernel(y, y).fill_diagonal_(0), _kernel(x, y)
    sum_xx, sum_yy, sum_xy = xx.sum(), yy.sum(), xy.sum()
    within_x, within_y = sum_xx / (n * (n - 1)), sum_yy / (m * (m - 1))
    value = within_x + within_y - 2 * sum_xy / (n * m)
    without_x = (
        (sum_xx - 2 * xx.sum(dim=1)) / ((n - 1) * (n - 2))
        + within_y
        - 2 * (sum_xy - xy.sum(dim=1)) / ((n - 1) * m)
    )
    without_y = (
        within_x
        + (sum_yy - 2 * yy.sum(dim=1)) / ((m - 1) * (m - 2))
        - 2 * (sum_xy - xy.sum(dim=0)) / (n * (m - 1))
    )
    return Measured(float(value), math.hypot(_jackknife(without_x), _jackknife(without_y)))


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b.T / a.shape[1] + 1) ** 3


def _jackknife(left_out: Tensor) -> float:
    """The standard error, from the N values without one of the pictures each."""
    num = len(left_out)
    return math.sqrt((num - 1) / num * float((left_out - left_out.mean()).square().sum()))
