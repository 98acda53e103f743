"""Bringing a catalog of an earlier layout to the present one, a step for each layout.

Readers take every layout from 1 on as it is; the first writer brings it up, in one transaction.

- 1 to 2: a record says in which add its source last gave it (``records.run``). Some catalogs of
  layout 1 have that already.
- 2 to 3: whoever inserts a paper puts it into the full-text index, not a trigger.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping

from rag.store.database import LAYOUT

_RECORDS = """
CREATE TABLE records_2(
  source TEXT NOT NULL,
  hash BLOB NOT NULL,
  paper INTEGER NOT NULL REFERENCES papers(number) ON DELETE CASCADE,
  run INTEGER NOT NULL,
  UNIQUE(source, hash)
)"""


def _add_runs(connection: sqlite3.Connection) -> None:
    if "run" in columns(connection, "records"):
        return
    connection.execute(_RECORDS)
    # Their order is that in which a paper's sources are named.
    connection.execute(
        "INSERT INTO records_2(rowid, source, hash, paper, run) "
        "SELECT rowid, source, hash, paper, 0 FROM records"
    )
    connection.execute("DROP TABLE records")
    connection.execute("ALTER TABLE records_2 RENAME TO records")
    connection.execute("CREATE INDEX records_paper ON records(paper)")


def _drop_insert_trigger(connection: sqlite3.Connection) -> None:
    connection.execute("DROP TRIGGER papers_fts_insert")


_STEPS: Mapping[int, Callable[[sqlite3.Connection], None]] = {
    1: _add_runs,
    2: _drop_insert_trigger,
}


def columns(connection: sqlite3.Connection, table: str) -> list[str]:
    """The names of a table's columns, in order."""
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def layout_of(connection: sqlite3.Connection) -> int:
    """The layout that a catalog has."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a catalog to the present layout, inside the transaction that is open."""
    for layout in range(layout_of(connection), LAYOUT):
        _STEPS[layout](connection)
    connection.execute(f"PRAGMA user_version={LAYOUT}")
