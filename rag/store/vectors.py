"""The vectors in Chroma: an index of the catalog, found by passage id. Nothing else imports it.

Chroma can be lost and made again from the catalog, so nothing here is the only copy of anything.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import DamagedError, StorageError

if TYPE_CHECKING:
    import numpy as np
    from chromadb.api.collection_configuration import CreateCollectionConfiguration
    from numpy.typing import NDArray

_NAME = "passages"
_FILE = "chroma.sqlite3"
# Chroma builds part of its graph anew at each opening, never twice the same. With its default
# breadth of search (100) a candidate in a thousand was missed, another one each time, and the same
# question did not give the same record; at 1,000 none was missed on the sample collection.
_INDEX: CreateCollectionConfiguration = {"hnsw": {"space": "cosine", "ef_search": 1000}}
_BATCH = 500
_spellings = itertools.cycle(range(200))


class VectorIndex:
    """A Chroma collection of passage vectors under cosine distance, in a directory of its own.

    Every method raises `StorageError` where the disk refuses and `DamagedError` where Chroma
    cannot read what is there.
    """

    def __init__(self, directory: Path, *, create: bool) -> None:
        """Open the index of a directory; with ``create`` make an empty one where there is none."""
        self._directory = directory
        if not create and not (directory / _FILE).exists():
            raise DamagedError(f"{directory} holds no Chroma index; run 'footnoted rebuild'")
        with self._in_words():
            import chromadb
            from chromadb.config import Settings

            directory.mkdir(parents=True, exist_ok=True)
            # Chroma shares one system between all clients of a path in a process, so a handle
            # opened later would be as stale as the first. Each handle spells the path its own
            # way ("dir/././.") and so gets a system of its own.
            self._client = chromadb.PersistentClient(
                str(directory) + "/." * next(_spellings),
                settings=Settings(anonymized_telemetry=False),
            )
            if create:
                self._collection = self._client.get_or_create_collection(
                    _NAME, embedding_function=None, configuration=_INDEX
                )
            else:
                self._collection = self._client.get_collection(_NAME, embedding_function=None)

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(f"{self._directory}: {error.strerror or error}") from error
        except Exception as error:
            # Chroma's native core raises errors of its own, without a common root.
            if any(word in str(error).lower() for word in ("full", "readonly", "no space")):
                raise StorageError(
                    f"{self._directory}: {error}; check that the disk has room and that you may "
                    "write there. Nothing is lost: the catalog has it, and the next add or "
                    "'footnoted rebuild' brings Chroma up to it"
                ) from error
            raise DamagedError(
                f"{self._directory}: Chroma failed ({error}); run 'footnoted rebuild', which "
                "makes it again from the catalog without embedding anything"
            ) from error

    @property
    def id(self) -> str:
        """Chroma's own id of the collection: another one means another, empty index."""
        return str(self._collection.id)

    def count(self) -> int:
        """How many vectors it holds."""
        with self._in_words():
            return self._collection.count()

    def upsert(self, ids: Sequence[int], vectors: NDArray[np.float32]) -> None:
        """Store vectors, shape (len(ids), dimension); those with a known id are replaced."""
        with self._in_words():
            for start in range(0, len(ids), _BATCH):
                chunk = slice(start, start + _BATCH)
                names = [str(id_) for id_ in ids[chunk]]
                self._collection.upsert(ids=names, embeddings=vectors[chunk])

    def delete(self, ids: Sequence[int]) -> None:
        """Drop vectors; unknown ids are no error."""
        with self._in_words():
            for start in range(0, len(ids), _BATCH):
                self._collection.delete(ids=[str(id_) for id_ in ids[start : start + _BATCH]])

    def nearest(self, vector: NDArray[np.float32], limit: int) -> list[int]:
        """Passage ids, nearest first; ``vector`` has shape (dimension,)."""
        with self._in_words():
            found = self._collection.query(
                query_embeddings=vector.reshape(1, -1), n_results=limit, include=[]
            )
        return [int(id_) for id_ in found["ids"][0]]

    def probe(self) -> None:
        """Search once, for a stored vector; raises or crashes where the index is damaged."""
        with self._in_words():
            first = self._collection.get(limit=1, include=["embeddings"])["embeddings"]
            self._collection.query(query_embeddings=first, n_results=1, include=[])

    def close(self) -> None:
        """Let go of the files; a handle opened later sees what other processes wrote."""
        with self._in_words():
            self._client.close()  # type: ignore[attr-defined]  # the concrete client has it


def erase(path: Path) -> None:
    """Delete an index as far as that is possible; readers that have it open lose nothing."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
