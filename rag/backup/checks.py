"""Whether what stands in a catalog can be true: every offset, every vector, every count.

Used on a copy before it becomes a backup, and on what was restored before it replaces anything.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from rag.backup.manifest import embedder_of
from rag.errors import DamagedError
from rag.ingest.identity import paper_hash
from rag.schema import Passage
from rag.store import database, exact
from rag.store.catalog import Catalog, StoredPaper

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PAGE = 500
# Rounding of float32 moves the length of a vector by less than a millionth.
_LENGTH_TOLERANCE = 1e-3
# What must not be found, and what it means.
_NEVER = {
    "papers that no filter finds": """
        SELECT count(*) FROM papers WHERE number NOT IN (SELECT paper FROM narrow)""",
    "papers whose authors are no list of names": """
        SELECT count(*) FROM papers WHERE CASE WHEN json_valid(authors) THEN
          json_type(authors) != 'array'
          OR EXISTS (SELECT 1 FROM json_each(authors) WHERE type != 'text')
        ELSE 1 END""",
    "passages without a vector": """
        SELECT count(*) FROM passages WHERE id NOT IN (SELECT passage FROM vectors)""",
    "papers that have no passage and wait for none": """
        SELECT count(*) FROM papers WHERE number NOT IN (SELECT paper FROM passages)
        AND number NOT IN (SELECT paper FROM unembedded)""",
}


def check_catalog(path: Path) -> Catalog:
    """Look at a whole catalog that nobody else uses; returns it, open.

    Raises:
        DamagedError: something in it cannot be true.
        CollectionError: it cannot be opened.
    """
    with closing(database.connect(path, write=False)) as connection, database.in_words(path):
        found = database.said(connection, "PRAGMA integrity_check(3)")
        if found != ["ok"]:
            raise DamagedError(f"the catalog is damaged: {'; '.join(found)[:300]}")
        if connection.execute("PRAGMA foreign_key_check").fetchone():
            raise DamagedError("the catalog is damaged: rows belong to papers that are gone")
        for what, sql in _NEVER.items():
            (count,) = connection.execute(sql).fetchone()
            if count:
                raise DamagedError(f"the catalog is damaged: {count:,} {what}")
    catalog = Catalog(path)
    try:
        _check_papers(catalog)
        _check_vectors(catalog)
    except (ValueError, TypeError) as error:  # sentences that are no list of pairs
        catalog.close()
        raise DamagedError(f"the catalog is damaged: {error}") from error
    except BaseException:
        catalog.close()
        raise
    return catalog


def _check_papers(catalog: Catalog) -> None:
    total, papers = 0, catalog.all_papers()
    while page := list(itertools.islice(papers, _PAGE)):
        passages: dict[int, list[Passage]] = {}
        for number, passage in catalog.passages_of([held.number for held in page]):
            passages.setdefault(number, []).append(passage)
        for held in page:
            total += paper_hash(held.paper.id, held.paper.title, held.paper.abstract)
            of_paper = passages.get(held.number, [])
            if not spans_fit(held) or (of_paper and not passages_fit(held, of_paper)):
                raise DamagedError(f"paper {held.paper.id}: offsets do not fit its abstract")
    if f"{total % 2**128:032x}" != catalog.meta().get("fingerprint", f"{0:032x}"):
        raise DamagedError("the texts are not those that were added: the fingerprint differs")


def spans_fit(held: StoredPaper) -> bool:
    """Whether a paper's sentences lie in its abstract, in order."""
    ends = [0, *(end for _, end in held.spans)]
    text = held.paper.abstract
    return all(
        type(start) is type(end) is int and before <= start < end <= len(text)
        for before, (start, end) in zip(ends, held.spans, strict=False)
    )


def passages_fit(held: StoredPaper, passages: Sequence[Passage]) -> bool:
    """Whether passages hold the sentences that they name, and together the whole abstract.

    A passage is a run of whole sentences, or a piece of one that is too long for the embedder.
    """
    spans, done = held.spans, 0
    for passage in passages:
        if not 0 <= passage.first < passage.last <= len(spans):
            return False
        start, end = spans[passage.first][0], spans[passage.last - 1][1]
        whole = (passage.start, passage.end) == (start, end)
        piece = passage.last == passage.first + 1 and start <= passage.start < passage.end <= end
        if not (whole or piece) or held.paper.abstract[done : passage.start].strip():
            return False
        done = passage.end
    return not held.paper.abstract[done:].strip()


def _check_vectors(catalog: Catalog) -> None:
    embedder = embedder_of(catalog.meta())
    for ids, vectors in exact.pages_after(catalog, 0):
        if str(vectors.shape[1]) != embedder.get("dimension") or not vectors_fit(vectors):
            raise DamagedError(
                f"the vectors of passages {ids[0]} to {ids[-1]} are damaged; mend it with "
                "'footnoted rebuild --embed'"
            )


def vectors_fit(vectors: NDArray[np.float32]) -> bool:
    """Whether vectors, shape (count, dimension), are of unit length."""
    import numpy as np

    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    return bool(np.all(np.abs(lengths - 1.0) < _LENGTH_TOLERANCE))
