"""A small sound file of every format."""

from pathlib import Path

from tests.stylegan.checkpoint.legacy.writers import (
    discriminator,
    generator,
    training_extras,
    write_official,
    write_rosinality,
    write_tensorflow,
)

__all__ = ["sound_files"]


def sound_files(folder: Path) -> list[Path]:
    """Official pickles of two protocols, TensorFlow's, and rosinality's of both formats of torch, in a folder."""
    small = {"img_resolution": 8, "img_channels": 1}
    G, D = generator(**small), discriminator(**small)
    return [
        write_official(folder / "a.pkl", {"G": G, "D": D, "G_ema": G}, p=0.5),
        write_official(folder / "b.pkl", {"G_ema": G}, protocol=2),
        write_tensorflow(folder / "c.pkl", (G, D, G)),
        write_rosinality(folder / "d.pt", {"g_ema": G, "d": D}, **training_extras()),
        write_rosinality(folder / "e.pt", {"g_ema": G, "d": D}, is_legacy=True, **training_extras()),
    ]
