"""The journal of a scrape: what is wrong with its file is reported with the mend that fits."""

from pathlib import Path

import pytest

from scrapers.errors import FolderError
from scrapers.journal import Journal


def test_a_file_that_is_no_journal_may_be_deleted(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_text("not a database, " * 100)
    with pytest.raises(FolderError, match=rf"not readable .*; delete {tmp_path} to begin anew"):
        Journal(path)


def test_a_journal_that_the_disk_refuses_is_not_to_be_deleted(tmp_path: Path) -> None:
    with pytest.raises(
        FolderError, match=r"cannot be written .*; mend the disk or its permissions"
    ) as refused:
        Journal(tmp_path / "gone" / "journal.sqlite")
    assert "delete" not in str(refused.value)


def test_two_scrapes_never_have_it_at_once(tmp_path: Path) -> None:
    path = tmp_path / "out" / ".scrape" / "journal.sqlite"
    path.parent.mkdir(parents=True)
    with Journal(path) as journal:
        journal.keep_page("a", b"1")
        with pytest.raises(
            FolderError, match=f"{tmp_path / 'out'}: another scrape is at work in this folder"
        ):
            Journal(path)
    with Journal(path) as journal:
        assert journal.page("a") == b"1"


def test_what_is_noted_is_there_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with Journal(path) as journal:
        assert journal.is_empty
        journal.keep_outcome("gone", "early")
        journal.keep_outcome("gone", "late")
        journal.keep_outcome("ill", "fever")
        journal.forget_outcome("ill")
        assert not journal.is_empty
    with Journal(path) as journal:
        assert (journal.outcome("gone"), journal.outcome("ill")) == ("late", None)
        journal.forget_outcome("gone")
        assert journal.is_empty
        journal.keep_page("q", b"\0\xff")
        assert not journal.is_empty
    with Journal(path) as journal:
        assert (journal.page("q"), journal.page("r")) == (b"\0\xff", None)
        assert not journal.is_empty
