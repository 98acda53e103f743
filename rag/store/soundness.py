"""Whether an index is what the catalog says it is, and finds what it holds."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import CollectionError, UnreachableError
from rag.store.crashes import crashes
from rag.store.vectors import VectorIndex

if TYPE_CHECKING:
    from rag.store.catalog import Catalog
    from rag.store.places import Place

_LOG = logging.getLogger(__name__)

# So many stored vectors are looked for when an index is opened, each among as many.
_SAMPLED = 16
# Of a large index, whose graph is searched only in part, some may miss themselves by chance (0 of
# 400 did among 60,000); of a small one none does.
_SMALL = 1_000
_MISSES_BY_CHANCE = 3
# Passages of the same text have one vector, and find each other.
_SAME_COSINE = 0.9999


def open_sound(catalog: Catalog, place: Place) -> VectorIndex | None:
    """The index at a place if it is the one that the catalog knows, and whole.

    Raises:
        UnreachableError: it is on a server that cannot be asked.
    """
    if isinstance(place, Path) and crashes(place):
        _LOG.warning("%s: Chroma crashed on it, so it is made again", place)
        return None
    chroma_id, (least, most) = catalog.meta().get("chroma_id"), bounds(catalog)
    try:
        with ExitStack() as undo:
            index = VectorIndex(place, create=False)
            undo.callback(index.close)
            held = index.count()
            # Somebody may be writing: what holds before or after is enough.
            least_now, most_now = bounds(catalog)
            is_whole = min(least, least_now) <= held <= max(most, most_now)
            if index.id == chroma_id and is_whole and _finds_its_own(index, catalog):
                undo.pop_all()
                return index
    except UnreachableError:
        raise
    except CollectionError as error:
        _LOG.warning("%s", error)
    return None


def bounds(catalog: Catalog) -> tuple[int, int]:
    """How many passages an index holds at least and at most, if it followed this very catalog.

    It holds more where an older catalog was put back in its place.
    """
    upto = int(catalog.meta().get("indexed_upto", 0))
    return catalog.passages_upto(upto), catalog.passages_ever_indexed()


def _finds_its_own(index: VectorIndex, catalog: Catalog) -> bool:
    """Whether stored vectors find themselves: of a graph that is lost Chroma says nothing."""
    upto = int(catalog.meta().get("indexed_upto", 0))
    missed = 0
    for after in range(0, upto, upto // _SAMPLED + 1):
        ids, vectors = catalog.vectors_after(after, 1)
        if not ids or ids[0] > upto:
            continue
        found = index.nearest(vectors[0], _SAMPLED)
        _, twins = catalog.vectors_after(found[0] - 1, 1) if found else ([], vectors[:0])
        missed += ids[0] not in found and not any(v @ vectors[0] > _SAME_COSINE for v in twins)
    if missed > (_MISSES_BY_CHANCE if upto > _SMALL else 0):
        _LOG.warning("%s: %d of %d passages do not find themselves", index.place, missed, _SAMPLED)
        return False
    return True
