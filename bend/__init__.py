"""bend: an instrument that circuit-bends a generative network.

The command line (`bend.cli`) and the art: preparing pictures, walking latent space, rendering, the timeline
of the breaking. The network itself lives in `stylegan`, the picture sources in `scrapers`; neither imports
this package.
"""

__version__ = "0.1.0"
