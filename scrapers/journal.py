"""What a scrape must remember between two runs besides its manifest, in one SQLite file.

There are two things: the services' answers, so that a scrape that is continued asks for no page twice and sees the very
same results; and why pictures could not be fetched that the manifest has not come to yet. A process that is killed
leaves SQLite's file intact, and the file's lock keeps a second scrape out of the folder.
"""

import sqlite3
import sys
import threading
from pathlib import Path
from typing import Any, Self

from scrapers.errors import FolderError

__all__ = ["Journal"]

_TABLES = """
CREATE TABLE IF NOT EXISTS answers (request TEXT PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS outcomes (key TEXT PRIMARY KEY, facts TEXT NOT NULL) WITHOUT ROWID;
"""


class Journal:
    """Pages and outcomes. Safe to use from many threads, and locked against other processes while open.

    Args:
        path: the file; made where it is not there.

    Raises:
        FolderError: another scrape has it open, the disk takes nothing, or it is not a journal.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            self._noted: set[str] = set()
            self._db = sqlite3.connect(path, timeout=0.5, check_same_thread=False, isolation_level=None)
            try:
                for setting in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = NORMAL"):
                    self._db.execute(f"PRAGMA {setting}")
                self._db.executescript(_TABLES)
                self._noted.update(key for (key,) in self._db.execute("SELECT key FROM outcomes"))
            except BaseException:
                self._db.close()
                raise
        except sqlite3.Error as error:
            raise self._fault(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._db.close()

    @property
    def is_empty(self) -> bool:
        """Whether it holds neither an answer nor an outcome."""
        return not self._noted and self._one("SELECT 1 FROM answers LIMIT 1") is None

    def page(self, request: str) -> bytes | None:
        """The stored answer to a request, None where it was never asked."""
        body = self._one("SELECT body FROM answers WHERE request = ?", request)
        return None if body is None else bytes(body)

    def keep_page(self, request: str, body: bytes) -> None:
        """Store an answer; `request` must hold no key."""
        sys.audit("failpoint", "page", str(self._path))
        self._write("INSERT OR REPLACE INTO answers VALUES (?, ?)", request, body)

    def outcome(self, key: str) -> str | None:
        """What came of a fetch whose turn in the manifest has not come."""
        if key not in self._noted:  # the usual case costs nothing
            return None
        facts = self._one("SELECT facts FROM outcomes WHERE key = ?", key)
        return None if facts is None else str(facts)

    def keep_outcome(self, key: str, facts: str) -> None:
        """Note what came of a fetch."""
        self._write("INSERT OR REPLACE INTO outcomes VALUES (?, ?)", key, facts)
        self._noted.add(key)

    def forget_outcome(self, key: str) -> None:
        """The manifest knows about it now."""
        if key in self._noted:
            self._write("DELETE FROM outcomes WHERE key = ?", key)
            self._noted.discard(key)

    def _one(self, statement: str, *values: object) -> Any:
        try:
            with self._lock:
                row = self._db.execute(statement, values).fetchone()
        except sqlite3.Error as error:
            raise self._fault(error) from error
        return row[0] if row else None

    def _write(self, statement: str, *values: object) -> None:
        try:
            with self._lock:
                self._db.execute(statement, values)
        except sqlite3.Error as error:
            raise self._fault(error) from error

    def _fault(self, error: sqlite3.Error) -> FolderError:
        if "locked" in str(error):
            return FolderError(
                f"{self._path.parent.parent}: another scrape is at work in this folder; let it end first"
            )
        if "full" in str(error):
            return FolderError(
                f"{self._path}: the disk is full; free some space and run the same command again"
            )
        if isinstance(error, sqlite3.OperationalError):  # the disk's fault: what is in the file is whole
            return FolderError(
                f"{self._path}: cannot be written ({error}); mend the disk or its permissions, and run the same "
                "command again"
            )
        return FolderError(f"{self._path}: not readable ({error}); delete {self._path.parent} to begin anew")
