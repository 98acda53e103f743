"""Any LlamaIndex embedding as an embedder; does not import LlamaIndex."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rag.errors import EndpointError
from rag.models.batched import BatchEmbedder

BATCH_SIZE = 32


class LlamaIndexEmbedder(BatchEmbedder):
    """An `Embedder` over an object with LlamaIndex's ``BaseEmbedding`` methods.

    Args:
        model: the object; its ``get_text_embedding_batch``, ``get_query_embedding`` and
            ``model_name`` are used.
        max_tokens: longest text that the model reads whole. The default is safe for the common
            models that read 512 tokens of their own: 256 of ``cl100k_base`` are seldom more than
            350 of a WordPiece vocabulary. Raise it for a model that reads more.
    """

    def __init__(self, model: Any, *, max_tokens: int = 256) -> None:  # noqa: ANN401 (duck-typed)
        self._model = model
        kind = type(model).__name__
        super().__init__(
            name=f"llama-index:{kind}:{getattr(model, 'model_name', None) or 'unknown'}",
            source=f"LlamaIndex's {kind}",
            max_tokens=max_tokens,
            batch_size=BATCH_SIZE,
        )

    def _request(self, texts: list[str]) -> Sequence[Sequence[float]]:
        rows: Sequence[Sequence[float]] = self._asked(self._model.get_text_embedding_batch, texts)
        return rows

    def _request_query(self, text: str) -> Sequence[Sequence[float]]:
        return [self._asked(self._model.get_query_embedding, text)]

    def _asked(self, ask: Callable[[Any], Any], what: list[str] | str) -> Any:  # noqa: ANN401
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
