"""The vectors in Chroma: an index of the catalog, found by passage id. Nothing else imports it.

Chroma can be lost and made again from the catalog, so nothing here is the only copy of anything.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import CollectionError, DamagedError, StorageError, UnreachableError
from rag.models.remote import one_line
from rag.settings import LOCAL
from rag.store.commands import command
from rag.store.crashes import Note
from rag.store.places import IndexHome, Place, ServerPlace, collection_of, on_server

if TYPE_CHECKING:
    import numpy as np
    from chromadb import Collection
    from chromadb.api.collection_configuration import CreateCollectionConfiguration
    from chromadb.api.fastapi import FastAPI
    from numpy.typing import NDArray

_NAME = "passages"
_FILE = "chroma.sqlite3"
# Chroma builds part of its graph anew at each opening, never twice the same. With its default
# breadth of search (100) a candidate in a thousand was missed, another one each time, and the same
# question did not give the same record; at 1,000 none was missed on the sample collection.
# More neighbours than its default of 16 find more of large collections, but with 64 some papers of
# small ones were lost.
_INDEX: CreateCollectionConfiguration = {"hnsw": {"space": "cosine", "ef_search": 1000}}
_NO_NAME = "footnoted-none"  # of no index: those have 32 digits there
_BATCH = 500
# A reverse proxy commonly takes requests of up to 1 MB; vectors are sent as base64.
_REQUEST_BYTES = 500_000
_CONNECT_S = 3.0
_WRITING_TIMES = 6
_NOTHING_LOST = "Nothing is lost: the catalog has it, and the next add brings Chroma up to it"
_spellings = itertools.cycle(range(200))


class VectorIndex:
    """A Chroma collection of passage vectors under cosine distance, in a place of its own.

    Every method raises `StorageError` where the disk refuses, `UnreachableError` where the server
    does, and `DamagedError` where Chroma cannot read what is there.
    """

    def __init__(self, place: Place, *, create: bool) -> None:
        """Open the index of a place; with ``create`` make an empty one where there is none."""
        self.place = place
        self._opened = (
            _open_on_server(place, create=create)
            if isinstance(place, ServerPlace)
            else _open_in_directory(place, create=create)
        )
        self._collection = self._opened.collection
        self._note = Note(place) if isinstance(place, Path) else None

    @property
    def is_live(self) -> bool:
        """Whether it shows what others write to it; one in a directory is as it was when opened."""
        return isinstance(self.place, ServerPlace)

    @property
    def id(self) -> str:
        """Chroma's own id of the collection: another one means another, empty index."""
        return str(self._collection.id)

    def count(self) -> int:
        """How many vectors it holds."""
        with self._noted(), self._asked():
            return int(self._collection.count())

    def upsert(self, ids: Sequence[int], vectors: NDArray[np.float32]) -> None:
        """Store vectors, shape (len(ids), dimension); those with a known id are replaced."""
        batch = _BATCH
        if self.is_live:
            batch = max(1, min(_BATCH, _REQUEST_BYTES // max(1, vectors[:1].nbytes)))
        with self._asked(writing=True):
            for start in range(0, len(ids), batch):
                chunk = slice(start, start + batch)
                names = [str(id_) for id_ in ids[chunk]]
                self._collection.upsert(ids=names, embeddings=vectors[chunk])

    def delete(self, ids: Sequence[int]) -> None:
        """Drop vectors; unknown ids are no error."""
        with self._asked(writing=True):
            for start in range(0, len(ids), _BATCH):
                self._collection.delete(ids=[str(id_) for id_ in ids[start : start + _BATCH]])

    def nearest(self, vector: NDArray[np.float32], limit: int) -> list[int]:
        """Passage ids, nearest first; ``vector`` has shape (dimension,)."""
        with self._noted(vector, limit), self._asked():
            found = self._collection.query(
                query_embeddings=vector.reshape(1, -1), n_results=limit, include=[]
            )
            return [int(id_) for id_ in found["ids"][0]]

    def probe(self) -> None:
        """Search once, for a stored vector; raises or crashes where the index is damaged."""
        with self._asked():
            first = self._collection.get(limit=1, include=["embeddings"])["embeddings"]
            self._collection.query(query_embeddings=first, n_results=1, include=[])

    def close(self) -> None:
        """Let go of files and connections; a handle opened later sees what others wrote."""
        with _in_words(self.place):
            if self._note:
                self._note.close()
            self._opened.close()

    def _noted(
        self, vector: NDArray[np.float32] | None = None, limit: int = 0
    ) -> AbstractContextManager[None]:
        """While a question is put that may crash this process, say which it is."""
        return self._note.asking(vector, limit) if self._note else nullcontext()

    @contextmanager
    def _asked(self, *, writing: bool = False) -> Iterator[None]:
        self._opened.limit(_WRITING_TIMES if writing else 1)
        with _in_words(self.place):
            yield


@dataclass(frozen=True, slots=True)
class _Opened:
    """A collection of Chroma's, how it is let go of, and how its time limit is multiplied."""

    collection: Collection
    close: Callable[[], None]
    limit: Callable[[int], None]


def _no_limit(times: int) -> None:
    """Nothing is waited for in a directory."""


def _open_in_directory(directory: Path, *, create: bool) -> _Opened:
    if not create and not (directory / _FILE).exists():
        raise DamagedError(f"{directory} holds no Chroma index; {_remaking(directory)}")
    with _in_words(directory):
        import chromadb
        from chromadb.config import Settings

        directory.mkdir(parents=True, exist_ok=True)
        # Chroma shares one system between all clients of a path in a process, so a handle
        # opened later would be as stale as the first. Each handle spells the path its own
        # way ("dir/././.") and so gets a system of its own.
        client = chromadb.PersistentClient(
            str(directory) + "/." * next(_spellings),
            settings=Settings(anonymized_telemetry=False),
        )
        if create:
            collection = client.get_or_create_collection(
                _NAME, embedding_function=None, configuration=_INDEX
            )
        else:
            collection = client.get_collection(_NAME, embedding_function=None)
        close = client.close  # type: ignore[attr-defined]  # the concrete client has it
        return _Opened(collection, close, _no_limit)


def _open_on_server(place: ServerPlace, *, create: bool) -> _Opened:
    with _in_words(place), ExitStack() as undo:
        from chromadb.api.models.Collection import Collection

        server, limit = _connect(place)
        undo.callback(server._session.close)
        limit(_WRITING_TIMES if create else 1)
        if create:
            found = server.create_collection(place.name, configuration=_INDEX)
        else:
            found = server.get_collection(place.name)
        collection = Collection(client=server, model=found, embedding_function=None)
        return _Opened(collection, undo.pop_all().close, limit)


def _connect(place: ServerPlace) -> tuple[FastAPI, Callable[[int], None]]:
    """The API of a server, which nothing was asked yet, and how its time limit is multiplied.

    `chromadb.HttpClient` asks the server three things when it is made and waits for ever for the
    answers, so the API below it is used as it would use it, with limits on its connections.
    """
    import httpx
    from chromadb.api.fastapi import FastAPI
    from chromadb.config import Settings, System

    headers = {"Authorization": f"Bearer {place.token}"} if place.token else {}
    server = System(
        Settings(
            chroma_api_impl="chromadb.api.fastapi.FastAPI",
            chroma_server_host=place.url,
            chroma_server_http_port=0,  # not used where the host is an address
            chroma_server_ssl_enabled=place.url.startswith("https:"),
            chroma_server_headers=headers,
            anonymized_telemetry=False,
        )
    ).instance(FastAPI)

    def limit(times: int) -> None:
        server._session.timeout = httpx.Timeout(place.answer_s * times, connect=_CONNECT_S)

    return server, limit


@contextmanager
def _in_words(place: Place) -> Iterator[None]:
    try:
        yield
    except CollectionError:
        raise
    except Exception as error:
        # Chroma raises errors of its own, without a common root.
        if isinstance(place, ServerPlace):
            raise _of_server(place, error) from error
        raise _of_directory(place, error) from error


def _of_directory(directory: Path, error: Exception) -> CollectionError:
    if isinstance(error, OSError):
        return StorageError(f"{directory}: {error.strerror or error}")
    if any(word in str(error).lower() for word in ("full", "readonly", "no space")):
        return StorageError(
            f"{directory}: {error}; check that the disk has room and that you may write there. "
            f"{_NOTHING_LOST}"
        )
    return DamagedError(f"{directory}: Chroma failed ({error}); {_remaking(directory)}")


def _remaking(place: Place) -> str:
    remade = command("rebuild", collection_of(place))
    return f"make it again from the catalog (nothing is embedded): {remade}"


def _of_server(place: ServerPlace, error: Exception) -> CollectionError:
    from chromadb.errors import (
        InternalError,
        InvalidArgumentError,
        InvalidDimensionException,
        NotFoundError,
    )

    said = one_line(str(error), place.token)
    if isinstance(
        error, NotFoundError | InternalError | InvalidArgumentError | InvalidDimensionException
    ):
        return DamagedError(
            f"{place} has no index of use for this collection ({said}); {_remaking(place)}"
        )
    without = command("rebuild", place.collection, "--chroma", LOCAL)
    reason = f"{place} {_refusal(place, error, said)}"
    return UnreachableError(
        f"{reason}. {_NOTHING_LOST}. Start or mend it, or do without it: {without}", reason
    )


def _refusal(place: ServerPlace, error: Exception, said: str) -> str:
    """What a server that cannot be used did."""
    import httpx

    if isinstance(error, httpx.TimeoutException):
        return "gave no answer in time"
    if isinstance(error, httpx.TransportError):
        return f"cannot be reached ({said or type(error).__name__})"
    # Chroma's client raises a bare exception while it handles the one that has the status.
    if isinstance(error.__context__, httpx.HTTPStatusError):
        status = error.__context__.response.status_code
        if status in (401, 403):
            given = "refuses the token in" if place.token else "asks for a token: set"
            return f"{given} FOOTNOTED_CHROMA_TOKEN (HTTP {status})"
        return f"does not answer as Chroma does (HTTP {status}: {said})"
    return f"does not answer as Chroma does ({said})"


def check_server(url: str, home: IndexHome, directory: Path) -> None:
    """See whether a server can be used for the index of a collection; nothing is written there.

    Raises:
        UnreachableError: it cannot.
    """
    place = on_server(url, _NO_NAME, directory, home)
    _ask_once(place, lambda server: server.get_collection(place.name))


def erase(place: Place) -> None:
    """Delete an index as far as that is possible; readers that have it open lose nothing.

    Raises:
        CollectionError: a server cannot be asked to.
    """
    if isinstance(place, ServerPlace):
        _ask_once(place, lambda server: server.delete_collection(place.name))
    elif place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)


def _ask_once(place: ServerPlace, ask: Callable[[FastAPI], object]) -> None:
    """Put one question to a server; that it has no index of the name is an answer too."""
    with _in_words(place), ExitStack() as undo:
        from chromadb.errors import NotFoundError

        server, limit = _connect(place)
        undo.callback(server._session.close)
        limit(1)
        try:
            ask(server)
        except NotFoundError:
            return
