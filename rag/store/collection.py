"""A collection: a directory with the catalog (the truth), and Chroma (an index of it).

One writer at a time holds the lock. The catalog is written first; ``indexed_upto`` in it says up
to which passage Chroma has followed. A reader takes what lies beyond that mark straight from the
catalog, so it sees every acknowledged passage whatever became of Chroma or of the process that
wrote; the next writer brings Chroma up to the mark again.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import (
    CollectionError,
    EmbedderMismatchError,
    ForeignError,
    LockedError,
    NoCollectionError,
    SettingError,
    UnreachableError,
)
from rag.settings import LOCAL
from rag.store import database, exact, last_backup
from rag.store.catalog import Catalog
from rag.store.commands import command
from rag.store.following import Follower
from rag.store.places import OWN_DIRECTORY, IndexHome, Place, ServerPlace, noted_place
from rag.store.replacing import refuse_set_aside
from rag.store.soundness import open_sound
from rag.store.vectors import VectorIndex, check_server
from rag.store.writing import CatalogWriter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rag.models.embedder import Embedder

_LOG = logging.getLogger(__name__)

CHROMA = "chroma"
LOCK = "lock"
# So long a writer waits for another before it says so.
SILENT_S = 1.0
# For so long a process that found every page of the catalog readable does not look again.
CHECKED_FOR_S = 300.0
# Passages that a reader scores straight from the catalog before it opens Chroma anew: 2,000
# vectors of 384 numbers cost about 4 ms.
MAX_TAIL = 2_000
# So long a search waits for another that has the index, and may be making it anew, before it
# searches exactly.
ASKED_FOR_S = 3.0
# Up to this many papers that a filter lets through are scored exactly; beyond, Chroma is asked
# for more and the rest filtered away (its own `where` costs 120 ms and more at 100,000).
MAX_EXACT_PAPERS = 4_000
MAX_OVERFETCH = 1_500

Tick = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Writing:
    """What the holder of the lock works with."""

    catalog: CatalogWriter
    follow: Callable[[], None]
    """Bring Chroma up to what the catalog holds."""


class Collection:
    """A collection directory, open for searching from any thread.

    ``home`` says where its index is made if it has none yet, and how a server is asked.

    Raises:
        NoCollectionError: there is none and ``create`` is false.
        ForeignError: the directory holds something else.
        StorageError: it cannot be created or opened.
        UnreachableError: it is to be created with its index on a server that cannot be used.
    """

    def __init__(self, directory: Path, *, create: bool, home: IndexHome = OWN_DIRECTORY) -> None:
        self.directory = directory
        self.home = home
        self._path = directory / database.FILE_NAME
        self._lock_for_index = threading.Lock()
        self._index: VectorIndex | None = None
        self._index_id = ""
        self._upto = 0
        self._remade_id = ""
        self._rests_until = 0.0
        self._checked: float | None = None
        with database.in_words(directory):
            stands = self._path.exists()
        if not stands:
            refuse_set_aside(directory)
            if (file := last_backup.last(directory)) is not None:
                raise NoCollectionError(
                    f"the catalog of {directory} is gone; move the directory away, then restore "
                    f"the last backup: {command('restore', directory, str(file))}"
                )
            if not create:
                raise NoCollectionError(
                    f"there is no collection at {directory}; make one with 'footnoted add FILES'"
                )
            self._create()
        database.connect(self._path, write=False).close()
        self.catalog = Catalog(self._path)

    def _create(self) -> None:
        if self.home.server is not None:
            try:
                check_server(self.home.server, self.home, self.directory)
            except UnreachableError as error:
                raise UnreachableError(
                    f"{error.reason}, so no collection was made; start or mend the server, or "
                    "leave --chroma (and FOOTNOTED_CHROMA) out: the index then gets a directory "
                    "of its own",
                    error.reason,
                ) from error
        with database.in_words(self.directory):
            self.directory.mkdir(parents=True, exist_ok=True)
            foreign = sorted(p.name for p in self.directory.iterdir() if not _is_ours(p.name))
        if foreign:
            raise ForeignError(
                f"{self.directory} is not empty and is no collection (it holds "
                f"{foreign[0]!r}); name a new directory"
            )
        with self._locked(timeout_s=30):
            if not self._path.exists():
                database.create(self._path)

    @property
    def is_written_to(self) -> bool:
        """Whether somebody holds the lock at the moment."""
        if not (self.directory / LOCK).exists() or not os.access(self.directory, os.W_OK):
            return False
        try:
            with self._locked(timeout_s=0.0):
                return False
        except LockedError:
            return True

    @contextmanager
    def _locked(self, timeout_s: float) -> Iterator[None]:
        from filelock import FileLock, Timeout

        lock = FileLock(self.directory / LOCK)
        with database.in_words(self.directory):
            try:
                try:
                    lock.acquire(timeout=min(timeout_s, SILENT_S))
                except Timeout:
                    if timeout_s <= SILENT_S:
                        raise
                    _LOG.warning("waiting for another process that writes to %s", self.directory)
                    lock.acquire(timeout=timeout_s - SILENT_S)
            except Timeout as error:  # also an OSError
                raise LockedError(
                    f"another process is writing to {self.directory} (waited {timeout_s:g} s); "
                    "wait until it ends, or stop it: nothing that it reported as added is lost"
                ) from error
        try:
            yield
        finally:
            lock.release()

    # -- the embedder

    def check_embedder(self, embedder: Embedder) -> None:
        """Refuse an embedder other than the one that made the vectors.

        The dimension is looked at when a vector is at hand: an endpoint has to be asked for it.

        Raises:
            EmbedderMismatchError: name or checksum differ.
        """
        meta = self.catalog.meta()
        names = ("embedder", "embedder_checksum")
        stored = tuple(meta[name] for name in names if name in meta)
        if stored and stored != (embedder.name, embedder.checksum):
            raise self._mismatch(f"{embedder.name!r} (checksum {embedder.checksum[:12]})")

    def check_dimension(self, dimension: int) -> None:
        """Refuse vectors of another dimension than those that are stored.

        Raises:
            EmbedderMismatchError: it differs.
        """
        if self.catalog.meta().get("dimension", str(dimension)) != str(dimension):
            raise self._mismatch(f"one of dimension {dimension}")

    def _mismatch(self, used: str) -> EmbedderMismatchError:
        meta = self.catalog.meta()
        return EmbedderMismatchError(
            f"{self.directory} was embedded with {meta['embedder']!r} (checksum "
            f"{meta['embedder_checksum'][:12]}, dimension {meta['dimension']}), in use is {used}; "
            "choose the first with --embedder, or embed everything anew: "
            f"{command('rebuild', self.directory, '--embed')}"
        )

    # -- the place of the index

    @property
    def chroma(self) -> Path:
        """The path of the index in use: its directory, or a note about the server it is on.

        Each index that is made anew gets a new one.
        """
        return self.directory / CHROMA / self.catalog.meta().get("chroma_directory", "0")

    @property
    def place(self) -> Place:
        """Where the index in use is, or would be if it were not missing."""
        noted = noted_place(path := self.chroma, self.home)
        is_ours = noted is not None and noted.name == self.catalog.meta().get("chroma_name")
        return noted if noted is not None and is_ours else path

    def server_of_next(self) -> str | None:
        """The server on which the next index is made: as the one in use; None for a directory."""
        place = self.place
        if isinstance(place, ServerPlace):
            return place.url
        return None if place.is_dir() else self.home.server

    def check_home(self) -> None:
        """Refuse a home other than where the index is.

        Raises:
            SettingError: it is elsewhere; a command moves it.
        """
        if (server := self.server_of_next()) != self.home.server:
            where = f"on {server}" if server else "in a directory of its own"
            moved = command("rebuild", self.directory, "--chroma", self.home.server or LOCAL)
            raise SettingError(
                f"the index of {self.directory} is {where}; leave --chroma out, or move it "
                f"(nothing is embedded): {moved}"
            )

    # -- writing

    def _writer(self, *, rehearse: bool = False) -> CatalogWriter:
        """A writer for whoever holds the lock, unless the catalog is damaged.

        Raises:
            DamagedError: a page of it cannot be read.
        """
        now = time.monotonic()
        if self._checked is None or now - self._checked > CHECKED_FOR_S:
            database.check_pages(self._path)
            self._checked = now
        return CatalogWriter(self._path, rehearse=rehearse)

    @contextmanager
    def writing(self, embedder: Embedder, timeout_s: float = 10.0) -> Iterator[Writing]:
        """Hold the lock and change the collection; Chroma follows before the lock is let go.

        Raises:
            LockedError: another process holds the lock for longer than ``timeout_s``.
            EmbedderMismatchError: the collection was made with another embedder.
        """
        with self._locked(timeout_s):
            self.check_embedder(embedder)
            writer = self._writer()
            follower = Follower(self, writer)
            try:
                follower.follow()
                yield Writing(writer, follower.follow)
                follower.follow()
            finally:
                writer.close()
                follower.hand_over()

    @contextmanager
    def rehearsing(self, embedder: Embedder, timeout_s: float = 10.0) -> Iterator[CatalogWriter]:
        """Hold the lock and change the catalog, but for nobody else, and only until the end.

        Raises:
            LockedError: another process holds the lock for longer than ``timeout_s``.
            EmbedderMismatchError: the collection was made with another embedder.
        """
        with self._locked(timeout_s):
            self.check_embedder(embedder)
            writer = self._writer(rehearse=True)
            try:
                yield writer
            finally:
                writer.close()

    def index_anew(self, on_tick: Tick | None = None) -> None:
        """Make Chroma again from the catalog, whatever embedder made its vectors.

        ``on_tick`` is called with vectors done and in all.

        Raises:
            LockedError: another process is writing.
        """
        with self._locked(timeout_s=10.0):
            writer = self._writer()
            try:
                follower = Follower(self, writer)
                follower.replace(on_tick)
                follower.hand_over()
            finally:
                writer.close()

    def rebuild(
        self,
        embedder: Embedder,
        *,
        embed: bool = False,
        home: IndexHome | None = None,
        on_tick: Tick | None = None,
    ) -> None:
        """Make Chroma and the full-text index again; with ``embed``, drop the vectors too.

        Papers whose vectors were dropped wait to be embedded (see `rag.adding`). With ``home``,
        Chroma's index moves there. ``on_tick`` is called with vectors done and in all. Others go
        on searching meanwhile.

        Raises:
            ModelError: the embedder cannot be used; then nothing is dropped.
        """
        with self._locked(timeout_s=10.0):
            if embed:
                embedder.embed_query("probe")
            else:
                self.check_embedder(embedder)
            writer = self._writer()
            try:
                if embed:
                    writer.forget_vectors()
                    writer.set_meta(**identity(embedder))
                writer.rebuild_full_text()
                follower = Follower(self, writer)
                follower.replace(on_tick, home)
                self.home = home or self.home
                follower.hand_over()
            finally:
                writer.close()

    # -- searching

    def nearest(
        self, vector: NDArray[np.float32], limit: int, allowed: Sequence[int] | None = None
    ) -> list[int]:
        """Numbers of the papers with the nearest passages, nearest first, each once.

        ``vector`` has shape (dimension,) and unit length; about ``limit`` passages are looked at.
        With ``allowed``, only papers of these numbers are given.

        Raises:
            EmbedderMismatchError: the vector has another dimension than the stored ones.
        """
        self.check_dimension(len(vector))
        if allowed is None:
            return self._papers_of(self._nearest_passages(vector, limit))
        if len(allowed) <= MAX_EXACT_PAPERS or not self._askable:
            pages = exact.pages_of(self.catalog, allowed)
            return self._papers_of([id_ for id_, _ in exact.nearest(pages, vector, limit)])
        share = len(allowed) / self.catalog.counts()["papers"]
        wanted = min(MAX_OVERFETCH, int(1.3 * limit / share))
        inside = set(allowed)
        numbers = self._papers_of(self._nearest_passages(vector, wanted))
        return [number for number in numbers if number in inside][:limit]

    def _papers_of(self, ids: list[int]) -> list[int]:
        numbers = {passage.id: number for number, passage in self.catalog.passages(ids)}
        return list(dict.fromkeys(numbers[id_] for id_ in ids if id_ in numbers))

    def _nearest_passages(self, vector: NDArray[np.float32], limit: int) -> list[int]:
        found, upto = list[int](), 0
        if self._lock_for_index.acquire(timeout=ASKED_FOR_S):
            try:
                found, upto = self._ask_index(vector, limit)
            finally:
                self._lock_for_index.release()
        beside = exact.nearest(exact.pages_after(self.catalog, upto), vector, limit)
        if not beside:
            return found
        if not found:
            return [id_ for id_, _ in beside]
        # The two lists meet by exact scores: Chroma's ids are scored from the catalog as well.
        numbers = {number for number, _ in self.catalog.passages(found)}
        ids, vectors = self.catalog.vectors_of(numbers)
        # A server may have followed further by now; what lies beyond the mark is in `beside`.
        wanted = {id_ for id_ in found if id_ <= upto}
        rows = [i for i, id_ in enumerate(ids) if id_ in wanted]
        known = ([ids[i] for i in rows], vectors[rows])
        merged = [*exact.nearest([known], vector, limit), *beside]
        return [id_ for id_, _ in sorted(merged, key=lambda item: -item[1])[:limit]]

    @property
    def _askable(self) -> bool:
        """Whether Chroma can be asked: in a directory it writes even to read."""
        return os.access(self.directory, os.W_OK) or isinstance(self.place, ServerPlace)

    def _ask_index(self, vector: NDArray[np.float32], limit: int) -> tuple[list[int], int]:
        """What Chroma finds, and the passage up to which that is complete.

        An index that fails is opened anew, then made anew, and asked again; where that cannot be
        done now, or does not help, nothing is found up to passage 0, and the catalog's own vectors
        are searched exactly instead. What did not help, and a server that cannot be reached, is
        left alone for a while.
        """
        if time.monotonic() < self._rests_until:
            return [], 0
        try:
            return self._ask_mended_index(vector, limit)
        except UnreachableError as error:
            _LOG.warning("%s: searching without Chroma (%s)", self.directory, error.reason)
            self._leave_alone()
            return [], 0

    def _ask_mended_index(self, vector: NDArray[np.float32], limit: int) -> tuple[list[int], int]:
        self._refresh_index()
        for mend in (self._reopen, self._remake, self._give_up):
            if self._index is None:
                break
            try:
                return self._index.nearest(vector, limit), self._upto
            except UnreachableError:
                raise
            except CollectionError as error:
                _LOG.info("%s", error)
            mend()
        return [], 0

    def _reopen(self) -> None:
        """Open the index anew: it may have failed for a lock, or for a server that was busy."""
        self._replace(None, "", 0)
        self._refresh_index()

    def _remake(self) -> None:
        """Make the index anew; one that fails although this process has just made it is kept."""
        if self._index_id != self._remade_id:
            self._replace(*self._mended(failed=self._index_id))
            self._remade_id = self._index_id

    def _give_up(self) -> None:
        """Leave an index alone that fails although it was made anew."""
        self._say_exact("it was made again, and fails all the same")
        self._leave_alone()

    def _say_exact(self, reason: str) -> None:
        _LOG.warning(
            "the index of %s is damaged (%s), so it is searched exactly, which is slower; "
            "mend it: %s",
            self.directory,
            reason,
            command("rebuild", self.directory),
        )

    def _leave_alone(self) -> None:
        self._rests_until = time.monotonic() + self.home.rest_s

    def _refresh_index(self) -> None:
        """Open Chroma, or open it anew when another process wrote much or made it again."""
        meta = self.catalog.meta()
        upto, chroma_id = int(meta.get("indexed_upto", 0)), meta.get("chroma_id", "")
        if self._index is not None and self._index.is_live and chroma_id == self._index_id:
            self._upto = upto
            return
        if not self._askable:
            return
        if chroma_id and (chroma_id != self._index_id or upto - self._upto > MAX_TAIL):
            index = open_sound(self.catalog, self.place)
            if index is None:
                self._replace(*self._mended())
            else:
                self._replace(index, chroma_id, upto)

    def _mended(self, failed: str = "") -> tuple[VectorIndex | None, str, int]:
        """A new index from the catalog, or none where it cannot be made now.

        Args:
            failed: Chroma's id of an index that is of no use, whatever it looks like.
        """
        try:
            with self._locked(timeout_s=0.0):
                meta = self.catalog.meta()
                chroma_id, upto = meta.get("chroma_id", ""), int(meta.get("indexed_upto", 0))
                # Another process may have been quicker.
                if (
                    chroma_id != failed
                    and (index := open_sound(self.catalog, self.place)) is not None
                ):
                    return index, chroma_id, upto
                writer = self._writer()
                try:
                    follower = Follower(self, writer)
                    follower.mend()
                finally:
                    writer.close()
        except UnreachableError:
            raise
        except LockedError:
            self._say_exact("another process is writing to it")
            return None, self.catalog.meta().get("chroma_id", ""), 0
        except CollectionError as error:
            self._say_exact(str(error))
            return None, self.catalog.meta().get("chroma_id", ""), 0
        return follower.index, follower.chroma_id, follower.upto

    def _replace(self, index: VectorIndex | None, chroma_id: str, upto: int) -> None:
        if self._index is not None:
            self._index.close()
        self._index, self._index_id, self._upto = index, chroma_id, upto

    def use(self, index: VectorIndex | None, chroma_id: str, upto: int) -> None:
        """Search with this index from now on; the one used before is closed."""
        with self._lock_for_index:
            self._replace(index, chroma_id, upto)
            self._rests_until = 0.0

    def close(self) -> None:
        """Let go of all files."""
        self.use(None, "", 0)
        self.catalog.close()


def _is_ours(name: str) -> bool:
    """Whether a file may stand in a directory in which a collection is about to be made."""
    return name == LOCK or re.fullmatch(r"catalog\.\d+\.new.*", name) is not None


def identity(embedder: Embedder) -> dict[str, str]:
    """What a collection remembers of the embedder that made its vectors."""
    return {
        "embedder": embedder.name,
        "dimension": str(embedder.dimension),
        "embedder_checksum": embedder.checksum,
    }
