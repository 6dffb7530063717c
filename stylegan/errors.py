"""What can go wrong in the model layer, each told in one line: what, why, mend.

StyleganError
├── ArchiveError       a data-set zip that cannot be read or written
├── BuildError         native operations that cannot be compiled or loaded here
├── CheckpointError    a network file that cannot be read or written
│   └── BaseMismatchError  a delta file's base is not the network it was taken from
├── ConfigError        settings that contradict one another, the network or the data (also a ValueError)
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


class TeamError(StyleganError):
    """Processes at one piece of work that have lost each other."""


class TrainingError(StyleganError):
    """A training run that cannot start, go on, or be resumed."""
