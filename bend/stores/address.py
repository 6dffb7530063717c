"""Addresses on stores, `SCHEME://BUCKET/KEY`, of all schemes for files that fsspec knows.

No store is contacted here. Addresses are printed, written to run folders and hashed for the cache, so that one with a
password in it is refused.
"""

import dataclasses
import re

from bend.errors import StoreError

__all__ = ["Address", "is_address", "parse_address"]

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+)://(.*)", re.DOTALL)
_SECRET = re.compile(r"[^/]*:[^/]*@")
# fsspec's wrappers around other file systems, and schemes that are read-only or no place for runs and renders.
_NO_STORES = {
    "http",
    "https",
    "data",
    "zip",
    "tar",
    "libarchive",
    "reference",
    "generic",
    "dir",
    "git",
    "github",
    "jlab",
    "jupyter",
    "blockcache",
    "cached",
    "filecache",
    "simplecache",
    "async_wrapper",
    "root",
    "ipfs",
    "wandb",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where an object lies, or a folder of objects."""

    scheme: str
    """`s3`, `gs`, …"""
    path: str
    """Bucket and key, without a slash at the end."""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.path}"

    @property
    def name(self) -> str:
        """The last part."""
        return self.path.rpartition("/")[2]

    @property
    def parent(self) -> "Address":
        """The folder that it lies in."""
        return Address(scheme=self.scheme, path=self.path.rpartition("/")[0])

    @property
    def bucket(self) -> "Address":
        """The first part."""
        return Address(scheme=self.scheme, path=self.path.partition("/")[0])

    def child(self, name: str) -> "Address":
        """The address of `name` in this folder; it may have slashes."""
        return Address(scheme=self.scheme, path=f"{self.path}/{name}")


def is_address(text: object) -> bool:
    """Whether something is an address on a store, rather than a path, a name or a web page."""
    match = _ADDRESS.match(text) if isinstance(text, str) else None
    return match is not None and match[1] not in ("http", "https")


def parse_address(text: str) -> Address:
    """Parse an address.

    Raises:
        StoreError: the scheme is unknown, or the address has a password or no bucket.
    """
    match = _ADDRESS.match(text)
    assert match is not None, "only what is_address says is one"
    scheme, path = match[1], match[2].rstrip("/")
    from fsspec.registry import known_implementations, registry

    if scheme in _NO_STORES or (scheme not in known_implementations and scheme not in registry):
        raise StoreError(
            f"{scheme}://: no object store is known by that name; s3://, gs:// and others of fsspec are"
        )
    if _SECRET.match(path):
        raise StoreError(
            f"{scheme}://…: holds a password; leave it out, credentials come from the environment"
        )
    if not path.strip("/"):
        raise StoreError(f"{text}: names no bucket; write {scheme}://BUCKET/NAME")
    return Address(scheme=scheme, path=path)
