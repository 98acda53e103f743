"""The history's SQLite file: layout, opening, transactions, and errors in words."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

from rag.errors import CollectionError, DamagedError, ForeignError, LockedError, StorageError
from rag.store.database import standing

FILE_NAME = "history.sqlite3"
APPLICATION_ID = 0x466F6F68  # "Fooh"
LAYOUT = 1

# `answers.record` stands last: listing and searching never read it.
# `answers.folded` is the question and the answer's text, folded, for searching.
_SCHEMA = (
    """CREATE TABLE conversations(
      id TEXT PRIMARY KEY,
      owner BLOB NOT NULL,
      started TEXT NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX conversations_owner ON conversations(owner)",
    """CREATE TABLE answers(
      id TEXT PRIMARY KEY,
      time TEXT NOT NULL,
      question TEXT NOT NULL,
      mode TEXT NOT NULL,
      model TEXT,
      declined TEXT,
      conversation TEXT REFERENCES conversations(id) ON DELETE CASCADE,
      folded TEXT NOT NULL,
      record TEXT NOT NULL
    )""",
    "CREATE INDEX answers_conversation ON answers(conversation, id)",
    """CREATE TABLE feedback(
      answer TEXT PRIMARY KEY REFERENCES answers(id) ON DELETE CASCADE,
      time TEXT NOT NULL,
      good INTEGER NOT NULL,
      comment TEXT NOT NULL
    ) WITHOUT ROWID""",
    f"PRAGMA application_id={APPLICATION_ID}",
    f"PRAGMA user_version={LAYOUT}",
)

_REFUSED = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_TOOBIG,
}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}


class HistoryFile:
    """One connection to the file, used by one thread at a time, opened when it is needed."""

    def __init__(self, path: Path, wait_s: float) -> None:
        self.path = path
        self._wait_s = wait_s
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """What a query finds; nothing where there is no history yet."""
        with self._session(create=False) as connection:
            return connection.execute(sql, parameters).fetchall() if connection else []

    def changed(self, sql: str, parameters: Sequence[Any]) -> int:
        """How many rows a statement changed; none where there is no history yet."""
        with self._session(create=False) as connection:
            return connection.execute(sql, parameters).rowcount if connection else 0

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection in a transaction that is committed at the end, unless something failed."""
        with self._session(create=True) as connection:
            assert connection is not None
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    def overwrite(self) -> None:
        """Bring deletions into the file, where they overwrite, and empty the log beside it.

        A reader in another process that stays longer than a write may wait keeps the log until
        the last process closes the history.
        """
        self.rows("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Let go of the file; it is opened again when it is needed again."""
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._opened = None

    @contextmanager
    def _session(self, *, create: bool) -> Iterator[sqlite3.Connection | None]:
        """The connection, for this thread alone; None where there is no file and none is made.

        After any error the connection is closed, which rolls back what was begun.
        """
        with self._lock, in_words(self.path):
            # A history that was moved away must not be written on.
            if self._connection is None or self._opened != standing(self.path):
                self._drop()
                self._connection = connect(self.path, create=create, wait_s=self._wait_s)
                self._opened = standing(self.path)
            try:
                yield self._connection
            except BaseException:
                self._drop()
                raise
            if not os.access(self.path.parent, os.W_OK):
                self._drop()  # what others write may not be seen through this connection


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise about ``path`` into a `CollectionError`."""
    try:
        yield
    except sqlite3.Error as error:
        raise _explained(error, path) from error
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from error


def _explained(error: sqlite3.Error, path: Path) -> CollectionError:
    """What SQLite said about the history at ``path``, in words; unknown errors are damage."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if code in _REFUSED:
        return _refused(path, str(error))
    if code in _BUSY:
        return LockedError(
            f"{path}: {error}; another process is writing to the history, try again when it ends; "
            "answers are not affected"
        )
    return damaged(path, str(error))


def _refused(path: Path, reason: str) -> StorageError:
    return StorageError(
        f"{path}: {reason}; the history cannot be used. Check that the disk has room and that you "
        "may write there, or do without with --no-history; answers are not affected"
    )


def damaged(path: Path, reason: str) -> DamagedError:
    """The error for a history that cannot be trusted, with the way on."""
    return DamagedError(
        f"{path}: {reason}; the history is damaged. Move {path.name}, and {path.name}-wal and -shm "
        "where they exist, away, and a new one is begun; papers and answers are not affected"
    )


def connect(path: Path, *, create: bool, wait_s: float) -> sqlite3.Connection | None:
    """Open the history in autocommit mode; None where there is none and none is to be made.

    A statement waits up to ``wait_s`` seconds for other writers.

    Raises:
        ForeignError: the file is no history, or one of a newer layout.
        StorageError: it cannot be opened, or not be made.
        DamagedError: SQLite cannot read it.
    """
    with in_words(path):
        if not create and not path.exists():
            return None
        connection = _at(path, create=create, wait_s=wait_s)
        try:
            if not _is_empty(connection):
                _check(connection, path)
            elif create:
                _lay_out(connection)
            else:
                connection.close()
                return None
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA synchronous=FULL")  # what was acknowledged stays
            connection.execute("PRAGMA secure_delete=ON")  # what is forgotten is overwritten
            # WAL lets readers and a writer work at once. Where it cannot be had (it is being
            # changed elsewhere, the file is read-only) they take turns, and nothing else changes.
            with suppress(sqlite3.OperationalError):
                connection.execute("PRAGMA journal_mode=WAL")
        except BaseException:
            connection.close()
            raise
    return connection


def _at(path: Path, *, create: bool, wait_s: float) -> sqlite3.Connection:
    # SQLite itself makes the file, and not by renaming a finished one: it then drops a WAL that
    # an earlier history left under that name instead of playing it into the new one.
    uri = f"{path.parent.resolve().as_uri()}/{path.name}"
    try:
        return _connected(f"{uri}?mode={'rwc' if create else 'rw'}", wait_s)
    except sqlite3.OperationalError:
        # WAL needs to write beside the file even to read. Without a WAL nothing is missing in
        # the file itself.
        wal = path.with_name(path.name + "-wal")
        if create or os.access(path.parent, os.W_OK) or (wal.exists() and wal.stat().st_size):
            raise
        return _connected(f"{uri}?mode=ro&immutable=1", wait_s)


def _connected(uri: str, wait_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, timeout=wait_s, check_same_thread=False
    )
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
    except BaseException:
        connection.close()
        raise
    return connection


def _marks(connection: sqlite3.Connection) -> tuple[int, int]:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (layout,) = connection.execute("PRAGMA user_version").fetchone()
    return application, layout


def _is_empty(connection: sqlite3.Connection) -> bool:
    """Whether the file was made and nothing was laid out in it yet."""
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return tables == 0 and _marks(connection) == (0, 0)


def _check(connection: sqlite3.Connection, path: Path) -> None:
    application, layout = _marks(connection)
    if application != APPLICATION_ID:
        raise ForeignError(
            f"{path} is an SQLite file, but not a history of Footnoted; move it away, and a new "
            "history is begun"
        )
    if layout > LAYOUT:
        raise ForeignError(
            f"{path} has layout {layout}, this version reads up to {LAYOUT}; update with "
            "'pip install --upgrade footnoted', or do without with --no-history"
        )


def _lay_out(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    if _is_empty(connection):  # nobody else was quicker
        for statement in _SCHEMA:
            connection.execute(statement)
    connection.execute("COMMIT")
