"""Opening the catalog's SQLite file: layout, checks, and errors in words."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from rag.errors import CollectionError, DamagedError, ForeignError, LockedError, StorageError

FILE_NAME = "catalog.sqlite3"
APPLICATION_ID = 0x466F6F74  # "Foot"
LAYOUT = 3
_IN_MAIN = "*** in database main *** "
TOKENIZER = "porter unicode61 remove_diacritics 2"

# `papers_fts` is an external-content index: the text stands once, in `papers`. No trigger inserts
# into it: SQLite ends a statement that fires one with a savepoint, for which FTS5 writes out what
# it holds in memory, so each paper became a segment of its own, to be merged (a quarter of the
# time of adding).
# `narrow` holds what filters look at, folded, so that a filter never reads an abstract.
# `records.run` is the last add in which a source gave this version of a paper.
# `vectors` stands apart from `passages` so that reading spans does not drag vectors along.
_SCHEMA = f"""
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE papers(
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  title TEXT NOT NULL,
  abstract TEXT NOT NULL,
  authors TEXT NOT NULL,
  year INTEGER,
  venue TEXT,
  url TEXT,
  doi TEXT,
  arxiv_id TEXT,
  sentences TEXT NOT NULL,
  added_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
);
CREATE TABLE narrow(
  paper INTEGER PRIMARY KEY REFERENCES papers(number) ON DELETE CASCADE,
  year INTEGER,
  authors TEXT NOT NULL,
  venue TEXT NOT NULL,
  sources TEXT NOT NULL
);
CREATE TABLE aliases(
  alias TEXT NOT NULL,
  paper INTEGER NOT NULL REFERENCES papers(number) ON DELETE CASCADE,
  PRIMARY KEY(alias, paper)
) WITHOUT ROWID;
CREATE INDEX aliases_paper ON aliases(paper);
CREATE TABLE redirects(old_id TEXT PRIMARY KEY, new_id TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE records(
  source TEXT NOT NULL,
  hash BLOB NOT NULL,
  paper INTEGER NOT NULL REFERENCES papers(number) ON DELETE CASCADE,
  run INTEGER NOT NULL,
  UNIQUE(source, hash)
);
CREATE INDEX records_paper ON records(paper);
CREATE TABLE unembedded(
  paper INTEGER PRIMARY KEY REFERENCES papers(number) ON DELETE CASCADE
);
CREATE TABLE passages(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  paper INTEGER NOT NULL REFERENCES papers(number) ON DELETE CASCADE,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  start INTEGER NOT NULL,
  end INTEGER NOT NULL
);
CREATE INDEX passages_paper ON passages(paper);
CREATE TABLE vectors(
  passage INTEGER PRIMARY KEY REFERENCES passages(id) ON DELETE CASCADE,
  vector BLOB NOT NULL
);
CREATE TABLE gone(passage INTEGER PRIMARY KEY);
CREATE TRIGGER passages_gone AFTER DELETE ON passages BEGIN
  INSERT OR IGNORE INTO gone(passage) VALUES (old.id);
END;
CREATE VIRTUAL TABLE papers_fts USING fts5(
  title, abstract, content='papers', content_rowid='number',
  tokenize='{TOKENIZER}'
);
CREATE VIRTUAL TABLE papers_terms USING fts5vocab(papers_fts, 'row');
CREATE TRIGGER papers_fts_delete AFTER DELETE ON papers BEGIN
  INSERT INTO papers_fts(papers_fts, rowid, title, abstract)
  VALUES ('delete', old.number, old.title, old.abstract);
END;
CREATE TRIGGER papers_fts_update AFTER UPDATE OF title, abstract ON papers BEGIN
  INSERT INTO papers_fts(papers_fts, rowid, title, abstract)
  VALUES ('delete', old.number, old.title, old.abstract);
  INSERT INTO papers_fts(rowid, title, abstract) VALUES (new.number, new.title, new.abstract);
END;
"""


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise about ``path`` into a `CollectionError`."""
    try:
        yield
    except sqlite3.Error as error:
        raise _explain(error, path) from error
    except OSError as error:
        raise StorageError(
            f"{path}: {error.strerror or error}; check that the disk has room and that you may "
            "write there, then run the same command again: nothing stored is lost"
        ) from error


def _explain(error: sqlite3.Error, path: Path) -> CollectionError:
    text = str(error)
    if "full" in text or "readonly" in text or "unable to open" in text or "disk I/O" in text:
        return StorageError(
            f"{path}: {text}; check that the disk has room and that you may write there, then "
            "run the same command again: nothing stored is lost"
        )
    if "locked" in text or "busy" in text:
        return LockedError(f"{path}: {text}; another process is using it, try again when it ends")
    return _damaged(path, text)


def _damaged(path: Path, text: str) -> DamagedError:
    return DamagedError(
        f"{path}: {text}; the catalog is damaged, and nothing is written to it. Restore a backup "
        "with 'footnoted restore FILE --force' ('footnoted doctor' names your last one and says "
        "how far the damage goes), or move the directory away and add your files again"
    )


def standing(path: Path) -> tuple[int, int] | None:
    """Which file stands at a path (device and number); None: none does."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """Open an existing catalog in autocommit mode; ``write=False`` can change nothing.

    Raises:
        ForeignError: the file is no catalog, or one of a newer layout.
        StorageError: it cannot be opened.
        DamagedError: SQLite cannot read it.
    """
    with in_words(path):
        connection = _open(path, write=write)
        try:
            _check(connection, path)
            connection.execute("PRAGMA foreign_keys=ON")
            if write:
                connection.execute("PRAGMA synchronous=FULL")  # what was acknowledged stays
            else:
                connection.execute("PRAGMA query_only=ON")
        except BaseException:
            connection.close()
            raise
    return connection


def _open(path: Path, *, write: bool) -> sqlite3.Connection:
    uri = path.resolve().as_uri()
    if write or os.access(path.parent, os.W_OK):
        return _connected(f"{uri}?mode=rw")
    try:
        return _connected(f"{uri}?mode=ro")
    except sqlite3.OperationalError:
        # WAL needs to write beside the file even to read. Without a WAL nothing is missing in the
        # file itself; with one, the file alone would be an old state.
        wal = path.with_name(path.name + "-wal")
        if wal.exists() and wal.stat().st_size:
            raise StorageError(
                f"{path} has changes in {wal.name} that cannot be read where you may not write; "
                "copy the whole directory to a place of your own and open it there"
            ) from None
        return _connected(f"{uri}?mode=ro&immutable=1")


def _connected(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, timeout=30.0, check_same_thread=False
    )
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (layout,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise ForeignError(
            f"{path} is an SQLite file, but not a Footnoted catalog; name another directory"
        )
    if layout > LAYOUT:
        raise ForeignError(
            f"{path} has layout {layout}, this version reads up to {LAYOUT}; "
            "update with 'pip install --upgrade footnoted'"
        )


def check_pages(path: Path) -> None:
    """Read every page of a catalog: about a second for a gigabyte that is in memory.

    Raises:
        DamagedError: one of them is not what it should be.
    """
    with closing(connect(path, write=False)) as connection, in_words(path):
        found = said(connection, "PRAGMA quick_check(1)")
    if found != ["ok"]:
        raise _damaged(path, "; ".join(found))


def said(connection: sqlite3.Connection, check: str) -> list[str]:
    """What a check of SQLite's says, a problem a line; ``["ok"]`` where there is none."""
    lines = [" ".join(str(row[0]).split()) for row in connection.execute(check)]
    return [line.removeprefix(_IN_MAIN) for line in lines]


def create(path: Path) -> None:
    """Make an empty catalog at ``path``; a process killed meanwhile leaves no half of one.

    Raises:
        StorageError: the directory cannot be written.
    """
    with in_words(path):
        draft = path.with_suffix(f".{os.getpid()}.new")
        draft.unlink(missing_ok=True)
        connection = sqlite3.connect(draft, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(_SCHEMA)
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={LAYOUT}")
        finally:
            connection.close()  # folds the WAL into the file
        draft.replace(path)
