"""Exact search: vectors of the catalog against one, a page at a time, so that memory stays flat."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rag.errors import DamagedError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rag.store.catalog import Catalog

    Page = tuple[list[int], NDArray[np.float32]]

PAGE_VECTORS = 8_192
"""Vectors that are held at a time: 12 MB of 384 numbers each."""

PAGE_PAPERS = 2_048


def pages_after(catalog: Catalog, passage: int, size: int = PAGE_VECTORS) -> Iterator[Page]:
    """The passages above id ``passage`` with their vectors, at most ``size`` at a time."""
    while True:
        ids, vectors = catalog.vectors_after(passage, size)
        if not ids:
            return
        yield ids, vectors
        passage = ids[-1]


def pages_of(catalog: Catalog, numbers: Sequence[int], size: int = PAGE_PAPERS) -> Iterator[Page]:
    """The passages of these papers with their vectors, those of ``size`` papers at a time."""
    for start in range(0, len(numbers), size):
        yield catalog.vectors_of(numbers[start : start + size])


def nearest(
    pages: Iterable[Page], vector: NDArray[np.float32], limit: int
) -> list[tuple[int, float]]:
    """The ``limit`` passages with the highest cosine to ``vector``, highest first, then by id.

    ``vector`` has shape (dimension,); it and the stored ones are of unit length.

    Raises:
        DamagedError: stored vectors have another dimension.
    """
    best: list[tuple[int, float]] = []
    for ids, vectors in pages:
        if ids:
            best = _best([*best, *_scored(ids, vectors, vector, limit)], limit)
    return best


def _scored(
    ids: Sequence[int], vectors: NDArray[np.float32], vector: NDArray[np.float32], limit: int
) -> list[tuple[int, float]]:
    """The ids that may be among the best, with their scores, in no order."""
    import numpy as np

    if vectors.shape[1] != len(vector):
        raise DamagedError(
            f"vectors of dimension {vectors.shape[1]} are stored, expected {len(vector)}; run "
            "'footnoted rebuild --embed'"
        )
    scores = vectors @ vector
    least = np.partition(scores, -limit)[-limit] if limit < len(ids) else -np.inf
    # Of equal ones all: which of them come first is for the ids to say.
    return [(ids[i], float(scores[i])) for i in np.flatnonzero(scores >= least).tolist()]


def _best(scored: list[tuple[int, float]], limit: int) -> list[tuple[int, float]]:
    return sorted(scored, key=lambda item: (-item[1], item[0]))[:limit]
