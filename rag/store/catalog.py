"""Reading the catalog: papers, passages, vectors, and full-text search over them.

Papers are counted by ``number`` (their row) inside the store; the outside sees ids.
"""

from __future__ import annotations

import json
import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from rag.errors import DamagedError, UnknownPaperError
from rag.ingest.identity import title_alias
from rag.schema import Filters, Paper, Passage, Sentence
from rag.store import database
from rag.store.database import TOKENIZER
from rag.store.words import STOP_WORDS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# bm25() scores every row that matches any term, so its cost is the sum of the terms' document
# frequencies. The commonest terms are left out once that sum passes this many rows: at 50,000
# abstracts 60,000 rows cost about 60 ms and 12,000 about 12 ms, with the same nDCG on SciFact.
MAX_SCORED_ROWS = 12_000
TITLE_WEIGHT = 2.0

_WORD = re.compile(r"[^\W_]+(?:[-.'’/][^\W_]+)*")
_SURROGATE = re.compile("[\ud800-\udfff]")
_MAX_INTEGER = 2**63 - 1  # SQLite's
_PART = re.compile(r"[^\W_]+")
COLUMNS = "number, id, title, abstract, authors, year, venue, url, doi, arxiv_id, sentences"


@dataclass(frozen=True, slots=True)
class StoredPaper:
    """A paper with its row number and the offsets of its sentences, in order."""

    number: int
    paper: Paper
    spans: tuple[tuple[int, int], ...]

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        """The paper's sentences, in order."""
        return tuple(Sentence(self.paper.id, i, s, e) for i, (s, e) in enumerate(self.spans))

    @property
    def texts(self) -> tuple[str, ...]:
        """The sentences' texts, verbatim."""
        return tuple(self.paper.abstract[start:end] for start, end in self.spans)


def fold(text: str) -> str:
    """Case and accents folded, for filters: ``Müller`` and ``muller`` are the same."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def storable(text: str) -> str:
    """The text as SQLite can take it: replacement characters for lone surrogates."""
    return _SURROGATE.sub("\ufffd", text)


class Catalog:
    """Read access to a catalog, from any thread; idle connections are used again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._idle: SimpleQueue[tuple[tuple[int, int] | None, sqlite3.Connection]] = SimpleQueue()

    @contextmanager
    def _borrowed(self) -> Iterator[sqlite3.Connection]:
        """A connection to the file that stands there now, not to one that was there before it."""
        standing = database.standing(self.path)
        connection = self._idle_for(standing) or database.connect(self.path, write=False)
        try:
            yield connection
        finally:
            self._idle.put((standing, connection))

    def _idle_for(self, standing: tuple[int, int] | None) -> sqlite3.Connection | None:
        while True:
            try:
                opened, connection = self._idle.get_nowait()
            except Empty:
                return None
            if opened == standing:
                return connection
            connection.close()

    def _rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with database.in_words(self.path), self._borrowed() as connection:
            return connection.execute(sql, parameters).fetchall()

    def close(self) -> None:
        """Close all connections; one that is in use then is closed by nobody, so stop first."""
        while not self._idle.empty():
            self._idle.get()[1].close()

    # -- what there is

    def meta(self) -> dict[str, str]:
        """Settings and marks stored with the collection."""
        return dict(self._rows("SELECT key, value FROM meta"))

    def counts(self) -> dict[str, int]:
        """How many ``papers``, ``passages`` and ``unembedded`` papers there are."""
        tables = ("papers", "passages", "unembedded")
        sql = ", ".join(f"(SELECT count(*) FROM {table})" for table in tables)
        return dict(zip(tables, self._rows(f"SELECT {sql}")[0], strict=True))

    def last_passage(self) -> int:
        """The highest id that a passage with a vector has; 0 when there is none."""
        return int(self._rows("SELECT coalesce(max(passage), 0) FROM vectors")[0][0])

    def passages_upto(self, passage: int) -> int:
        """How many passages have this id or a lower one."""
        return int(self._rows("SELECT count(*) FROM passages WHERE id <= ?", (passage,))[0][0])

    def passages_ever_indexed(self) -> int:
        """How many passages there are, with those that were dropped but may stand in Chroma."""
        sql = "SELECT (SELECT count(*) FROM passages) + (SELECT count(*) FROM gone)"
        return int(self._rows(sql)[0][0])

    # -- papers

    def find(self, name: str) -> StoredPaper | None:
        """The paper with this id (followed through joins), DOI, arXiv id or exact title.

        Raises:
            UnknownPaperError: several papers have this title.
        """
        name = storable(name)
        found = self._by("id = ?", (self._redirected(name),))
        if not found:
            bare = re.sub(r"^(https?://(dx\.)?doi\.org/|doi:)", "", name.strip(), flags=re.I)
            arxiv = re.sub(r"^(https?://arxiv\.org/abs/|arxiv:)", "", name.strip(), flags=re.I)
            arxiv = re.sub(r"v\d+$", "", arxiv)
            aliases = [f"doi:{bare.casefold()}", f"arxiv:{arxiv.casefold()}", title_alias(name)]
            found = self._by(
                "number IN (SELECT paper FROM aliases WHERE alias IN (?, ?, ?))", aliases
            )
        if len(found) > 1:
            ids = ", ".join(held.paper.id for held in found)
            raise UnknownPaperError(
                f"{len(found)} papers are called {name!r}; name one by its id: {ids}"
            )
        return found[0] if found else None

    def _redirected(self, paper_id: str) -> str:
        rows = self._rows("SELECT new_id FROM redirects WHERE old_id = ?", (paper_id,))
        return str(rows[0][0]) if rows else paper_id

    def _by(self, condition: str, parameters: Sequence[Any]) -> list[StoredPaper]:
        return self._papers(
            self._rows(f"SELECT {COLUMNS} FROM papers WHERE {condition}", parameters)
        )

    def papers(self, numbers: Iterable[int]) -> dict[int, StoredPaper]:
        """Papers by number; numbers that are gone are left out."""
        rows = self._rows(
            f"SELECT {COLUMNS} FROM papers WHERE number IN (SELECT value FROM json_each(?))",
            (json.dumps(list(numbers)),),
        )
        return {stored.number: stored for stored in self._papers(rows)}

    def all_papers(self, filters: Filters | None = None) -> Iterator[StoredPaper]:
        """Every paper that the filters let through, in order of arrival."""
        last = 0
        condition, parameters = _condition(filters or Filters())
        while True:
            rows = self._rows(
                f"SELECT {COLUMNS} FROM papers WHERE number > ? AND number IN "
                f"(SELECT paper FROM narrow WHERE {condition}) ORDER BY number LIMIT 500",
                (last, *parameters),
            )
            if not rows:
                return
            yield from self._papers(rows)
            last = rows[-1][0]

    def _papers(self, rows: Sequence[tuple[Any, ...]]) -> list[StoredPaper]:
        sources: dict[int, dict[str, None]] = {row[0]: {} for row in rows}
        for number, source in self._rows(
            "SELECT paper, source FROM records WHERE paper IN (SELECT value FROM json_each(?)) "
            "ORDER BY rowid",
            (json.dumps(list(sources)),),
        ):
            sources[number][source] = None
        return [stored_paper(row, tuple(sources[row[0]])) for row in rows]

    def matching(self, filters: Filters) -> list[int]:
        """The numbers of the papers that the filters let through, ascending."""
        condition, parameters = _condition(filters)
        sql = f"SELECT paper FROM narrow WHERE {condition} ORDER BY paper"
        return [row[0] for row in self._rows(sql, parameters)]

    # -- passages and vectors

    def passages_of(self, numbers: Iterable[int]) -> list[tuple[int, Passage]]:
        """All passages of these papers, each with its paper's number, in order of id."""
        return self._passages("paper", numbers)

    def passages(self, ids: Iterable[int]) -> list[tuple[int, Passage]]:
        """These passages, each with its paper's number, in order of id; missing ones left out."""
        return self._passages("passages.id", ids)

    def _passages(self, column: str, values: Iterable[int]) -> list[tuple[int, Passage]]:
        rows = self._rows(
            "SELECT passages.paper, passages.id, papers.id, first, last, start, end "
            "FROM passages JOIN papers ON papers.number = passages.paper "
            f"WHERE {column} IN (SELECT value FROM json_each(?)) ORDER BY passages.id",
            (json.dumps(list(values)),),
        )
        return [(row[0], Passage(*row[1:])) for row in rows]

    def vectors_of(self, numbers: Iterable[int]) -> tuple[list[int], NDArray[np.float32]]:
        """Passage ids of these papers and their vectors, shape (len(ids), dimension)."""
        return matrix(
            self._rows(
                "SELECT passage, vector FROM passages JOIN vectors ON passage = id "
                "WHERE paper IN (SELECT value FROM json_each(?)) ORDER BY passage",
                (json.dumps(list(numbers)),),
            )
        )

    def vectors_after(self, passage: int, limit: int) -> tuple[list[int], NDArray[np.float32]]:
        """The next passage ids above ``passage`` and their vectors, in order of id."""
        return matrix(
            self._rows(
                "SELECT passage, vector FROM vectors WHERE passage > ? ORDER BY passage LIMIT ?",
                (passage, limit),
            )
        )

    # -- full-text search

    def lexical(self, query: str) -> dict[int, float]:
        """BM25 over titles and abstracts: the numbers of all papers that match, with scores.

        Scores are positive, higher is better (FTS5 ``bm25()`` with its sign turned). Empty when
        no word of the query stands in any paper.
        """
        match = self._match(query)
        if not match:
            return {}
        # No LIMIT and no filter: bm25() scores every match anyway, and a condition on rowid
        # makes FTS5 start over for each row (500 ms for a filter that 3,000 papers pass).
        return dict(
            self._rows(
                f"SELECT rowid, -bm25(papers_fts, {TITLE_WEIGHT}, 1.0) FROM papers_fts "
                "WHERE papers_fts MATCH ?",
                (match,),
            )
        )

    def frequencies(self, terms: Iterable[str]) -> dict[str, int]:
        """In how many papers each index term stands; terms that stand in none are left out."""
        return dict(
            self._rows(
                "SELECT term, doc FROM papers_terms WHERE term IN (SELECT value FROM json_each(?))",
                (json.dumps(sorted(set(terms))),),
            )
        )

    def _match(self, query: str) -> str:
        """An FTS5 expression: the query's words, rarest first, as far as the budget goes."""
        words = content_words(query)
        parts = dict(zip(words, stems(words), strict=True))
        frequency = self.frequencies(term for terms in parts.values() for term in terms)
        # A compound stands in no more papers than its rarest part.
        rows = {w: min((frequency.get(t, 0) for t in parts[w]), default=0) for w in words}
        chosen: list[str] = []
        total = 0
        for word in sorted((w for w in words if rows[w]), key=lambda w: rows[w]):
            total += rows[word]
            if chosen and total > MAX_SCORED_ROWS:
                break
            chosen.append('"' + word.replace('"', '""') + '"')
        return " OR ".join(chosen)


def content_words(text: str) -> list[str]:
    """The words of a text that carry meaning, each once, in order; all of them if none does.

    A compound ("gpt-3.5") stands for itself, as a phrase, and for each of its parts.
    """
    words: list[str] = []
    for match in _WORD.finditer(text.casefold()):
        parts = _PART.findall(match.group())
        words += [match.group(), *parts] if len(parts) > 1 else parts
    words = [word for word in dict.fromkeys(words) if len(word) > 1 or word.isdigit()] or words
    return [word for word in words if word not in STOP_WORDS] or words


def stems(texts: Sequence[str]) -> list[list[str]]:
    """The index terms of each text, in order, as FTS5's own tokenizer makes them."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        connection.execute(f"CREATE VIRTUAL TABLE w USING fts5(text, tokenize='{TOKENIZER}')")
        connection.execute("CREATE VIRTUAL TABLE t USING fts5vocab(w, 'instance')")
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO w(rowid, text) VALUES (?, ?)", enumerate(texts))
        connection.execute("COMMIT")
        found: list[list[str]] = [[] for _ in texts]
        for term, row in connection.execute("SELECT term, doc FROM t ORDER BY doc, offset"):
            found[row].append(term)
        return found
    finally:
        connection.close()


def matrix(rows: Sequence[tuple[int, bytes]]) -> tuple[list[int], NDArray[np.float32]]:
    """Ids and vectors of (id, blob) rows; the matrix has shape (0, 0) when there are none.

    Raises:
        DamagedError: the vectors are not of one dimension.
    """
    import numpy as np

    if not rows:
        return [], np.empty((0, 0), np.float32)
    sizes = {len(row[1]) for row in rows}
    if len(sizes) > 1 or max(sizes) % 4 or not max(sizes):
        raise DamagedError(
            f"vectors of different lengths are stored ({min(sizes):,} to {max(sizes):,} bytes); "
            "run 'footnoted rebuild --embed'"
        )
    joined = b"".join(row[1] for row in rows)
    return [row[0] for row in rows], np.frombuffer(joined, np.float32).reshape(len(rows), -1)


def stored_paper(row: Sequence[Any], sources: tuple[str, ...]) -> StoredPaper:
    """A row of `COLUMNS` as a paper."""
    number, paper_id, title, abstract, authors, year, venue, url, doi, arxiv_id, sentences = row
    paper = Paper(
        paper_id,
        title,
        abstract,
        tuple(json.loads(authors)),
        year,
        venue,
        url,
        doi,
        arxiv_id,
        sources,
    )
    return StoredPaper(number, paper, tuple((s, e) for s, e in json.loads(sentences)))


def _condition(filters: Filters) -> tuple[str, list[Any]]:
    """An SQL condition on table ``narrow`` with its parameters."""
    parts, parameters = ["1"], list[Any]()
    for column, operator, value in (
        ("year", ">=", filters.year_from),
        ("year", "<=", filters.year_to),
    ):
        if value is not None:
            parts.append(f"{column} {operator} ?")
            parameters.append(max(-_MAX_INTEGER, min(_MAX_INTEGER, value)))
    for column, text in (
        ("authors", filters.author),
        ("venue", filters.venue),
        ("sources", filters.source),
    ):
        if text is not None:
            parts.append(f"instr({column}, ?) > 0")
            parameters.append(fold(storable(text)))
    return " AND ".join(parts), parameters
