"""bend: an instrument that circuit-bends a generative network.

This package is the command line (`bend.cli`) and everything artistic: preparing pictures, walking latent space,
bending, rendering, scoring. The network itself lives in `stylegan`, the picture sources in `scrapers`; neither imports
this package.
"""

__version__ = "0.1.0"
