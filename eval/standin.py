"""A stand-in embedder: vectors made from words alone, to measure everything but the embedding.

Texts that share words get near vectors, so that search has something to find; meaning has no part
in it. Never used to answer people.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

DIMENSION = 384
_WORD = re.compile(r"[^\W_]+")


class StandInEmbedder:
    """An `rag.models.embedder.Embedder` that sums one random direction for every word.

    Args:
        dimension: length of a vector.
        without: words, in small letters, that have no direction. Stop words stand in all texts:
            with them all vectors are near to their mean (0.66 long; 0.34 with the bundled model,
            0.23 without them), and a few are near to everything, which no model's are.
    """

    name = "stand-in"
    max_tokens = 256

    def __init__(
        self, dimension: int = DIMENSION, *, without: frozenset[str] = frozenset()
    ) -> None:
        self.dimension = dimension
        self.checksum = f"stand-in-{dimension}" + (f"-without-{len(without)}" if without else "")
        self._without = without
        self.embedded = 0

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
            if word not in self._without:
                total += _direction(word, self.dimension)
        return np.asarray(total / np.linalg.norm(total), np.float32)


# As many words as 30 MB hold. Made again from its own seed, a word's direction is the same.
@lru_cache(maxsize=20_000)
def _direction(word: str, dimension: int) -> NDArray[np.float32]:
    return np.random.default_rng(crc32(word.encode())).standard_normal(dimension, np.float32)
