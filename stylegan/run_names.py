"""The names of the files in a run folder that a training writes.

They are here, without torch, for all who write, read, fetch or list run folders. Those that people and their tools know
stay as they are.
"""

import re

__all__ = [
    "FAKES_INIT",
    "LATEST",
    "LOG",
    "OPTIONS",
    "PREVIOUS",
    "REALS",
    "RUN",
    "SNAPSHOT",
    "STATES",
    "STATS",
    "fakes_name",
    "is_lasting",
    "readings",
    "snapshot_name",
]

RUN = re.compile(r"(\d{5,})-.+")
"""The name of a run folder, and its number."""
OPTIONS, STATS, LOG = "training_options.json", "stats.jsonl", "log.txt"
"""What was asked for, a line for each tick, and what was said."""
REALS, FAKES_INIT = "reals.png", "fakes_init.png"
"""Pictures of the data, and those of the network before it is trained."""
LATEST, PREVIOUS = "state-latest.pt", "state-previous.pt"
"""What a training resumes from, and the same from before, so that a damaged file is never the only one."""
STATES = (LATEST, PREVIOUS)
SNAPSHOT = re.compile(r"snapshot-(\d+\.\d{3})\.safetensors")
"""The name of a snapshot, and its kimg."""
_LASTING = re.compile(r"(snapshot-|fakes|reals).+")


def snapshot_name(kimg: float) -> str:
    """File name of the snapshot at `kimg`, sortable, with three decimals so that fractions do not collide."""
    return f"snapshot-{kimg:010.3f}.safetensors"


def fakes_name(kimg: float) -> str:
    """`fakes000004.png`; three decimals where kimg is not whole."""
    return f"fakes{int(kimg):06d}.png" if kimg == int(kimg) else f"fakes{kimg:010.3f}.png"


def readings(network: str) -> tuple[tuple[str, str], ...]:
    """How what names a network may be read: as a path, or as `RUN@KIMG`; each as (path, what follows it)."""
    run, at, kimg = network.rpartition("@")
    return ((network, ""), (run, at + kimg)) if run else ((network, ""),)


def is_lasting(name: str) -> bool:
    """Whether a file of that name never changes once it is written: a snapshot, or a sheet of pictures."""
    return _LASTING.fullmatch(name) is not None
