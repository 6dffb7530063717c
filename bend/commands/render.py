"""`bend render`: the group of everything that draws; each subcommand is a file of its own, imported when
called.
"""

import click

from bend.lazy import LazyGroup

__all__ = ["render"]

# name -> (module, attribute, one-line help)
_COMMANDS = {
    "images": ("bend.commands.render_images", "images", "A picture a seed, into a folder."),
    "grid": ("bend.commands.render_grid", "grid", "A sheet of seeds."),
    "plane": (
        "bend.commands.render_plane",
        "plane",
        "The map of latent space: the plane through three seeds.",
    ),
    "latent-walk": ("bend.commands.render_latent_walk", "latent_walk", "A film from seed to seed."),
    "dial": ("bend.commands.render_dial", "dial", "A base turned into what it was bent to, and beyond."),
    "style-mix": (
        "bend.commands.render_style_mix",
        "style_mix",
        "Some layers of one seed, the rest of another.",
    ),
    "truncation": ("bend.commands.render_truncation", "truncation", "From the average picture outwards."),
    "clusters": (
        "bend.commands.render_clusters",
        "clusters",
        "What the groups of channels of each layer draw.",
    ),
    "timeline": ("bend.commands.render_timeline", "timeline", "The same seeds, snapshot after snapshot."),
}


@click.group(cls=LazyGroup, table=_COMMANDS)
def render() -> None:
    """Draw pictures and films from a network.

    Example: bend render grid --seeds 0-15 -o faces.png
    """
