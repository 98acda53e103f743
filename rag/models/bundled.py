"""The embedder that comes with Footnoted: all-MiniLM-L6-v2 in one byte a weight, on the CPU."""

from __future__ import annotations

import hashlib
import math
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from rag.models.runtime import WEIGHTS, count_cores, expected_sha256, open_session, read_verified
from rag.models.vectors import mean_direction, refuse_long

if TYPE_CHECKING:
    import numpy as np
    import onnxruntime
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

GRAPH = "embedder.onnx"
TOKENIZER = "embedder-tokenizer.json"

# Texts in flight for each thread. Enough to keep the threads busy for about a second while the
# consumer writes to disk; their vectors are 1.5 kB each.
LOOK_AHEAD = 64
_REMEMBERED = 1024


@dataclass(frozen=True)
class _Engine:
    tokenizer: Tokenizer
    session: onnxruntime.InferenceSession
    pool: ThreadPoolExecutor


class BundledEmbedder:
    """An `Embedder` over the weights in ``rag/models/weights``; needs no network and no key.

    Files are read and verified at the first use, not when it is made. Every text is a call of
    its own, without padding, so that a vector does not depend on what is embedded with it: on
    one machine the same text has the same bytes, always. All methods may be called from any
    thread.

    Args:
        directory: where the weights are.
        threads: how many texts to embed at a time; by default one for each core.
    """

    name = "bundled"
    dimension = 384
    max_tokens = 256  # with [CLS] and [SEP]

    def __init__(self, *, directory: Path = WEIGHTS, threads: int | None = None) -> None:
        self._directory = directory
        self._threads = threads or count_cores()
        self._lock = threading.Lock()
        self._opened: _Engine | None = None
        # A passage is counted when it is cut and tokenised again when it is embedded, soon after.
        self._encode = lru_cache(maxsize=_REMEMBERED)(self._tokenise)

    @cached_property
    def checksum(self) -> str:
        """Sum over the sums of graph and tokenizer, as shipped."""
        sums = [expected_sha256(self._directory, name) for name in (GRAPH, TOKENIZER)]
        return hashlib.sha256("\n".join(sums).encode()).hexdigest()

    def count_tokens(self, text: str) -> int:
        """Length of a text in tokens, with [CLS] and [SEP] (2 for an empty text)."""
        return len(self._encode(text))

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts on all cores.

        Returns:
            float32 (len(texts), 384), rows of unit length in the order of ``texts``.

        Raises:
            InputError: a text has more than 256 tokens; nothing is ever cut off.
            WeightsError: the weights are missing or are not the ones that were shipped.
        """
        import numpy as np

        vectors = np.empty((len(texts), self.dimension), np.float32)
        for row, vector in zip(vectors, self.embed_stream(texts), strict=True):
            row[:] = vector
        return vectors

    def embed_stream(self, texts: Iterable[str]) -> Iterator[NDArray[np.float32]]:
        """Embed texts as they come, on all cores while the consumer works.

        ``texts`` is read on the consumer's thread, at most ``LOOK_AHEAD`` texts a thread ahead
        of what was taken, so that memory stays flat however many there are.

        Yields:
            float32 (384,) of unit length, in the order of ``texts``.

        Raises:
            InputError: a text has more than 256 tokens.
            WeightsError: the weights are missing or are not the ones that were shipped.
        """
        pool = self._engine().pool
        waiting: deque[Future[NDArray[np.float32]]] = deque()
        try:
            for text in texts:
                waiting.append(pool.submit(self._embed_one, text))
                if len(waiting) >= LOOK_AHEAD * self._threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Embed a question; one too long for a window is embedded in several.

        Returns:
            float32 (384,) of unit length. For a question of more than 256 tokens it is the
            direction of the mean over windows of nearly equal length, at most 254 tokens each.

        Raises:
            WeightsError: the weights are missing or are not the ones that were shipped.
        """
        first, *middle, last = self._encode(text)
        room = self.max_tokens - 2
        count = max(1, math.ceil(len(middle) / room))
        cuts = [len(middle) * i // count for i in range(count + 1)]
        windows = [[first, *middle[start:end], last] for start, end in pairwise(cuts)]
        return mean_direction([self._run(window) for window in windows])

    def _embed_one(self, text: str) -> NDArray[np.float32]:
        ids = self._encode(text)
        refuse_long(text, len(ids), self.max_tokens, "the bundled embedder")
        return self._run(ids)

    def _tokenise(self, text: str) -> tuple[int, ...]:
        # Half a surrogate pair, as broken JSON holds them, is not text: the tokenizer refuses it.
        return tuple(self._engine().tokenizer.encode(text.encode(errors="ignore").decode()).ids)

    def _run(self, ids: Sequence[int]) -> NDArray[np.float32]:
        import numpy as np

        outputs = self._engine().session.run(["vector"], {"input_ids": np.array([ids], np.int64)})
        return np.asarray(outputs[0], np.float32)

    def _engine(self) -> _Engine:
        with self._lock:
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    def _open(self) -> _Engine:
        from tokenizers import Tokenizer

        session = open_session(self._directory, GRAPH)
        tokenizer = Tokenizer.from_buffer(read_verified(self._directory, TOKENIZER))
        tokenizer.no_truncation()  # the file asks for 128 tokens
        tokenizer.no_padding()
        return _Engine(tokenizer, session, ThreadPoolExecutor(self._threads, "embed"))
