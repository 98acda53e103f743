"""A collection for others: its papers as JSON lines, its vectors as numbers, no history.

``papers.jsonl`` has a paper a line, ``vectors.f32`` its passages' vectors in the same order
(float32, little-endian, ``dimension`` numbers each). No SQLite file: whoever imports it need not
trust the layout of one.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rag.backup.archive import pack, replaceable
from rag.backup.drafts import draft_beside
from rag.backup.manifest import SHARED
from rag.backup.saving import Saved, manifest_of
from rag.backup.snapshot import CATALOG, take_catalog
from rag.schema import Filters, Passage
from rag.store import database
from rag.store.catalog import Catalog, StoredPaper
from rag.store.database import in_words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PAPERS = "papers.jsonl"
VECTORS = "vectors.f32"
_PAGE = 200


def export_collection(directory: Path, file: Path, filters: Filters | None = None) -> Saved:
    """Write the papers that the filters let through, with their vectors, to one file.

    What was asked and answered is no part of it. What stood at ``file`` stays until the new one
    is whole.

    Raises:
        CollectionError: the collection cannot be read.
        StorageError: the disk refuses.
    """
    file = replaceable(file)
    with draft_beside(file) as draft, in_words(file):
        take_catalog(directory, draft / CATALOG)
        with closing(Catalog(draft / CATALOG)) as catalog:
            manifest = manifest_of(catalog, SHARED)
            if filters:  # it is the fingerprint of all papers
                manifest = replace(manifest, fingerprint="")
            papers = passages = waiting = 0
            with (
                (draft / PAPERS).open("x", encoding="utf-8") as out,
                (draft / VECTORS).open("xb") as numbers,
            ):
                for line, vectors in _lines(catalog, filters or Filters()):
                    out.write(line)
                    numbers.write(vectors.astype("<f4").tobytes())
                    papers, passages = papers + 1, passages + len(vectors)
                    waiting += not len(vectors)
        counts = {"papers": papers, "passages": passages, "unembedded": waiting}
        members = {name: draft / name for name in (PAPERS, VECTORS)}
        manifest = pack(file, draft, replace(manifest, counts=counts), members)
    return Saved(file, file.stat().st_size, manifest)


def _lines(catalog: Catalog, filters: Filters) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Every paper as a line of JSON, with its vectors, shape (passages, dimension)."""
    earlier = _earlier_ids(catalog)
    papers = catalog.all_papers(filters)
    while page := list(itertools.islice(papers, _PAGE)):
        numbers = [held.number for held in page]
        passages: dict[int, list[Passage]] = {number: [] for number in numbers}
        for number, passage in catalog.passages_of(numbers):
            passages[number].append(passage)
        ids, vectors = catalog.vectors_of(numbers)
        rows = {id_: row for row, id_ in enumerate(ids)}
        for held in page:
            own = passages[held.number]
            known_as = [held.paper.id, *earlier.get(held.paper.id, ())]
            yield _line(held, own, known_as), vectors[[rows[passage.id] for passage in own]]


def _earlier_ids(catalog: Catalog) -> dict[str, list[str]]:
    """The ids of papers that were joined into others, by the id that they lead to."""
    found: dict[str, list[str]] = {}
    with closing(database.connect(catalog.path, write=False)) as connection:
        for old, new in connection.execute("SELECT old_id, new_id FROM redirects"):
            found.setdefault(new, []).append(old)
    return found


def _line(held: StoredPaper, passages: Sequence[Passage], known_as: Sequence[str]) -> str:
    paper = held.paper
    values = {
        "title": paper.title,
        "abstract": paper.abstract,
        "authors": paper.authors,
        "year": paper.year,
        "venue": paper.venue,
        "url": paper.url,
        "doi": paper.doi,
        "arxiv_id": paper.arxiv_id,
        "sources": paper.sources,
        "known_as": known_as,
        "passages": [(p.first, p.last, p.start, p.end) for p in passages],
    }
    return json.dumps(values, ensure_ascii=False) + "\n"
