"""A stand-in embedder: vectors made from words alone, to measure everything but the embedding.

Texts that share words get near vectors, so that search has something to find; meaning has no part
in it. Never used to answer people.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

DIMENSION = 384
_WORD = re.compile(r"[^\W_]+")


class StandInEmbedder:
    """An `rag.models.embedder.Embedder` that sums one random direction for every word."""

    name = "stand-in"
    max_tokens = 256

    def __init__(self, dimension: int = DIMENSION) -> None:
        self.dimension = dimension
        self.checksum = f"stand-in-{dimension}"
        self.embedded = 0
        self._directions: dict[str, NDArray[np.float32]] = {}

    def count_tokens(self, text: str) -> int:
        """Words, and two for the ends."""
        return len(_WORD.findall(text)) + 2

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors, shape (len(texts), dimension)."""
        return np.array(list(self.embed_stream(texts)), np.float32).reshape(-1, self.dimension)

    def embed_stream(self, texts: Iterable[str]) -> Iterator[NDArray[np.float32]]:
        """Unit vectors of shape (dimension,), in order."""
        for text in texts:
            self.embedded += 1
            yield self.embed_query(text)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """A unit vector, shape (dimension,)."""
        total = np.ones(self.dimension, np.float32) * 1e-3
        for word in _WORD.findall(text.casefold()):
            total += self._direction(word)
        return np.asarray(total / np.linalg.norm(total), np.float32)

    def _direction(self, word: str) -> NDArray[np.float32]:
        if word not in self._directions:
            random = np.random.default_rng(crc32(word.encode()))
            self._directions[word] = random.standard_normal(self.dimension, np.float32)
        return self._directions[word]
