"""The vectors in Chroma: an index of the catalog, found by passage id. Nothing else imports it.

Chroma can be lost and made again from the catalog, so nothing here is the only copy of anything.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import DamagedError, StorageError

if TYPE_CHECKING:
    import numpy as np
    from chromadb.api.collection_configuration import CreateCollectionConfiguration
    from numpy.typing import NDArray

_NAME = "passages"
# Chroma builds part of its graph anew at each opening, never twice the same. With its default
# breadth of search (100) a candidate in a thousand was missed, another one each time, and the same
# question did not give the same record; at 1,000 none was missed on the sample collection.
_INDEX: CreateCollectionConfiguration = {"hnsw": {"space": "cosine", "ef_search": 1000}}
_spellings = itertools.cycle(range(200))


class VectorIndex:
    """A Chroma collection of passage vectors under cosine distance.

    Raises:
        StorageError: the directory cannot be written.
        DamagedError: Chroma cannot read what is there.
    """

    def __init__(self, directory: Path) -> None:
        import chromadb
        from chromadb.config import Settings

        self._directory = directory
        try:
            # Chroma shares one system between all clients of a path in a process, so a handle
            # opened later would be as stale as the first. Each handle spells the path its own
            # way ("dir/././.") and so gets a system of its own.
            directory.mkdir(exist_ok=True)
            path = str(directory) + "/." * next(_spellings)
            self._client = chromadb.PersistentClient(
                path, settings=Settings(anonymized_telemetry=False)
            )
            self._collection = self._client.get_or_create_collection(
                _NAME, embedding_function=None, configuration=_INDEX
            )
            self._batch = min(500, self._client.get_max_batch_size())
        except OSError as error:
            raise StorageError(f"{directory}: {error.strerror or error}") from error
        except Exception as error:
            # Chroma's Rust core raises its own errors and bare Exceptions alike.
            raise DamagedError(
                f"{directory}: Chroma cannot open it ({error}); run 'footnoted rebuild', which "
                "makes it again from the catalog without embedding anything"
            ) from error

    @property
    def id(self) -> str:
        """Chroma's own id of the collection: another one means another, empty index."""
        return str(self._collection.id)

    def count(self) -> int:
        """How many vectors it holds."""
        return self._collection.count()

    def upsert(self, ids: Sequence[int], vectors: NDArray[np.float32]) -> None:
        """Store vectors, shape (len(ids), dimension); those with a known id are replaced."""
        for start in range(0, len(ids), self._batch):
            chunk = slice(start, start + self._batch)
            self._collection.upsert(ids=[str(i) for i in ids[chunk]], embeddings=vectors[chunk])

    def delete(self, ids: Sequence[int]) -> None:
        """Drop vectors; unknown ids are no error."""
        for start in range(0, len(ids), self._batch):
            self._collection.delete(ids=[str(i) for i in ids[start : start + self._batch]])

    def nearest(self, vector: NDArray[np.float32], limit: int) -> list[int]:
        """Passage ids, nearest first; ``vector`` has shape (dimension,)."""
        found = self._collection.query(
            query_embeddings=vector.reshape(1, -1), n_results=limit, include=[]
        )
        return [int(id_) for id_ in found["ids"][0]]

    def probe(self) -> None:
        """Search once, for a stored vector; raises or crashes where the index is damaged."""
        first = self._collection.get(limit=1, include=["embeddings"])["embeddings"]
        self._collection.query(query_embeddings=first, n_results=1, include=[])

    def close(self) -> None:
        """Let go of the files; a handle opened later sees what other processes wrote."""
        self._client.close()  # type: ignore[attr-defined]  # the concrete client has it

    @staticmethod
    def erase(directory: Path) -> None:
        """Delete the index, to be made again from the catalog. Close every handle first."""
        shutil.rmtree(directory, ignore_errors=True)
        if directory.exists():
            raise StorageError(f"{directory} cannot be deleted; check its permissions")
