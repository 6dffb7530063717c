"""The settings that explain a network's widths, for formats that keep weights without settings."""

from collections.abc import Mapping

from stylegan.checkpoint.legacy.bounds import RefusedError

__all__ = ["channel_settings", "resolutions"]


def resolutions(num_blocks: int) -> list[int]:
    """The resolutions of a network of that many blocks, from 4 on.

    Raises:
        RefusedError: no blocks, or more than any network has.
    """
    if not 1 <= num_blocks <= 12:
        raise RefusedError(f"has a network of {num_blocks} resolutions; only StyleGAN2 networks are read")
    return [4 << block for block in range(num_blocks)]


def channel_settings(channels: Mapping[int, int]) -> dict[str, object]:
    """`channel_base` and `channel_max` such that `channels[res] == min(channel_base // res, channel_max)`.

    Args:
        channels: width at each resolution.

    Raises:
        RefusedError: there are none.
    """
    channel_max = max(channels.values())
    narrow = [res * width for res, width in channels.items() if width < channel_max]
    # Where no block is narrower, any base from this one on gives the same widths.
    channel_base = max(narrow, default=channel_max * max(channels))
    if any(min(channel_base // res, channel_max) != width for res, width in channels.items()):
        raise RefusedError(
            "has layers of other widths than StyleGAN2's; only the official architecture is read"
        )
    return {"channel_base": channel_base, "channel_max": channel_max}
