"""Directions in w: how they are found, and shifts along them while a network draws.

`sefa` finds them in the weights, `pca` in the distribution of w, or a file brings its own. A new kind is one file and a
row of `BASES`.
"""

from bend.directions.direction import Direction, parse_direction
from bend.directions.pca import Spread, spread_of_w
from bend.directions.steering import BASES, Steering, open_directions, vector_of

__all__ = [
    "BASES",
    "Direction",
    "Spread",
    "Steering",
    "open_directions",
    "parse_direction",
    "spread_of_w",
    "vector_of",
]
