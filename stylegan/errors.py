"""What can go wrong in the model layer, each told in one line: what, why, mend.

StyleganError
├── ArchiveError       a data-set zip that cannot be read or written
├── CheckpointError    a network file that cannot be read or written
├── ConfigError        settings that contradict one another, the network or the data (also a ValueError)
└── TrainingError      a training run that cannot start, go on, or be resumed
"""


class StyleganError(Exception):
    """Base of the model layer's errors. The message is one line: what, why, mend."""


class ArchiveError(StyleganError):
    """A data-set zip that cannot be read or written."""


class CheckpointError(StyleganError):
    """A network file that cannot be read or written."""


class ConfigError(StyleganError, ValueError):
    """Settings that contradict one another, the network or the data."""


class TrainingError(StyleganError):
    """A training run that cannot start, go on, or be resumed."""
