"""Embeddings from any endpoint that speaks OpenAI's protocol."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rag.errors import EndpointError, SettingError
from rag.models.batched import BatchEmbedder
from rag.models.chat.wire import Wire
from rag.models.client import open_client
from rag.models.remote import OPENAI, checked_key, checked_url, quoted, server_message

if TYPE_CHECKING:
    import httpx
    import openai

# Servers of small models commonly take 32 texts a request, and OpenAI 300,000 tokens: 32 of the
# longest texts it embeds.
BATCH_SIZE = 32


class EndpointEmbedder(BatchEmbedder):
    """An `Embedder` that asks ``POST {base_url}/embeddings``.

    Its name is ``openai:MODEL``, without the address: the same model may move to another host.
    Nothing is sent before the first vector is needed.

    Args:
        model: what the endpoint calls the model.
        base_url: where it is, usually ending in ``/v1``; by default OpenAI's own.
        api_key: sent as the bearer token; never part of a message. A server without
            authentication needs none.
        max_tokens: longest text that the model reads whole.
        timeout_s: how long to wait for a sign of life. A request with its repetitions takes at
            most ``1 + max_retries`` times as long in all.
        max_retries: how often to repeat a request that failed for a passing reason.

    Raises:
        SettingError: a part that does not fit, or OpenAI's own endpoint without a key.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        max_tokens: int = 8191,
        timeout_s: float = 60.0,
        max_retries: int = 2,
    ) -> None:
        self._model = model
        self._url = checked_url(base_url or OPENAI)
        if not api_key and self._url == OPENAI:
            raise SettingError(
                f"'openai:{model}' is embedded by {OPENAI}, which needs a key: set OPENAI_API_KEY, "
                f"or name another endpoint with 'openai:{model}@http://HOST:PORT/v1'"
            )
        self._key = checked_key(api_key)
        self._timeout_s = timeout_s
        self._max_retries = max_retries
        self._lock = threading.Lock()
        self._sending = threading.local()
        self._opened: openai.OpenAI | None = None
        super().__init__(
            name=f"openai:{model}",
            source=f"{self._url} ({model})",
            max_tokens=max_tokens,
            batch_size=BATCH_SIZE,
        )

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def _request(self, texts: list[str]) -> Sequence[Sequence[float]]:
        client, wire = self._client(), Wire()
        self._sending.wire = wire
        timer = threading.Timer(self._timeout_s * (1 + self._max_retries), wire.cut, ["overdue"])
        timer.daemon = True
        timer.start()
        try:
            found = self._asked(client, texts, wire)
        finally:
            timer.cancel()
        # Raised here, where no error hangs on to it that holds the request, and that the key.
        if isinstance(found, str):
            raise EndpointError(found)
        places, vectors = found
        if sorted(places) != list(range(len(places))):
            raise EndpointError(
                f"{self._source} numbered its vectors {places[:5]}..., expected 0 to "
                f"{len(places) - 1}; its answer cannot be put in order"
            )
        return [vectors[place] for place in range(len(places))]

    def _asked(
        self, client: openai.OpenAI, texts: list[str], wire: Wire
    ) -> tuple[list[int], dict[int, Sequence[float]]] | str:
        """The numbers of the vectors as they came and the vectors by number, or what went wrong."""
        import httpx
        import openai

        try:
            answer = client.embeddings.create(
                model=self._model,
                # OpenAI refuses an empty text.
                input=[text or " " for text in texts],
                encoding_format="float",
            )
            places = [row.index for row in answer.data]
            return places, {row.index: row.embedding for row in answer.data}
        except (openai.OpenAIError, httpx.HTTPError) as error:
            return self._overdue() if wire.why else self._explain(error)
        except (ValueError, TypeError, AttributeError, RecursionError):
            return (
                f"{self._source} answered with something other than embeddings; check that the "
                "base URL is that of an OpenAI-compatible server (it usually ends in /v1)"
            )

    def _client(self) -> openai.OpenAI:
        with self._lock:
            if self._opened is None:
                self._opened = open_client(
                    self._url,
                    self._key,
                    source=self._source,
                    timeout=self._timeout_s,
                    max_retries=self._max_retries,
                    on_request=self._follow,
                )
            return self._opened

    def _follow(self, request: httpx.Request) -> None:
        """Have the call whose request this is learn of its sockets."""
        request.extensions["trace"] = self._sending.wire.trace

    def _overdue(self) -> str:
        return (
            f"{self._source} did not answer within {self._timeout_s:g} s "
            f"({1 + self._max_retries} attempts); check that the server is not overloaded"
        )

    def _explain(self, error: Exception) -> str:
        """Say what happened and what to do, without the key."""
        import openai

        if isinstance(error, openai.APITimeoutError):
            return self._overdue()
        if not isinstance(error, openai.APIStatusError):
            return (
                f"{self._source} could not be reached or broke off ({type(error).__name__}); "
                "check the address and that the server runs"
            )
        status = error.status_code
        advice = {
            400: "check that the model embeds text",
            401: "check OPENAI_API_KEY, or FOOTNOTED_EMBEDDER_KEY for an endpoint of its own",
            403: "check that the key may use this model",
            404: "check the model's name, and that the base URL is right (often it ends in /v1)",
            413: "the texts are too long for it",
            429: "wait, or check the quota of the key",
        }.get(status, "see the server's log" if status < 500 else "try again later")
        said = quoted(server_message(error.body), self._key)
        return f"{self._source} answered with status {status}{said}; {advice}"
