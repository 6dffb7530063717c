"""What can go wrong while gathering pictures, each told in one line: what, why, mend.

ScraperError
├── ConfigError      a config file that cannot be read or understood, or a proxy that cannot be used
├── FolderError      a folder that cannot take the pictures, or whose records cannot be read
├── SourceError      a service that answered with a refusal or with something unreadable
└── DownloadError    one picture that could not be fetched; carries its reason
    └── PassingError     the fault may pass, so that another try makes sense
"""


class ScraperError(Exception):
    """Base of the scrapers' errors. The message is one line: what, why, mend."""


class ConfigError(ScraperError):
    """A config file that cannot be read or understood, or a proxy of the environment that cannot be used."""


class FolderError(ScraperError):
    """A folder that cannot take the pictures, or whose records cannot be read."""


class SourceError(ScraperError):
    """A service that answered with a refusal or with something unreadable."""


class DownloadError(ScraperError):
    """One picture that could not be fetched.

    Args:
        reason: short machine-readable word counted in summaries, such as `not-found` or `timeout`.
        message: one line for a person.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class PassingError(DownloadError):
    """A fault that may pass: a dropped connection, a busy server.

    Args:
        retry_after_s: how long the server asked us to stay away, in seconds; None where it did not say.
    """

    def __init__(self, reason: str, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(reason, message)
        self.retry_after_s = retry_after_s
