"""Bringing Chroma up to the catalog: the part of whoever holds the lock of a collection."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import CollectionError, UnreachableError
from rag.store.places import IndexHome, ServerPlace, new_place, noted_place
from rag.store.soundness import misses, open_sound
from rag.store.vectors import VectorIndex, check_server, erase

if TYPE_CHECKING:
    from rag.store.collection import Collection, Tick
    from rag.store.writing import CatalogWriter

_LOG = logging.getLogger(__name__)
_BATCH = 500


class Follower:
    """Brings Chroma up to the catalog; used by whoever holds the lock."""

    def __init__(self, collection: Collection, writer: CatalogWriter) -> None:
        self._collection = collection
        self._catalog = collection.catalog
        self._writer = writer
        self.index: VectorIndex | None = None
        meta = self._catalog.meta()
        self.chroma_id = meta.get("chroma_id", "")
        self.upto = int(meta.get("indexed_upto", 0))

    def follow(self) -> None:
        """Add what is new, drop what is gone; opens Chroma only if there is something to do."""
        gone = self._writer.gone()
        if self._catalog.last_passage() <= self.upto and not gone:
            return
        if self.index is None:
            self.index = (
                open_sound(self._catalog, self._collection.place) if self.chroma_id else None
            )
        if self.index is None:
            self.mend()
            return
        for upto in self._fill(self.index):
            self.upto = upto
            self._writer.indexed(upto, ())
        if gone:
            self.index.delete(gone)
            self._writer.indexed(self.upto, gone)

    def mend(self) -> None:
        """Make an index anew that is not there or of no use."""
        if self.chroma_id:
            _LOG.warning(
                "the index of %s is missing or damaged; it is made again",
                self._collection.directory,
            )
        self.replace()

    def replace(self, on_tick: Tick | None = None, home: IndexHome | None = None) -> None:
        """Make the index anew in a place of its own; others search the old one meanwhile.

        With ``home`` it is made there, otherwise where the old one is.
        """
        old = self._collection.place
        server = self._collection.server_of_next() if home is None else home.server
        number = int(self._catalog.meta().get("chroma_directory", "0")) + 1
        path = self._collection.chroma.with_name(str(number))
        if path.parent.is_file():
            erase(path.parent)
        known = {server, self._collection.home.server}
        if isinstance(old, ServerPlace):
            known.add(old.url)
        self._discard(path, known)  # what a process that was killed left there
        if server is not None:
            # Before there is a note about an index that was not made.
            check_server(server, home or self._collection.home, self._collection.directory)
        place = new_place(path, server, home or self._collection.home)
        gone = self._writer.gone()
        index = VectorIndex(place, create=True)
        try:
            self._fill_anew(index, on_tick)
            self._writer.set_meta(
                chroma_directory=str(number),
                chroma_name=place.name if isinstance(place, ServerPlace) else "",
                chroma_id=index.id,
                indexed_upto=str(self.upto),
                chroma_misses=str(misses(index, self._catalog, self.upto)),
            )
        except BaseException:
            index.close()
            raise
        self.index, self.chroma_id = index, index.id
        self._writer.indexed(self.upto, gone)
        for other in path.parent.iterdir():
            if other != path:
                self._discard(other, known)

    def _fill_anew(self, index: VectorIndex, on_tick: Tick | None) -> None:
        self.upto = 0
        total = self._catalog.passages_upto(self._catalog.last_passage())
        for upto in self._fill(index):
            self.upto = upto
            if on_tick:
                on_tick(self._catalog.passages_upto(upto), total)

    def _discard(self, path: Path, known: set[str | None]) -> None:
        """Delete an index that is not in use; servers that are not ``known`` are left alone."""
        place = noted_place(path, self._collection.home)
        if place is not None and place.url in known:
            try:
                erase(place)
            except UnreachableError as error:
                _LOG.warning("%s, so it keeps %s, which nobody uses", error.reason, place.name)
            except CollectionError as error:
                _LOG.warning("%s keeps %s, which nobody uses (%s)", place, place.name, error)
        erase(path)

    def _fill(self, index: VectorIndex) -> Iterator[int]:
        """Upsert what lies beyond the mark; yields how far it has come."""
        while True:
            ids, vectors = self._catalog.vectors_after(self.upto, _BATCH)
            if not ids:
                return
            index.upsert(ids, vectors)
            yield ids[-1]

    def hand_over(self) -> None:
        """Let the collection search with the index that was just written."""
        if self.index is not None:
            self._collection.use(self.index, self.chroma_id, self.upto)
