"""Any LlamaIndex LLM as a language model; LlamaIndex is imported by then."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from rag.errors import EndpointError
from rag.models.chat.endpoint import DEFAULT_WINDOW
from rag.models.chat.events import SurrogateJoiner, paired, read_delta
from rag.models.chat.failures import Explainer
from rag.models.chat.reply import MAX_TOKEN_CHARS, Message, Reply, estimate_usage
from rag.models.chat.retrying import TimeLimits
from rag.models.tokens import counter_for
from rag.schema import Usage


class LlamaIndexModel:
    """A `LanguageModel` over an object with LlamaIndex's ``LLM`` methods.

    ``stream_chat`` is used, and ``chat`` where that is not implemented. The object keeps its own
    settings: temperature, longest answer, time limits and retries are its business, and
    ``max_tokens`` is not passed on, since every class calls it something else; an answer far
    beyond it is stopped. Closing a reply and the end of its time take effect at the next piece,
    since no LLM offers more. ``identity`` is its name with a sum of its settings.

    Args:
        llm: the object.
        window: tokens that it reads and writes in one go; by default what its metadata says.
        limits: how long to wait: for the whole answer, the object sees to the rest.
        clock: seconds from some fixed point.
    """

    def __init__(
        self,
        llm: Any,  # noqa: ANN401 (duck-typed)
        *,
        window: int | None = None,
        limits: TimeLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        kind, metadata = type(llm).__name__, getattr(llm, "metadata", None)
        model = str(getattr(metadata, "model_name", None) or "unknown")
        said = getattr(metadata, "context_window", None)
        self.name = f"llama-index:{kind}:{model}"
        self.window: int = window or (said if isinstance(said, int) else 0) or DEFAULT_WINDOW
        key = getattr(llm, "api_key", None)
        self.identity = f"{self.name} {_settings_sum(llm)}"
        self._limits, self._clock = limits or TimeLimits(), clock
        self._explainer = Explainer(
            f"LlamaIndex's {kind}", key if isinstance(key, str) else None, self._limits
        )
        self._count = counter_for(model)
        self._llm = llm

    def count_tokens(self, text: str) -> int:
        """Length of a text in tokens: exact for OpenAI's models, else estimated too high."""
        return self._count(text)

    def stream(self, messages: Sequence[Message], *, max_tokens: int) -> Reply:
        """The answer to some messages, as it arrives; nothing is sent before it is read.

        Args:
            messages: the conversation, oldest first.
            max_tokens: not passed on; an answer of more than 64 characters for each is stopped.
        """
        return _LlamaIndexReply(
            _Asked(
                self._llm,
                tuple(messages),
                max_tokens,
                self._explainer,
                self._count,
                self._limits.total_s,
                self._clock,
            )
        )

    def prepare(self) -> None:
        """Nothing is loaded."""

    def close(self) -> None:
        """Nothing is open."""


def _settings_sum(llm: object) -> str:
    """A sum of an object's plain settings (address, temperature, …): other ones, another model.

    The key is left out, and so is what has no form of its own in JSON, such as clients.
    """
    names = getattr(type(llm), "model_fields", None) or getattr(llm, "__dict__", {})
    plain = {}
    for name in names:
        if not name.startswith("_") and not name.endswith("key"):
            with suppress(TypeError, ValueError, RecursionError):
                plain[name] = json.dumps(getattr(llm, name, None), sort_keys=True)
    return sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _Asked:
    """All that a reply needs: whom to ask what, and when to stop."""

    llm: Any
    messages: Sequence[Message]
    max_tokens: int
    explainer: Explainer
    count_tokens: Callable[[str], int]
    total_s: float
    clock: Callable[[], float]


class _LlamaIndexReply(Reply):
    def __init__(self, asked: _Asked) -> None:
        self._asked = asked
        self._text = ""
        self._counts: tuple[int, int] | None = None
        self._ended: str | None = None
        self._tells_end = False
        super().__init__()

    def _run(self) -> Generator[str, None, None]:
        explainer, joiner, failure = self._asked.explainer, SurrogateJoiner(), None
        started = self._asked.clock()
        try:
            with closing(self._responses()) as responses:
                for response in responses:
                    if failure := self._excess(self._asked.clock() - started):
                        break
                    if piece := joiner.add(self._news(response)):
                        yield piece
            if rest := joiner.rest():
                yield rest
        except Exception as error:  # any client may be behind it
            failure = explainer.raised(error)
        finally:
            self._settle()
        # Not raised above: what a client raises may hold on to its request, and that to the key.
        if failure is None and self._ended == "content_filter":
            failure = explainer.filtered()
        if failure is None and self._tells_end and self._ended is None:
            failure = explainer.unfinished().error
        if failure is None and not self._text.strip():
            failure = explainer.empty(self._ended or "none", has_reasoned=False).error
        if failure is not None:
            raise failure
        self.finish = self._ended or "stop"

    def _excess(self, elapsed_s: float) -> EndpointError | None:
        """What speaks against reading on; an answer that comes in one piece is never too late."""
        asked = self._asked
        if len(self._text) > asked.max_tokens * MAX_TOKEN_CHARS:
            return asked.explainer.overlong(len(self._text), asked.max_tokens).error
        if self._text and elapsed_s > asked.total_s:
            return asked.explainer.overdue().error
        return None

    def _responses(self) -> Generator[Any, None, None]:
        from llama_index.core.llms import ChatMessage

        asked = self._asked
        turns = [ChatMessage(role=m.role, content=paired(m.content)) for m in asked.messages]
        try:
            yield from asked.llm.stream_chat(turns)
        except NotImplementedError:
            if self._text:
                raise
            yield asked.llm.chat(turns)

    def _news(self, response: Any) -> str:  # noqa: ANN401 (duck-typed)
        """The text that a response adds; a note of its end and counts, if it is OpenAI's."""
        raw = getattr(response, "raw", None)
        dump = getattr(raw, "model_dump", None)
        delta = read_delta(dump() if callable(dump) else raw)
        self._ended = delta.finish or self._ended
        self._counts = delta.counts or self._counts
        self._tells_end |= delta.is_completion
        piece = response.delta
        if piece is None:  # some give the text so far instead
            piece = (response.message.content or "")[len(self._text) :]
        self._text += piece
        return str(piece)

    def _settle(self) -> None:
        if self._counts is not None:
            self.usage = Usage(1, *self._counts)
        elif self._text:
            asked = self._asked
            self.usage = estimate_usage(asked.messages, self._text, asked.count_tokens)
