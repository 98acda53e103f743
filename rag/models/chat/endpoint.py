"""A language model at any endpoint that speaks OpenAI's chat protocol."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from rag.errors import EndpointError, SettingError
from rag.models.chat.dialect import SEED, Dialect
from rag.models.chat.events import paired
from rag.models.chat.failures import Explainer
from rag.models.chat.reply import Message, Reply
from rag.models.chat.retrying import RetryBudget, TimeLimits
from rag.models.chat.streaming import Call, EndpointReply
from rag.models.chat.wire import Wire
from rag.models.client import open_client
from rag.models.remote import OPENAI, checked_key, checked_url
from rag.models.tokens import counter_for

if TYPE_CHECKING:
    import httpx
    import openai
    from openai.resources.chat.completions import CompletionsWithRawResponse

DEFAULT_WINDOW = 8192


class EndpointModel:
    """A `LanguageModel` that asks ``POST {base_url}/chat/completions``; used from any thread.

    Its name is ``openai:MODEL``, without the address; ``base_url`` is that, and ``identity`` tells
    both. Each
    request has a connection of its own, so that closing its reply ends it at once.

    Args:
        model: what the endpoint calls the model.
        base_url: where it is, usually ending in ``/v1``; by default OpenAI's own.
        api_key: sent as the bearer token; never part of a message. A server without
            authentication needs none.
        window: tokens that the model reads and writes in one go.
        limits: how long to wait.
        retries: how often to repeat what failed for a passing reason. Nothing is repeated once a
            piece of text was passed on.
        sleep: waits until the event is set, or for so many seconds.
        clock: seconds from some fixed point.

    Raises:
        SettingError: a part that does not fit, or OpenAI's own endpoint without a key.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        window: int = DEFAULT_WINDOW,
        limits: TimeLimits | None = None,
        retries: RetryBudget | None = None,
        sleep: Callable[[threading.Event, float], object] = threading.Event.wait,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.base_url = checked_url(base_url or OPENAI)
        self._key = checked_key(api_key)
        if not self._key and self.base_url == OPENAI:
            raise SettingError(
                f"the model {model!r} is asked for at {OPENAI}, which needs a key: set "
                "OPENAI_API_KEY, or name another endpoint with OPENAI_BASE_URL, such as "
                "http://localhost:11434/v1"
            )
        self.name = f"openai:{model}"
        self.identity = f"{self.base_url} {model} temperature=0 seed={SEED}"
        self.window = window
        self._count = counter_for(model)
        self._model = model
        self._limits = limits or TimeLimits()
        self._retries = retries or RetryBudget()
        self._sleep, self._clock = sleep, clock
        self._dialect = Dialect(newer=self.base_url == OPENAI)
        self._explainer = Explainer(f"{self.base_url} ({model})", self._key, self._limits)
        self._sending = threading.local()
        self._lock = threading.Lock()
        self._opened: openai.OpenAI | None = None

    def __repr__(self) -> str:
        return f"EndpointModel({self._model!r}, base_url={self.base_url!r}, window={self.window})"

    def count_tokens(self, text: str) -> int:
        """Length of a text in tokens: exact for OpenAI's models, else estimated too high."""
        return self._count(text)

    def stream(self, messages: Sequence[Message], *, max_tokens: int) -> Reply:
        """The answer to some messages, as it arrives; nothing is sent before it is read.

        Args:
            messages: the conversation, oldest first.
            max_tokens: longest answer.
        """
        turns = tuple(messages)
        return EndpointReply(
            Call(
                prepare=self.prepare,
                send=partial(self._send, turns, max_tokens),
                messages=turns,
                max_tokens=max_tokens,
                count_tokens=self._count,
                explainer=self._explainer,
                limits=self._limits,
                retries=self._retries,
                sleep=self._sleep,
                clock=self._clock,
            )
        )

    def prepare(self) -> None:
        """Load the client, which the first request does otherwise (1 to 2 s); sends nothing."""
        self._completions()

    def close(self) -> None:
        """Close what is open; the next request opens it again."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def _send(self, messages: Sequence[Message], max_tokens: int, wire: Wire) -> httpx.Response:
        """Send the request, again at once without a parameter that was refused."""
        import openai

        turns: list[Any] = [
            {"role": turn.role, "content": paired(turn.content)} for turn in messages
        ]
        completions = self._completions()
        while True:
            options = self._dialect.options(max_tokens)
            self._sending.wire = wire
            try:
                answer = completions.create(
                    model=self._model, messages=turns, stream=True, **options
                )
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                is_other = type(self._explainer.refused(error).error) is not EndpointError
                if is_other or not self._dialect.learn(options, error.body):
                    raise
            else:
                return answer.http_response

    def _completions(self) -> CompletionsWithRawResponse:
        import httpx

        with self._lock:
            if self._opened is None:
                limits = self._limits
                self._opened = open_client(
                    self.base_url,
                    self._key,
                    source=f"{self.base_url} ({self._model})",
                    timeout=httpx.Timeout(limits.stall_s, connect=limits.connect_s),
                    max_retries=0,
                    on_request=self._follow,
                )
            return self._opened.chat.completions.with_raw_response

    def _follow(self, request: httpx.Request) -> None:
        """Have the reply whose request this is learn of its sockets."""
        request.extensions["trace"] = self._sending.wire.trace
