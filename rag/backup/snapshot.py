"""The state of an SQLite file at one moment, while others read and write it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from rag.store import database, historyfile
from rag.store.database import in_words

CATALOG = database.FILE_NAME
HISTORY = historyfile.FILE_NAME
_PAGES = 4_096
_WAIT_S = 10.0


def take_catalog(directory: Path, out: Path) -> None:
    """Copy the catalog of a collection as it is now.

    Raises:
        CollectionError: it cannot be read, or ``out`` not be written.
    """
    path = directory / CATALOG
    with closing(database.connect(path, write=False)) as held:
        _copy(held, out)


def take_history(directory: Path, out: Path) -> bool:
    """Copy the history of a collection as it is now; False where there is none.

    Raises:
        CollectionError: it cannot be read, or ``out`` not be written.
    """
    held = historyfile.connect(directory / HISTORY, create=False, wait_s=_WAIT_S)
    if held is None:
        return False
    with closing(held):
        _copy(held, out)
    return True


def _copy(held: sqlite3.Connection, out: Path) -> None:
    with in_words(out), closing(sqlite3.connect(out, isolation_level=None)) as copy:
        copy.execute("PRAGMA synchronous=OFF")  # a copy cut short is thrown away
        # One read transaction: what others commit meanwhile neither shows nor starts it over.
        held.execute("BEGIN")
        held.execute("SELECT count(*) FROM sqlite_master").fetchone()
        held.backup(copy, pages=_PAGES, progress=_let_in)
        held.execute("COMMIT")


def _let_in(_status: int, _remaining: int, _total: int) -> None:
    """Between two pieces an interruption gets in."""
