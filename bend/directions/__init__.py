"""Directions in w: where to find them, and walking along them while a network draws.

`sefa` reads them off the weights, `pca` off the distribution of w, a file brings its own. A new kind is one file and a
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
