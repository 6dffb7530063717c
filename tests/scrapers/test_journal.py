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
