"""What can go wrong in the instrument itself, each told in one line: what, why, mend.

    BendError
    ├── IntakeError     a picture that cannot become a training image; carries its reason
    ├── PackageError    a source from which no data set can be made
    ├── RenderError     a picture or film that cannot be rendered or written
    └── SettingsError   settings that contradict one another or the network (also a ValueError)

`stylegan.errors` and `scrapers.errors` hold the hierarchies of the layers below; `bend.cli` alone turns any of
them into one line on stderr.
"""


class BendError(Exception):
    """Base of the instrument's own errors. The message is one line: what, why, mend."""


class IntakeError(BendError):
    """A picture that cannot become a training image.

    Args:
        reason: short machine-readable word counted in summaries, such as `truncated` or `too-small`.
        message: one line for a person.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class PackageError(BendError):
    """A source from which no data set can be made."""


class RenderError(BendError):
    """A picture or film that cannot be rendered or written."""


class SettingsError(BendError, ValueError):
    """Settings that contradict one another or the network."""
