"""Latent walks: pure functions from keyframes and time to a path through a latent space, one per file.

Each takes `keyframes [K, dim]`, times `t [T]` and a `Course`, and returns the points `[T, dim]`, all float64 numpy
arrays. Walks know nothing of networks: the caller decides whether the space is z or w, and what a point means. `pace`
changes their timing. A new walk is one file and one row here; the contract test then covers it.
"""

from bend.walks.circle import circle
from bend.walks.course import Course, Walk, times
from bend.walks.linear import linear
from bend.walks.noise import noise
from bend.walks.pace import even_clock, knots_at
from bend.walks.slerp import slerp
from bend.walks.spline import spline

__all__ = ["WALKS", "Course", "Walk", "even_clock", "knots_at", "times"]

WALKS = {
    "slerp": Walk(at=slerp, space="z", fewest=2, passes_keyframes=True, keeps_norm=True),
    "linear": Walk(at=linear, space="w", fewest=2, passes_keyframes=True),
    "spline": Walk(at=spline, space="w", fewest=2, usual=4, passes_keyframes=True),
    "circle": Walk(at=circle, space="z", fewest=2, most=3, usual=3, always_closed=True, keeps_norm=True),
    "noise": Walk(at=noise, space="z", fewest=1, usual=1, always_closed=True),
}
