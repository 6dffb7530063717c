"""What is an address on a store, and what is not."""

import pytest

from bend.errors import StoreError
from bend.stores.address import is_address, parse_address


@pytest.mark.parametrize(
    "text", ["rocks.zip", "s3:/b/x", "C://x", "https://example.org/x.zip", "runs/0@2", "", None, 7]
)
def test_other_things_are_no_addresses(text: object) -> None:
    assert not is_address(text)


def test_an_address_has_parts() -> None:
    address = parse_address("s3://bucket/runs/00000-a/")
    assert str(address) == "s3://bucket/runs/00000-a"
    assert (address.name, str(address.parent), str(address.bucket)) == (
        "00000-a",
        "s3://bucket/runs",
        "s3://bucket",
    )
    assert str(address.child("log.txt")) == "s3://bucket/runs/00000-a/log.txt"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("s4://bucket/x", "s4://: no object store is known"),
        ("zip://bucket/x", "zip://: no object store is known"),
        ("s3://", "names no bucket"),
        ("sftp://ann:hidden@host/x", "holds a password"),
    ],
)
def test_what_cannot_be_one_is_refused(text: str, message: str) -> None:
    assert is_address(text)
    with pytest.raises(StoreError, match=message) as refused:
        parse_address(text)
    assert "hidden" not in str(refused.value)
