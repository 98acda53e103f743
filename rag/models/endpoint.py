"""Embeddings from any endpoint that speaks OpenAI's protocol."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from rag.errors import EndpointError, SettingError
from rag.models.batched import BatchEmbedder
from rag.models.chat.retrying import RetryBudget
from rag.models.chat.wire import Wire
from rag.models.client import open_client
from rag.models.gate import Gate
from rag.models.refusals import Refusal, refusal_of
from rag.models.remote import OPENAI, checked_key, checked_url

if TYPE_CHECKING:
    import httpx
    import numpy as np
    import openai
    from numpy.typing import NDArray

# Servers of small models commonly take 32 texts a request, and OpenAI 300,000 tokens: 32 of the
# longest texts it embeds.
BATCH_SIZE = 32

# Some take fewer (Azure once took 16, DashScope takes 10): halved twice, it fits them too.
FEWEST_TEXTS = BATCH_SIZE // 4

REQUESTS = 4
"""Requests that a stream of texts has under way, where nothing else is said."""


class EndpointEmbedder(BatchEmbedder):
    """An `Embedder` that asks ``POST {base_url}/embeddings``.

    Its name is ``openai:MODEL``, without the address: the same model may move to another host.
    Nothing is sent before the first vector is needed. Used from any thread. While the endpoint
    asks to wait (status 429, or ``Retry-After``) no request is sent, and then fewer at a time;
    where a batch is too large for it, smaller ones are sent from then on.

    Args:
        model: what the endpoint calls the model.
        base_url: where it is, usually ending in ``/v1``; by default OpenAI's own.
        api_key: sent as the bearer token; never part of a message. A server without
            authentication needs none.
        max_tokens: longest text that the model reads whole.
        timeout_s: how long to wait for a sign of life. A request with its repetitions takes at
            most ``1 + max_retries`` times as long in all.
        max_retries: how often to repeat a request that failed for a passing reason.
        requests: how many requests a stream of texts has under way at a time, 1 to 32. Those of
            other streams wait for the same places, questions do not.

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
        requests: int = REQUESTS,
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
        self._retries = RetryBudget(
            tries=1 + max_retries, within_s=timeout_s * (1 + max_retries), base_s=1.0, cap_s=10.0
        )
        self._most_texts = BATCH_SIZE
        self._lock = threading.Lock()
        self._sending = threading.local()
        self._opened: openai.OpenAI | None = None
        super().__init__(
            name=f"openai:{model}",
            source=f"{self._url} ({model})",
            max_tokens=max_tokens,
            batch_size=BATCH_SIZE,
            requests=requests,
        )
        self._gate = Gate(requests)

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def _vectors(self, texts: list[str], wire: Wire) -> NDArray[np.float32]:
        import numpy as np

        parts: list[NDArray[np.float32]] = []
        start, size = 0, self._most_texts
        while start < len(texts):
            part = texts[start : start + size]
            found = self._rows(part, wire)
            if not isinstance(found, Refusal):
                self._most_texts = min(self._most_texts, size)
                parts.append(self._checked(found, len(part)))
                start += len(part)
            elif found.is_too_large and len(part) > FEWEST_TEXTS:
                size = len(part) // 2
            else:
                raise EndpointError(found.message)
        return np.concatenate(parts)

    def _query_vector(self, text: str) -> NDArray[np.float32]:
        found = self._rows([text], Wire(), at_once=True)
        if isinstance(found, Refusal):
            raise EndpointError(found.message)
        vector: NDArray[np.float32] = self._checked(found, 1)[0]
        return vector

    def _wake(self) -> None:
        self._gate.wake()

    def _rows(
        self, texts: list[str], wire: Wire, *, at_once: bool = False
    ) -> list[Sequence[float]] | Refusal:
        """The vectors of texts, asked for again as `RetryBudget` allows.

        Refusals are returned, not raised, so that no error hangs on to one that holds the
        request, and that the key.
        """
        tried, elapsed_s = 0, 0.0
        while self._gate.enter(wire, at_once=at_once):
            pause_s, began = None, time.monotonic()
            try:
                found = self._answer(texts, wire, self._retries.within_s - elapsed_s)
                tried, elapsed_s = tried + 1, elapsed_s + time.monotonic() - began
                if not isinstance(found, Refusal):
                    return found
                if found.is_passing and wire.why is None:
                    chance = (1 + random.random()) / 2  # noqa: S311 (never sent again at once)
                    wait_s = found.retry_after_s
                    pause_s = self._retries.pause_s(tried, elapsed_s, wait_s, chance)
                if pause_s is None:
                    return found
                if found.is_crowded:
                    self._gate.slow(pause_s)
            finally:
                self._gate.leave()
            elapsed_s += pause_s
            if not found.is_crowded:
                wire.is_cut.wait(pause_s)
        return Refusal(f"{self._source} was not asked any more: the stream of texts was closed")

    def _answer(
        self, texts: list[str], wire: Wire, within_s: float
    ) -> list[Sequence[float]] | Refusal:
        """What comes of one request that is cut when it takes longer."""
        client = self._client()
        self._sending.wire = wire
        timer = threading.Timer(within_s, wire.cut, ["overdue"])
        timer.daemon = True
        timer.start()
        try:
            found = self._asked(client, texts, wire)
        finally:
            timer.cancel()
        if isinstance(found, Refusal):
            return found
        places = [place for place, _ in found]
        if sorted(places) != list(range(len(places))):
            return Refusal(
                f"{self._source} numbered its vectors {places[:5]}..., expected 0 to "
                f"{len(places) - 1}; its answer cannot be put in order"
            )
        return [vector for _, vector in sorted(found, key=itemgetter(0))]

    def _asked(
        self, client: openai.OpenAI, texts: list[str], wire: Wire
    ) -> list[tuple[int, list[float]]] | Refusal:
        """The vectors as they came, each after its number, or what went wrong."""
        import httpx
        import openai

        try:
            # Not read by the SDK, which takes 20 ms of one core for 32 vectors of 384; this, 3.
            answer = client.embeddings.with_raw_response.create(
                model=self._model,
                # OpenAI refuses an empty text.
                input=[text or " " for text in texts],
                encoding_format="float",
            )
            return [_numbered(row) for row in json.loads(answer.content)["data"]]
        except (openai.OpenAIError, httpx.HTTPError) as error:
            return self._overdue() if wire.why else self._explain(error)
        except (ValueError, TypeError, KeyError, RecursionError):
            return Refusal(
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
                    max_retries=0,
                    on_request=self._follow,
                )
            return self._opened

    def _follow(self, request: httpx.Request) -> None:
        """Have the call whose request this is learn of its sockets."""
        request.extensions["trace"] = self._sending.wire.trace

    def _overdue(self) -> Refusal:
        return Refusal(
            f"{self._source} did not answer within {self._timeout_s:g} s; check that the server is "
            "not overloaded",
            is_passing=True,
        )

    def _explain(self, error: Exception) -> Refusal:
        """Say what happened and what to do, without the key."""
        import openai

        if isinstance(error, openai.APITimeoutError):
            return self._overdue()
        if isinstance(error, openai.APIStatusError):
            return refusal_of(error, self._source, self._key)
        return Refusal(
            f"{self._source} could not be reached or broke off ({type(error).__name__}); "
            "check the address and that the server runs",
            is_passing=True,
        )


def _numbered(row: Any) -> tuple[int, list[float]]:  # noqa: ANN401 (read from JSON)
    """The number of a vector, and the vector.

    Raises:
        TypeError, KeyError: it is something else.
    """
    place, vector = row["index"], row["embedding"]
    if not (isinstance(place, int) and isinstance(vector, list)):
        raise TypeError(f"a {type(place).__name__} and a {type(vector).__name__}")
    return place, vector
