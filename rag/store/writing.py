"""Changing the catalog: every public call is one transaction, so a kill leaves all or nothing.

Whoever holds a `CatalogWriter` holds the collection's lock (see `rag.store.collection`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.errors import EmbedderMismatchError
from rag.ingest.identity import (
    SAME_PAPER_OVERLAP,
    normalise,
    paper_hash,
    paper_id,
    record_hash,
    strong_aliases,
    title_alias,
    word_overlap,
)
from rag.ingest.sentences import split_sentences
from rag.schema import Passage, Record
from rag.store import database, migrations
from rag.store.catalog import COLUMNS, StoredPaper, fold, stored_paper

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Pages (of 4 kB) that the log may grow to before they go into the file. A batch of records touches
# pages all over a large catalog; at SQLite's own 1,000 each batch wrote all of them twice, and
# committing took 40% longer at 300,000 papers.
_LOG_PAGES = 8_000
_FIELDS = ("year", "venue", "url", "doi", "arxiv_id")
# How a change begins, is undone, and ends.
_TRANSACTION = ("BEGIN IMMEDIATE", "ROLLBACK", "COMMIT")
_SAVEPOINT = ("SAVEPOINT step", "ROLLBACK TO step", "RELEASE step")


class Outcome(StrEnum):
    """What became of a record."""

    ADDED = "added"
    UPDATED = "updated"
    MERGED = "merged"
    UNCHANGED = "unchanged"


class CatalogWriter:
    """Write access to a catalog, from one thread; one of an earlier layout is brought up to date.

    With ``rehearse`` everything happens in one transaction that is never committed: each call
    gives what it would give, and nothing is changed.
    """

    def __init__(self, path: Path, *, rehearse: bool = False) -> None:
        self.path = path
        self._connection = database.connect(path, write=True)
        self._run: int | None = None
        self._rehearses = rehearse
        try:
            self._connection.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
            if rehearse:
                with database.in_words(path):
                    self._connection.execute("BEGIN IMMEDIATE")
            if migrations.layout_of(self._connection) < database.LAYOUT:
                with self._transaction() as connection:
                    migrations.migrate(connection)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; what was rehearsed is rolled back."""
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        begin, undo, end = _SAVEPOINT if self._rehearses else _TRANSACTION
        with database.in_words(self.path):
            self._connection.execute(begin)
            try:
                yield self._connection
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute(undo)
                raise
            self._connection.execute(end)

    # -- marks

    def set_meta(self, **marks: str) -> None:
        """Store settings and marks with the collection."""
        with self._transaction() as connection:
            _set_meta(connection, marks)

    # -- records in

    def put(self, records: Sequence[Record]) -> list[Outcome]:
        """Take records in; returns what became of each, in order.

        A record that a source gave before is unchanged, unless the source has since given
        another version of the paper. A record of a paper that is held fills in what was unknown;
        what the same source now says otherwise replaces what it said; a longer abstract replaces
        a shorter one. Papers that turn out to be one are joined.
        """
        with self._transaction() as connection:
            if self._run is None:
                (last,) = connection.execute("SELECT max(run) FROM records").fetchone()
                self._run = (last or 0) + 1
            return [_put(connection, record, self._run) for record in records]

    def received(self, records: Sequence[Record]) -> list[tuple[StoredPaper, bool]]:
        """The papers that these records, just put, belong to, and which wait for vectors."""
        found = []
        with database.in_words(self.path):
            for record in records:
                number, waits = self._connection.execute(
                    "SELECT paper, paper IN (SELECT paper FROM unembedded) FROM records "
                    "WHERE source = ? AND hash = ?",
                    (record.source, record_hash(record)),
                ).fetchone()
                found.append((_load(self._connection, number), bool(waits)))
        return found

    def lead(self, ids: Iterable[tuple[str, str]]) -> None:
        """Let the first id of each pair lead to the paper with the second, unless it is taken."""
        with self._transaction() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO redirects(old_id, new_id) SELECT ?1, ?2 "
                "WHERE NOT EXISTS (SELECT 1 FROM papers WHERE id = ?1)",
                ids,
            )

    def remove(self, number: int) -> None:
        """Remove a paper with all that belongs to it."""
        with self._transaction() as connection:
            _forget(connection, _load(connection, number))

    # -- passages and vectors

    def unembedded(self, after: int, limit: int) -> list[StoredPaper]:
        """Papers above number ``after`` that wait for passages and vectors."""
        with database.in_words(self.path):
            rows = self._connection.execute(
                f"SELECT {COLUMNS} FROM papers WHERE number IN "
                "(SELECT paper FROM unembedded WHERE paper > ? ORDER BY paper LIMIT ?) "
                "ORDER BY number",
                (after, limit),
            ).fetchall()
        return [stored_paper(row, ()) for row in rows]

    def put_passages(
        self,
        batch: Iterable[tuple[int, Sequence[Passage], NDArray[np.float32]]],
    ) -> int:
        """Store the passages of papers; returns how many.

        Each item is a paper's number, its passages (their ids are given here), and their
        vectors, shape (passages, dimension).

        Raises:
            EmbedderMismatchError: vectors of another dimension than that of the collection; then
                nothing is stored.
        """
        written = 0
        with self._transaction() as connection:
            for number, passages, vectors in batch:
                _check_dimension(connection, vectors.shape[1])
                for passage, vector in zip(passages, vectors, strict=True):
                    cursor = connection.execute(
                        "INSERT INTO passages(paper, first, last, start, end) "
                        "VALUES (?, ?, ?, ?, ?)",
                        (number, passage.first, passage.last, passage.start, passage.end),
                    )
                    connection.execute(
                        "INSERT INTO vectors(passage, vector) VALUES (?, ?)",
                        (cursor.lastrowid, vector.tobytes()),
                    )
                    written += 1
                connection.execute("DELETE FROM unembedded WHERE paper = ?", (number,))
        return written

    def forget_vectors(self) -> None:
        """Drop all passages, so that every paper is embedded anew."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM passages")
            connection.execute("INSERT OR IGNORE INTO unembedded SELECT number FROM papers")

    def rebuild_full_text(self) -> None:
        """Make the full-text index again from the papers."""
        with self._transaction() as connection:
            connection.execute("INSERT INTO papers_fts(papers_fts) VALUES ('rebuild')")

    # -- keeping Chroma in step

    def gone(self) -> list[int]:
        """Passages that were dropped but may still stand in Chroma."""
        with database.in_words(self.path):
            return [row[0] for row in self._connection.execute("SELECT passage FROM gone")]

    def indexed(self, upto: int, gone: Sequence[int]) -> None:
        """Chroma has every passage up to id ``upto`` and none of ``gone``."""
        with self._transaction() as connection:
            connection.executemany("DELETE FROM gone WHERE passage = ?", ((id_,) for id_ in gone))
            _set_meta(connection, {"indexed_upto": str(upto)})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _check_dimension(connection: sqlite3.Connection, dimension: int) -> None:
    row = connection.execute("SELECT value FROM meta WHERE key = 'dimension'").fetchone()
    if row and row[0] != str(dimension):
        raise EmbedderMismatchError(
            f"a vector of dimension {dimension} does not fit into a collection of dimension "
            f"{row[0]}; run 'footnoted rebuild --embed'"
        )


def _set_meta(connection: sqlite3.Connection, marks: dict[str, str]) -> None:
    connection.executemany("INSERT OR REPLACE INTO meta(key, value) VALUES (?, ?)", marks.items())


def _fingerprint(connection: sqlite3.Connection, change: int) -> None:
    """Add the hash of a paper that came (see `paper_hash`), or take away that of one that went."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'fingerprint'").fetchone()
    total = (int(row[0], 16) if row else 0) + change
    _set_meta(connection, {"fingerprint": f"{total % 2**128:032x}"})


def _load(connection: sqlite3.Connection, number: int) -> StoredPaper:
    sql = f"SELECT {COLUMNS} FROM papers WHERE number = ?"
    return stored_paper(connection.execute(sql, (number,)).fetchone(), ())


def _put(connection: sqlite3.Connection, record: Record, run: int) -> Outcome:
    digest = record_hash(record)
    seen = connection.execute(
        "SELECT paper, run FROM records WHERE source = ? AND hash = ?", (record.source, digest)
    ).fetchone()
    if seen is not None and _is_current(connection, record.source, seen, run):
        if seen[1] != run:
            connection.execute(
                "UPDATE records SET run = ? WHERE source = ? AND hash = ?",
                (run, record.source, digest),
            )
        return Outcome.UNCHANGED
    number = _same_paper(connection, record)
    if number is None:
        number, outcome = _insert(connection, record), Outcome.ADDED
    else:
        outcome = _merge(connection, number, record)
    if seen is None:  # no upsert: it would cost what a trigger does, see `rag.store.database`
        connection.execute(
            "INSERT INTO records(source, hash, paper, run) VALUES (?, ?, ?, ?)",
            (record.source, digest, number, run),
        )
    else:
        connection.execute(
            "UPDATE records SET paper = ?, run = ? WHERE source = ? AND hash = ?",
            (number, run, record.source, digest),
        )
    aliases = [*strong_aliases(record), title_alias(record.title)]
    connection.executemany(
        "INSERT OR IGNORE INTO aliases(alias, paper) VALUES (?, ?)",
        [(alias, number) for alias in aliases if alias],
    )
    if outcome is Outcome.ADDED:
        authors, year, venue = record.authors, record.year, record.venue
        _put_narrow(connection, number, authors, year, venue, [record.source])
    else:
        _refresh_narrow(connection, number)
    return outcome


def _is_current(
    connection: sqlite3.Connection, source: str, seen: tuple[int, int], run: int
) -> bool:
    """Whether what the source said of a paper in a run (``seen``) is the last it said of it.

    A file may hold two versions of one paper: both count as current when it is read again. Only
    a version that an earlier add of the file left behind does not.
    """
    newer = connection.execute(
        "SELECT 1 FROM records WHERE source = ? AND paper = ? AND run > ? AND run < ?",
        (source, *seen, run),
    )
    return newer.fetchone() is None


def _same_paper(connection: sqlite3.Connection, record: Record) -> int | None:
    """The number of the paper that this record is about.

    Papers that its DOI and arXiv id both lead to are one, and joined, unless their own DOIs or
    arXiv ids say otherwise. A title leads to one paper at most, the likest.
    """
    found = {
        int(row[0])
        for alias in strong_aliases(record)
        for row in connection.execute("SELECT paper FROM aliases WHERE alias = ?", (alias,))
    }
    if not found:
        return _same_title(connection, record)
    kept, *others = sorted(found)
    for other in others:
        a, b = _load(connection, kept).paper, _load(connection, other).paper
        if not _differ(a.doi, b.doi) and not _differ(a.arxiv_id, b.arxiv_id):
            _join(connection, kept, other)
    return kept


def _same_title(connection: sqlite3.Connection, record: Record) -> int | None:
    rows = connection.execute(
        "SELECT number, abstract, doi, arxiv_id FROM aliases JOIN papers ON number = paper "
        "WHERE alias = ?",
        (title_alias(record.title),),
    ).fetchall()
    likeness = {
        number: word_overlap(abstract, record.abstract)
        for number, abstract, doi, arxiv_id in rows
        if not _differ(doi, record.doi) and not _differ(arxiv_id, record.arxiv_id)
    }
    best = max(likeness, key=lambda number: (likeness[number], -number), default=None)
    return best if best is not None and likeness[best] >= SAME_PAPER_OVERLAP else None


def _differ(a: str | None, b: str | None) -> bool:
    return bool(a and b and a.casefold() != b.casefold())


def _insert(connection: sqlite3.Connection, record: Record) -> int:
    identity = paper_id(record.title, record.abstract)
    if connection.execute("SELECT 1 FROM papers WHERE id = ?", (identity,)).fetchone():
        # The same text under another DOI (a preprint and a reprint kept apart): its own id.
        identity = paper_id(f"{record.title} {record.doi} {record.arxiv_id}", record.abstract)
    now = _now()
    cursor = connection.execute(
        "INSERT INTO papers(id, title, abstract, authors, year, venue, url, doi, arxiv_id, "
        "sentences, added_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            identity,
            record.title,
            record.abstract,
            json.dumps(record.authors, ensure_ascii=False),
            *(getattr(record, field) for field in _FIELDS),
            json.dumps(split_sentences(record.abstract)),
            now,
            now,
        ),
    )
    number = int(cursor.lastrowid or 0)
    connection.execute(
        "INSERT INTO papers_fts(rowid, title, abstract) VALUES (?, ?, ?)",
        (number, record.title, record.abstract),
    )
    connection.execute("DELETE FROM redirects WHERE old_id = ?", (identity,))
    connection.execute("INSERT INTO unembedded(paper) VALUES (?)", (number,))
    _fingerprint(connection, paper_hash(identity, record.title, record.abstract))
    return number


def _merge(connection: sqlite3.Connection, number: int, record: Record) -> Outcome:
    stored = _load(connection, number)
    held = stored.paper
    speaks_again = _from_source(connection, number, record.source)
    outcome = Outcome.MERGED
    if _replaces(held.abstract, record.abstract, speaks_again=speaks_again):
        _replace_text(connection, stored, record)
        outcome = Outcome.UPDATED
    said: dict[str, Any] = {field: getattr(record, field) for field in _FIELDS}
    said["authors"] = json.dumps(record.authors, ensure_ascii=False) if record.authors else None
    known: dict[str, Any] = {field: getattr(held, field) for field in _FIELDS}
    known["authors"] = json.dumps(held.authors, ensure_ascii=False) if held.authors else None
    for field, value in said.items():
        corrects = speaks_again and field not in ("doi", "arxiv_id")
        if value is None or value == known[field] or not (known[field] is None or corrects):
            continue
        connection.execute(f"UPDATE papers SET {field} = ? WHERE number = ?", (value, number))
        outcome = Outcome.UPDATED if known[field] is not None else outcome
    connection.execute("UPDATE papers SET updated_at = ? WHERE number = ?", (_now(), number))
    return outcome


def _replaces(held: str, given: str, *, speaks_again: bool) -> bool:
    """Whether an abstract takes the place of the one that is held.

    From the same source any change counts ("p < 0.05" is not "p > 0.05"), except a text of less
    than half the length: that is a stub, or another file of the same name.
    """
    if speaks_again:
        return given != held and len(given) >= len(held) / 2
    return normalise(given) != normalise(held) and len(given) > len(held)


def _from_source(connection: sqlite3.Connection, number: int, source: str) -> bool:
    sql = "SELECT 1 FROM records WHERE paper = ? AND source = ?"
    return connection.execute(sql, (number, source)).fetchone() is not None


def _replace_text(connection: sqlite3.Connection, stored: StoredPaper, record: Record) -> None:
    held = stored.paper
    _fingerprint(connection, -paper_hash(held.id, held.title, held.abstract))
    connection.execute("DELETE FROM passages WHERE paper = ?", (stored.number,))
    connection.execute(
        "UPDATE papers SET title = ?, abstract = ?, sentences = ? WHERE number = ?",
        (
            record.title,
            record.abstract,
            json.dumps(split_sentences(record.abstract)),
            stored.number,
        ),
    )
    connection.execute("INSERT OR IGNORE INTO unembedded(paper) VALUES (?)", (stored.number,))
    _fingerprint(connection, paper_hash(held.id, record.title, record.abstract))


def _join(connection: sqlite3.Connection, kept: int, other: int) -> None:
    """Make two papers one: the older keeps its text, the newer's id leads to it from now on."""
    gone = _load(connection, other)
    target = _load(connection, kept).paper
    for field in (*_FIELDS, "authors"):
        empty = "[]" if field == "authors" else None
        connection.execute(
            f"UPDATE papers SET {field} = (SELECT {field} FROM papers WHERE number = ?) "
            f"WHERE number = ? AND {field} IS ?",
            (other, kept, empty),
        )
    connection.execute("UPDATE OR IGNORE records SET paper = ? WHERE paper = ?", (kept, other))
    connection.execute("UPDATE OR IGNORE aliases SET paper = ? WHERE paper = ?", (kept, other))
    _forget(connection, gone)
    connection.execute(
        "UPDATE redirects SET new_id = ? WHERE new_id = ?", (target.id, gone.paper.id)
    )
    connection.execute(
        "INSERT OR REPLACE INTO redirects(old_id, new_id) VALUES (?, ?)",
        (gone.paper.id, target.id),
    )


def _forget(connection: sqlite3.Connection, stored: StoredPaper) -> None:
    held = stored.paper
    _fingerprint(connection, -paper_hash(held.id, held.title, held.abstract))
    # Passages by hand: rows that go by cascade fire no triggers unless recursive ones are on.
    connection.execute("DELETE FROM passages WHERE paper = ?", (stored.number,))
    connection.execute("DELETE FROM papers WHERE number = ?", (stored.number,))


def _refresh_narrow(connection: sqlite3.Connection, number: int) -> None:
    authors, year, venue = connection.execute(
        "SELECT authors, year, venue FROM papers WHERE number = ?", (number,)
    ).fetchone()
    sources = connection.execute(
        "SELECT source FROM records WHERE paper = ? GROUP BY source ORDER BY min(rowid)",
        (number,),
    )
    connection.execute("DELETE FROM narrow WHERE paper = ?", (number,))
    _put_narrow(connection, number, json.loads(authors), year, venue, [row[0] for row in sources])


def _put_narrow(
    connection: sqlite3.Connection,
    number: int,
    authors: Iterable[str],
    year: int | None,
    venue: str | None,
    sources: Iterable[str],
) -> None:
    connection.execute(
        "INSERT INTO narrow(paper, year, authors, venue, sources) VALUES (?, ?, ?, ?, ?)",
        (number, year, fold("\n".join(authors)), fold(venue or ""), fold("\n".join(sources))),
    )
