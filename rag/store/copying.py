"""Rows out of an SQLite file from elsewhere into a new one that is laid out here.

A foreign file is never put in place: it may hold triggers, views or a schema that was written by
hand. Its tables must be laid out as ours are; then they are read, and nothing else of it.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from rag.errors import DamagedError, ForeignError
from rag.store import database, historyfile
from rag.store.database import in_words
from rag.store.migrations import columns

# Parents before children. Chroma is made anew, so `gone` says nothing.
_CATALOG_TABLES = (
    "meta", "papers", "narrow", "aliases", "redirects", "records", "unembedded", "passages",
    "vectors",
)  # fmt: skip
_HISTORY_TABLES = ("conversations", "answers", "feedback")
# Layout 1 had no runs: see `rag.store.migrations`.
_ABSENT = {("records", "run"): ("run INTEGER NOT NULL, ", "0")}
_FORMER = {"papers_fts_insert"}  # up to layout 2
_MAX_NAMES = 100
# SQLite and FTS5 write these themselves; they are not read.
_THEIRS = re.compile(r"sqlite_\w+|papers_fts_(data|idx|docsize|config|content)")
_SPACE = re.compile(r'[\s"]+')
_WAIT_S = 10.0


def copy_catalog(foreign: Path, path: Path) -> None:
    """Make a catalog at ``path`` with the rows of a file that is not trusted.

    Raises:
        ForeignError: it is no catalog, or one of a newer layout.
        DamagedError: its rows do not fit.
        StorageError: the disk refuses.
    """
    database.create(path)
    with in_words(path), closing(database.connect(path, write=True)) as target:
        marks = (database.APPLICATION_ID, database.LAYOUT)
        with _attached(target, foreign, marks):
            _copy(target, _CATALOG_TABLES)
            target.execute("INSERT INTO papers_fts(papers_fts) VALUES ('rebuild')")
            _copy_counters(target)


def copy_history(foreign: Path, path: Path) -> None:
    """Make a history at ``path`` with the rows of a file that is not trusted.

    Raises:
        ForeignError: it is no history, or one of a newer layout.
        DamagedError: its rows do not fit.
        StorageError: the disk refuses.
    """
    opened = historyfile.connect(path, create=True, wait_s=_WAIT_S)
    assert opened is not None
    marks = (historyfile.APPLICATION_ID, historyfile.LAYOUT)
    with in_words(path), closing(opened) as target, _attached(target, foreign, marks):
        _copy(target, _HISTORY_TABLES)


@contextmanager
def _attached(target: sqlite3.Connection, foreign: Path, marks: tuple[int, int]) -> Iterator[None]:
    """The foreign file, looked at and readable as ``theirs``, in a transaction of the target."""
    target.execute("PRAGMA trusted_schema=OFF")
    target.execute("PRAGMA cell_size_check=ON")
    target.execute("PRAGMA synchronous=OFF")  # flushed as a whole when it is complete
    target.execute("ATTACH ? AS theirs", (f"{foreign.resolve().as_uri()}?mode=ro&immutable=1",))
    _check_marks(target, marks)
    _check_layout(_layout(target, "main"), _layout(target, "theirs"))
    found = database.said(target, "PRAGMA theirs.quick_check(3)")
    if found != ["ok"]:
        raise DamagedError(f"it is damaged: {'; '.join(found)[:300]}")
    target.execute("PRAGMA trusted_schema=ON")  # for our own triggers; theirs do not exist
    target.execute("BEGIN")
    yield
    target.execute("COMMIT")
    target.execute("DETACH theirs")


def _check_marks(target: sqlite3.Connection, marks: tuple[int, int]) -> None:
    (application,) = target.execute("PRAGMA theirs.application_id").fetchone()
    (layout,) = target.execute("PRAGMA theirs.user_version").fetchone()
    if application != marks[0]:
        raise ForeignError("it is an SQLite file of another program")
    if not 1 <= layout <= marks[1]:
        raise ForeignError(
            f"it has layout {layout}, this version reads up to {marks[1]}; update with "
            "'pip install --upgrade footnoted'"
        )


def _layout(connection: sqlite3.Connection, schema: str) -> dict[str, str]:
    """Everything that a file defines, by name: its type and SQL, spaced alike."""
    rows = connection.execute(
        f"SELECT type, name, coalesce(sql, '') FROM {schema}.sqlite_master LIMIT {_MAX_NAMES}"
    )
    return {name: f"{kind}: {_SPACE.sub(' ', sql).replace(' (', '(')}" for kind, name, sql in rows}


def _check_layout(ours: Mapping[str, str], theirs: Mapping[str, str]) -> None:
    wanted = {name: sql for name, sql in ours.items() if not _THEIRS.fullmatch(name)}
    given = {
        name: sql
        for name, sql in theirs.items()
        if not _THEIRS.fullmatch(name) and name not in _FORMER
    }
    for (table, _), (definition, _) in _ABSENT.items():
        if table in wanted and given.get(table) == wanted[table].replace(definition, ""):
            given[table] = wanted[table]
    if given != wanted:
        odd = sorted(name for name in given.keys() | wanted if given.get(name) != wanted.get(name))
        raise ForeignError(f"its tables are not laid out as Footnoted's are ({odd[0][:60]!r})")


def _copy(target: sqlite3.Connection, tables: Sequence[str]) -> None:
    for table in tables:
        theirs = {row[1] for row in target.execute(f"PRAGMA theirs.table_info({table})")}
        names = columns(target, table)
        values = [name if name in theirs else _ABSENT[table, name][1] for name in names]
        if table == "records":  # their order is that in which a paper's sources are named
            names, values = ["rowid", *names], ["rowid", *values]
        target.execute(
            f"INSERT INTO main.{table}({', '.join(names)}) "
            f"SELECT {', '.join(values)} FROM theirs.{table}"
        )
        _check_types(target, table)


def _check_types(target: sqlite3.Connection, table: str) -> None:
    """Refuse what is not of its column's type: SQLite itself takes anything anywhere."""
    wrong = [
        f"typeof({name}) NOT IN ('{declared.lower()}', 'null')"
        for _, name, declared, *_ in target.execute(f"PRAGMA main.table_info({table})")
    ]
    if target.execute(f"SELECT 1 FROM main.{table} WHERE {' OR '.join(wrong)} LIMIT 1").fetchone():
        raise DamagedError(f"table {table} holds values of another type than its columns have")


def _copy_counters(target: sqlite3.Connection) -> None:
    """Numbers that were given once are not given again."""
    target.execute(
        "UPDATE main.sqlite_sequence SET seq = max(seq, coalesce("
        "(SELECT max(seq) FROM theirs.sqlite_sequence AS s WHERE s.name = "
        "main.sqlite_sequence.name AND typeof(seq) = 'integer'), 0))"
    )
