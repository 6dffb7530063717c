"""What a network's keyword arguments say of its blocks: how they are connected, and the channels at each resolution."""

__all__ = ["ARCHITECTURES", "MAX_RESOLUTION", "channel_counts", "check_architecture"]

ARCHITECTURES = ("skip", "orig", "resnet")
"""How an image leaves or enters the blocks: at each of them, at one end only, or so with residual connections."""
MAX_RESOLUTION = 8192
"""Of a network that is read from a file, or grown."""


def check_architecture(architecture: str) -> None:
    """Refuse a name that is not in `ARCHITECTURES`.

    Raises:
        ValueError: it is not.
    """
    if architecture not in ARCHITECTURES:
        raise ValueError(f"unknown architecture {architecture!r}; known: {', '.join(ARCHITECTURES)}")


def channel_counts(
    img_resolution: int, channel_base: int, channel_max: int, *, least_resolution: int = 4
) -> dict[int, int]:
    """Channels at each resolution from 4 to `img_resolution`: `channel_base // resolution`, at most `channel_max`.

    Raises:
        ValueError: `img_resolution` is not a power of two from `least_resolution` on, or some block has no channels.
    """
    if img_resolution < least_resolution or img_resolution & (img_resolution - 1):
        raise ValueError(
            f"img_resolution must be a power of two from {least_resolution} on, not {img_resolution}"
        )
    resolutions = [2**i for i in range(2, img_resolution.bit_length())]
    channels = {res: min(channel_base // res, channel_max) for res in resolutions}
    if min(channels.values()) < 1:
        raise ValueError(f"channel_base {channel_base} leaves no channels at {img_resolution} pixels")
    return channels
