"""What a collection holds, in figures: asked of its catalog without reading any abstract."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from rag.store import database


@dataclass(frozen=True, slots=True)
class Shelf:
    """Papers in all, papers by source (most first), and when the last was added (ISO, UTC)."""

    papers: int
    sources: tuple[tuple[str, int], ...]
    last_added: str | None


def shelf(directory: Path) -> Shelf:
    """The figures of the collection in a directory.

    Raises:
        CollectionError: the catalog cannot be read.
    """
    path = directory / database.FILE_NAME
    with database.in_words(path), closing(database.connect(path, write=False)) as connection:
        sources = connection.execute(
            "SELECT source, count(DISTINCT paper) AS papers FROM records "
            "GROUP BY source ORDER BY papers DESC, source"
        ).fetchall()
        papers, last = connection.execute("SELECT count(*), max(added_at) FROM papers").fetchone()
    return Shelf(papers, tuple(sources), last)
