"""Files that are missing, half-written or somebody else's count as absent."""

from pathlib import Path

import pytest

from bend.info.run_files import number_in, parse_object, read_object, table_in


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"7", b"\xff", b"[" * 100_000])
def test_what_holds_no_object(text: bytes) -> None:
    assert parse_object(text) == {}


def test_files_that_are_there_and_not(tmp_path: Path) -> None:
    assert read_object(tmp_path / "a.json") == {}
    (tmp_path / "a.json").write_text('{"config": {"kimg": 1}, "data": []}')
    found = read_object(tmp_path / "a.json")
    assert table_in(found, "config") == {"kimg": 1}
    assert table_in(found, "data") == table_in(found, "base") == {}


@pytest.mark.parametrize("value", [True, "1", None, [], float("nan"), float("inf"), 10**400])
def test_what_is_no_number(value: object) -> None:
    assert number_in(value) is None


def test_numbers_are_floats() -> None:
    assert number_in(3) == 3.0
    assert number_in(-0.5) == -0.5
