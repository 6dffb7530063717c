"""Turns the errors of stores into one line.

fsspec raises file errors for most of them. Errors of the libraries below it are recognised by the names of their
classes, since those libraries are imported only where they are used. No message contains a credential.
"""

import contextlib
import errno
from collections.abc import Iterator

from bend.errors import BendError, StoreError
from bend.stores.address import Address

__all__ = ["told"]

_NO_CREDENTIALS = {
    "NoCredentialsError",
    "PartialCredentialsError",
    "CredentialRetrievalError",
    "TokenRetrievalError",
    "DefaultCredentialsError",
    "RefreshError",
    "ProfileNotFound",
    "SSOTokenLoadError",
}
_NO_CONNECTION = {
    "HTTPClientError",
    "ClientConnectionError",
    "ClientPayloadError",
    "ConnectionError",
    "TimeoutError",
    "FSTimeoutError",
    "IncompleteRead",
    "ResponseStreamingError",
    "TransportError",
}
_LINES: tuple[tuple[set[str], str], ...] = (
    (
        {"ImportError"},
        "the library that speaks {scheme}:// is not installed; run pip install 'bend-gan[remote]' (gcsfs for gs://)",
    ),
    (
        _NO_CREDENTIALS,
        "no credentials; set them where the store's own tools look for them, such as AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, or ~/.aws",
    ),
    (
        _NO_CONNECTION,
        "no connection to the store, or it broke off; run the same command again once it is back",
    ),
    ({"FileNotFoundError"}, "no such object, folder or bucket; check the address"),
    ({"PermissionError"}, "denied; check that these credentials may {wanted} there"),
    ({"FileExistsError"}, "exists already; pass --force to overwrite it, or another name"),
    ({"NotImplementedError"}, "{scheme}:// cannot {wanted}; use another store"),
)
_LIBRARIES = ("botocore", "aiobotocore", "aiohttp", "s3fs", "gcsfs", "google", "fsspec", "azure", "adlfs")


@contextlib.contextmanager
def told(address: Address, wanted: str) -> Iterator[None]:
    """Turn whatever a store's library raises in this block into one line.

    Args:
        address: for the message.
        wanted: what the credentials must be allowed to do: `read`, `write`, `list`, `delete`.

    Raises:
        StoreError: says what was wrong.
    """
    try:
        yield
    except BendError:
        raise
    except Exception as error:
        line = _line(error, address, wanted)
        if line is None:
            raise
        raise StoreError(f"{address}: {line}") from None


def _line(error: Exception, address: Address, wanted: str) -> str | None:
    """The message; None for an error that is not the store's."""
    names = {kind.__name__ for kind in type(error).__mro__}
    for known, line in _LINES:  # in order, since an error may have several of these base classes
        if names & known:
            return line.format(scheme=address.scheme, wanted=wanted)
    is_theirs = type(error).__module__.partition(".")[0] in _LIBRARIES
    if is_theirs or (isinstance(error, OSError) and error.errno != errno.ENOSPC and error.filename is None):
        return f"the store answers: {(' '.join(str(error).split()) or type(error).__name__)[:300]}"
    return None
