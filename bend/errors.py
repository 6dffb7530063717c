"""The errors of `bend` itself. Each message is one line: what, why, mend.

    BendError
    ├── ClusterError    a cluster that cannot be joined, or that cannot do the work
    ├── InfoError       something that cannot be described, or not in that form
    ├── IntakeError     a picture that cannot become a training image; carries its reason
    ├── ModelError      a network that cannot be downloaded, or written in another format
    ├── PackageError    a source from which no data set can be made
    ├── RecipeError     a recipe that cannot be read, or a picture that cannot be made again from its note
    ├── RenderError     a picture or film that cannot be rendered or written
    ├── ScoreError      a run that cannot be scored
    ├── SettingsError   settings that contradict one another or the network (also a ValueError)
    │   └── UnreadableError   a setting that names a file which cannot be read
    └── StoreError      an address on an object store that cannot be read or written

`stylegan.errors` and `scrapers.errors` hold the hierarchies of the layers below; `bend.cli` alone turns any of
them into one line on stderr.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path


class BendError(Exception):
    """Base of the instrument's own errors. The message is one line: what, why, mend."""


class ClusterError(BendError):
    """A cluster that cannot be joined, or that cannot do the work."""


class InfoError(BendError):
    """Something that cannot be described, or not in that form."""


class IntakeError(BendError):
    """A picture that cannot become a training image.

    Args:
        reason: short machine-readable word counted in summaries, such as `truncated` or `too-small`.
        message: one line for a person.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class ModelError(BendError):
    """A network that cannot be downloaded, or written in another format."""


class PackageError(BendError):
    """A source from which no data set can be made."""


class RecipeError(BendError):
    """A recipe that cannot be read, or a picture that cannot be made again from its note."""


class RenderError(BendError):
    """A picture or film that cannot be rendered or written."""


class ScoreError(BendError):
    """A run that cannot be scored."""


class SettingsError(BendError, ValueError):
    """Settings that contradict one another or the network."""


class UnreadableError(SettingsError):
    """A setting that names a file which cannot be read."""


class StoreError(BendError):
    """An address on an object store that cannot be read or written."""


@contextlib.contextmanager
def about(what: str) -> Iterator[None]:
    """Put `what`, an option as it was typed, before the message of a SettingsError raised in this block.

    Raises:
        SettingsError: the same error, with the longer message.
    """
    try:
        yield
    except SettingsError as error:
        raise type(error)(f"{what}: {error}") from None


def made_meanwhile(path: Path) -> RenderError:
    """What to raise where an output has come to exist while it was made, and is not to be replaced."""
    return RenderError(
        f"{path} was made by another process in the meantime; give another name, or --force to overwrite it"
    )


@contextlib.contextmanager
def none_made_meanwhile(*outputs: Path) -> Iterator[None]:
    """Tell of an output that this block finds to exist, since it was not there before.

    Raises:
        RenderError: in place of the FileExistsError of that output.
    """
    try:
        yield
    except FileExistsError as error:  # one without a name, or of a folder, is about something else
        if error.filename is None or Path(error.filename) not in outputs:
            raise
        raise made_meanwhile(Path(error.filename)) from None
