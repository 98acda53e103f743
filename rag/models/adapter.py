"""Any LlamaIndex embedding as an embedder; does not import LlamaIndex."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rag.errors import EndpointError
from rag.models.batched import BatchEmbedder
from rag.models.chat.wire import Wire

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BATCH_SIZE = 32


class LlamaIndexEmbedder(BatchEmbedder):
    """An `Embedder` over an object with LlamaIndex's ``BaseEmbedding`` methods.

    Args:
        model: the object; its ``get_text_embedding_batch``, ``get_query_embedding`` and
            ``model_name`` are used.
        max_tokens: longest text that the model reads whole. The default is safe for the common
            models that read 512 tokens of their own: 256 of ``cl100k_base`` are seldom more than
            350 of a WordPiece vocabulary. Raise it for a model that reads more.
        requests: how many calls there may be at a time, 1 to 32, questions among them. More than
            one only for an object whose methods may be called from several threads at once.

    Raises:
        SettingError: another number of requests.
    """

    def __init__(
        self,
        model: Any,  # noqa: ANN401 (duck-typed)
        *,
        max_tokens: int = 256,
        requests: int = 1,
    ) -> None:
        self._model = model
        kind = type(model).__name__
        super().__init__(
            name=f"llama-index:{kind}:{getattr(model, 'model_name', None) or 'unknown'}",
            source=f"LlamaIndex's {kind}",
            max_tokens=max_tokens,
            batch_size=BATCH_SIZE,
            requests=requests,
        )
        self._calls = threading.BoundedSemaphore(requests)

    def _vectors(self, texts: list[str], wire: Wire) -> NDArray[np.float32]:
        rows = self._asked(self._model.get_text_embedding_batch, texts, wire)
        return self._checked(rows, len(texts))

    def _query_vector(self, text: str) -> NDArray[np.float32]:
        row = self._asked(self._model.get_query_embedding, text, Wire())
        vector: NDArray[np.float32] = self._checked([row], 1)[0]
        return vector

    def _wake(self) -> None:
        """Nothing to do: who waits for a call to end sees then that its wire is cut."""

    def _asked(self, ask: Callable[[Any], Any], what: list[str] | str, wire: Wire) -> Any:  # noqa: ANN401
        with self._calls:
            if wire.why is not None:
                raise EndpointError(f"{self._source} was not asked: the stream of texts was closed")
            try:
                return ask(what)
            except Exception as error:
                failure = self._failure(error)
        # Not raised above: what a client raises may hold on to its request, and that to the key.
        raise failure

    def _failure(self, error: Exception) -> EndpointError:
        said = " ".join(str(error).split())[:200]
        key = getattr(self._model, "api_key", None)
        if isinstance(key, str) and key:
            said = said.replace(key, "[key]")
        return EndpointError(f"{self._source} failed: {type(error).__name__}: {said}")
