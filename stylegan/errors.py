"""What can go wrong in the model layer, each told in one line: what, why, mend.

StyleganError
├── ArchiveError       a data-set zip that cannot be read or written
├── BuildError         native operations that cannot be compiled or loaded here
├── CheckpointError    a network file that cannot be read or written
│   └── BaseMismatchError  a delta file's base is not the network it was taken from
├── ConfigError        settings that contradict one another, the network or the data (also a ValueError)
├── LockHeldError      what one process at a time may do is being done by another
├── TeamError          processes at one piece of work that have lost each other
└── TrainingError      a training run that cannot start, go on, or be resumed
"""


class StyleganError(Exception):
    """Base of the model layer's errors. The message is one line: what, why, mend."""


class ArchiveError(StyleganError):
    """A data-set zip that cannot be read or written."""


class BuildError(StyleganError):
    """Native operations that cannot be compiled or loaded here."""


class CheckpointError(StyleganError):
    """A network file that cannot be read or written."""


class BaseMismatchError(CheckpointError):
    """A delta file's base is not the network it was taken from."""


class ConfigError(StyleganError, ValueError):
    """Settings that contradict one another, the network or the data."""


class LockHeldError(StyleganError):
    """Something that only one process at a time may do is being done by another, or elsewhere in this one.

    Args:
        holder: its process number, or `unknown`.
    """

    def __init__(self, holder: str) -> None:
        super().__init__(f"process {holder} is at it already; wait for it to end")
        self.holder = holder


class TeamError(StyleganError):
    """Processes on one piece of work that have lost each other."""


class TrainingError(StyleganError):
    """A training run that cannot start, go on, or be resumed."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: in Python's way, in torch's, or in that of CUDA's libraries."""
    words = (
        "out of memory",
        "not enough memory",
        "can't allocate memory",
        "ALLOC_FAILED",
        "ALLOCATION_FAILED",
    )
    told = isinstance(error, RuntimeError) and any(word in str(error) for word in words)
    return told or isinstance(error, MemoryError)
