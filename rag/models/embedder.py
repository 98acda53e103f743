"""What turns text into vectors: the protocol, and ``open_embedder`` to get one by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, cast

from rag.errors import SettingError
from rag.models.adapter import LlamaIndexEmbedder
from rag.models.bundled import BundledEmbedder
from rag.models.endpoint import REQUESTS, EndpointEmbedder
from rag.models.remote import OPENAI, split_address

if TYPE_CHECKING:
    import numpy as np
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from numpy.typing import NDArray

__all__ = [
    "BundledEmbedder",
    "Embedder",
    "EndpointEmbedder",
    "LlamaIndexEmbedder",
    "open_embedder",
]


class Embedder(Protocol):
    """Maps text to vectors of unit length, so that their product is the cosine.

    Nothing is cut off: a text longer than ``max_tokens`` is refused, so split it first.
    """

    @property
    def name(self) -> str:
        """What to call it, such as ``bundled`` or ``openai:text-embedding-3-small``."""
        ...

    @property
    def dimension(self) -> int:
        """Length of a vector; an endpoint may be asked for one."""
        ...

    @property
    def checksum(self) -> str:
        """Identity of what makes the vectors: where it differs, vectors cannot be compared."""
        ...

    @property
    def max_tokens(self) -> int:
        """Longest text it embeds, as ``count_tokens`` counts."""
        ...

    def count_tokens(self, text: str) -> int:
        """Length of a text in tokens, with those that the model adds."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts.

        Returns:
            float32 (len(texts), dimension), rows of unit length in the order of ``texts``.

        Raises:
            InputError: a text has more than ``max_tokens`` tokens.
            ModelError: the model cannot be used.
        """
        ...

    def embed_stream(self, texts: Iterable[str]) -> Iterator[NDArray[np.float32]]:
        """Embed texts as they come, reading only a little ahead.

        Yields:
            float32 (dimension,) of unit length, in the order of ``texts``.

        Raises:
            InputError: a text has more than ``max_tokens`` tokens.
            ModelError: the model cannot be used.
        """
        ...

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Embed a question of any length.

        Returns:
            float32 (dimension,) of unit length.

        Raises:
            ModelError: the model cannot be used.
        """
        ...


def open_embedder(
    choice: str | Embedder | BaseEmbedding,
    *,
    api_key: str | None = None,
    shared_key: str | None = None,
    shared_with: str | None = None,
    requests: int | None = None,
) -> Embedder:
    """Find the embedder that was chosen.

    Args:
        choice: ``bundled``; ``openai:MODEL`` or ``openai:MODEL@BASE_URL``; an `Embedder`, which
            comes back as it is; or any LlamaIndex embedding.
        api_key: the key of an endpoint.
        shared_key: without one of its own, the key of the endpoint at ``shared_with``. It is sent
            there and to OpenAI, and to no other address.
        shared_with: a base URL; by default OpenAI's own.
        requests: how many requests an endpoint or a LlamaIndex embedding gets at a time, 1 to 32;
            by default an endpoint 4, and a LlamaIndex embedding, of which it is not known whether
            threads may share it, 1.

    Raises:
        SettingError: none of these, another number of requests, or an endpoint that needs a key
            and has none.
    """
    if not isinstance(choice, str):
        if hasattr(choice, "embed_stream"):
            return cast("Embedder", choice)
        if hasattr(choice, "get_text_embedding_batch"):
            return LlamaIndexEmbedder(choice, requests=1 if requests is None else requests)
        raise SettingError(
            f"a {type(choice).__name__} does not embed text; expected an Embedder or a "
            "LlamaIndex BaseEmbedding"
        )
    if choice == "bundled":
        return BundledEmbedder()
    kind, _, rest = choice.partition(":")
    model, url = split_address(rest)
    if kind != "openai" or not model:
        raise SettingError(
            f"no embedder {choice!r}; expected 'bundled', 'openai:MODEL' or "
            "'openai:MODEL@http://HOST:PORT/v1'"
        )
    known = {OPENAI, (shared_with or OPENAI).rstrip("/")}
    shared = shared_key if (url or OPENAI).rstrip("/") in known else None
    return EndpointEmbedder(
        model,
        base_url=url,
        api_key=api_key or shared,
        requests=REQUESTS if requests is None else requests,
    )
