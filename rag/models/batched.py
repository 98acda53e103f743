"""What all embedders that are asked in batches share: checks, order, lengths, requests ahead."""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice, pairwise
from typing import TYPE_CHECKING

from rag.errors import SettingError
from rag.models.ahead import in_order
from rag.models.chat.wire import Wire
from rag.models.tokens import count_tokens, encoding
from rag.models.vectors import mean_direction, refuse_long, unit_rows
from rag.settings import MAX_REQUESTS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class BatchEmbedder(ABC):
    """An `Embedder` over something that takes a list of texts and returns a list of vectors.

    Tokens are counted in ``cl100k_base``, since the model's own tokenizer is not at hand; leave
    a margin in ``max_tokens`` for a model with another one.

    Args:
        name: the embedder's name.
        source: who answers, for messages.
        max_tokens: longest text that the model reads whole.
        batch_size: texts a request.
        requests: how many requests a stream of texts has under way at a time, 1 to 32.

    Raises:
        SettingError: another number of requests.
    """

    def __init__(
        self, *, name: str, source: str, max_tokens: int, batch_size: int, requests: int
    ) -> None:
        if not 1 <= requests <= MAX_REQUESTS:
            raise SettingError(
                f"{requests} requests at a time for vectors, expected 1 to {MAX_REQUESTS}"
            )
        self.name = name
        self.max_tokens = max_tokens
        self._source = source
        self._batch_size = batch_size
        self._requests = requests
        self._dimension: int | None = None
        self._asking_dimension = threading.Lock()

    @property
    def checksum(self) -> str:
        """The name: what is behind it cannot be summed."""
        return self.name

    @property
    def dimension(self) -> int:
        """Length of a vector, as seen in the first answer; asks for one if there was none.

        Raises:
            EndpointError: no usable answer.
        """
        with self._asking_dimension:
            if self._dimension is None:
                self._dimension = len(self.embed_query("dimension"))
            return self._dimension

    def count_tokens(self, text: str) -> int:
        """Length of a text in ``cl100k_base`` tokens."""
        return count_tokens(text)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts.

        Returns:
            float32 (len(texts), dimension), rows of unit length in the order of ``texts``.

        Raises:
            InputError: a text has more than ``max_tokens`` tokens.
            EndpointError: no usable answer.
        """
        import numpy as np

        rows = list(self.embed_stream(texts))
        return np.stack(rows) if rows else np.empty((0, self.dimension), np.float32)

    def embed_stream(self, texts: Iterable[str]) -> Iterator[NDArray[np.float32]]:
        """Embed texts as they come, several batches at a time, while the consumer works.

        ``texts`` is read on the consumer's thread, at most ``requests + 1`` batches ahead of the
        one that it takes vectors from. A failure comes after all vectors before it, and ends what
        is under way; so does closing the stream.

        Yields:
            float32 (dimension,) of unit length, in the order of ``texts``.

        Raises:
            InputError: a text has more than ``max_tokens`` tokens.
            EndpointError: no usable answer.
        """
        batches = self._batches(texts)
        if self._dimension is None:  # the first answer tells what all others must have
            for batch in islice(batches, 1):
                yield from self._vectors(batch, Wire())
        answers = in_order(self._vectors, batches, threads=self._requests, wake=self._wake)
        with closing(answers):
            for vectors in answers:
                yield from vectors

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Embed a question; one too long for the model is embedded in several windows.

        Returns:
            float32 (dimension,) of unit length; of a long question the direction of the mean.

        Raises:
            EndpointError: no usable answer.
        """
        windows = _windows(text, self.max_tokens)
        return mean_direction([self._query_vector(window) for window in windows])

    @abstractmethod
    def _vectors(self, texts: list[str], wire: Wire) -> NDArray[np.float32]:
        """Fetch the vectors of texts, on any thread; `_checked`, in order.

        Once the wire is cut nothing may be asked for any more, and what is raised is not seen.
        """

    @abstractmethod
    def _query_vector(self, text: str) -> NDArray[np.float32]:
        """Fetch the vector of a question, `_checked`."""

    @abstractmethod
    def _wake(self) -> None:
        """Have requests that wait to be sent see whether their wire is cut."""

    def _batches(self, texts: Iterable[str]) -> Iterator[list[str]]:
        rest = iter(texts)
        while batch := list(islice(rest, self._batch_size)):
            for text in batch:
                refuse_long(text, self.count_tokens(text), self.max_tokens, self._source)
            yield batch

    def _checked(self, rows: Sequence[Sequence[float]], count: int) -> NDArray[np.float32]:
        vectors = unit_rows(rows, count=count, dimension=self._dimension, source=self._source)
        self._dimension = vectors.shape[1]
        return vectors


def _windows(text: str, max_tokens: int) -> list[str]:
    """Cut a text into as few pieces of nearly equal length as have ``max_tokens`` tokens each."""
    tokens = encoding().encode(text, disallowed_special=())
    count = math.ceil(len(tokens) / max_tokens)
    if count <= 1:
        return [text]
    cuts = [len(tokens) * i // count for i in range(count + 1)]
    return [encoding().decode(tokens[start:end]) for start, end in pairwise(cuts)]
