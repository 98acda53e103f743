"""Whether an index is what the catalog says it is, and finds what it holds."""

from __future__ import annotations

import logging
from collections.abc import Mapping
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

_TRIES = 2  # a lock that somebody held, or a server that was busy, is no damage
# So many stored vectors are looked for when an index is opened, each among as many.
_SAMPLED = 16
# So many of them may miss themselves without a damage: 0 of 400 did among 60,000 abstracts, but one
# of seven where texts are all of one template.
_MISSES_BY_CHANCE = 3
# Passages of the same text have one vector, and find each other.
_SAME_COSINE = 0.9999


def open_sound(catalog: Catalog, place: Place) -> VectorIndex | None:
    """The index at a place if it is the one that the catalog knows, and whole.

    What is wrong with it otherwise goes to the log as information: the caller says what it does.

    Raises:
        UnreachableError: it is on a server that cannot be asked.
    """
    if isinstance(place, Path) and crashes(place):
        _LOG.info("%s: Chroma crashed on it", place)
        return None
    for _ in range(_TRIES):
        try:
            return _opened(catalog, place)
        except UnreachableError:
            raise
        except CollectionError as error:
            _LOG.info("%s", error)
    return None


def _opened(catalog: Catalog, place: Place) -> VectorIndex | None:
    marks, (least, most) = catalog.meta(), bounds(catalog)
    with ExitStack() as undo:
        index = VectorIndex(place, create=False)
        undo.callback(index.close)
        held = index.count()
        # Somebody may be writing: what holds before or after is enough.
        least_now, most_now = bounds(catalog)
        is_whole = min(least, least_now) <= held <= max(most, most_now)
        if (
            index.id == marks.get("chroma_id")
            and is_whole
            and _finds_its_own(index, catalog, marks)
        ):
            undo.pop_all()
            return index
    return None


def bounds(catalog: Catalog) -> tuple[int, int]:
    """How many passages an index holds at least and at most, if it followed this very catalog.

    It holds more where an older catalog was put back in its place.
    """
    upto = int(catalog.meta().get("indexed_upto", 0))
    return catalog.passages_upto(upto), catalog.passages_ever_indexed()


def _finds_its_own(index: VectorIndex, catalog: Catalog, marks: Mapping[str, str]) -> bool:
    """Whether stored vectors find themselves: of a graph that is lost Chroma says nothing.

    ``marks`` are the catalog's from before the index was opened: it need not hold what came since.
    """
    upto = int(marks.get("indexed_upto", 0))
    missed = misses(index, catalog, upto)
    if missed > _MISSES_BY_CHANCE + int(marks.get("chroma_misses", 0)):
        _LOG.info("%s: %d of %d passages miss themselves", index.place, missed, _SAMPLED)
        return False
    return True


def misses(index: VectorIndex, catalog: Catalog, upto: int) -> int:
    """How many of `_SAMPLED` passages with ids up to ``upto`` an index does not find.

    A few may be lost to a new one already, where many texts are alike.
    """
    first, _ = catalog.vectors_after(0, 1)
    below = first[0] - 1 if first else upto  # ids of vectors that were made anew begin high
    missed, seen = 0, set[int]()
    for after in range(below, upto, max(1, (upto - below) // _SAMPLED)):
        ids, vectors = catalog.vectors_after(after, 1)
        if not ids or ids[0] > upto or ids[0] in seen:
            continue
        seen.add(ids[0])
        found = index.nearest(vectors[0], _SAMPLED)
        _, twins = catalog.vectors_after(found[0] - 1, 1) if found else ([], vectors[:0])
        missed += ids[0] not in found and not any(v @ vectors[0] > _SAME_COSINE for v in twins)
    return missed
