"""Any LlamaIndex LLM as a language model; LlamaIndex is imported by then."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Any

from rag.models.chat.endpoint import DEFAULT_WINDOW
from rag.models.chat.events import SurrogateJoiner, paired, read_delta
from rag.models.chat.failures import Explainer
from rag.models.chat.reply import Message, Reply, estimate_usage
from rag.models.tokens import counter_for
from rag.schema import Usage


class LlamaIndexModel:
    """A `LanguageModel` over an object with LlamaIndex's ``LLM`` methods.

    ``stream_chat`` is used, and ``chat`` where that is not implemented. The object keeps its own
    settings: temperature, longest answer, time limits and retries are its business, and
    ``max_tokens`` is not passed on, since every class calls it something else. Closing a reply
    takes effect at the next piece, since no LLM offers more.

    Args:
        llm: the object.
        window: tokens that it reads and writes in one go; by default what its metadata says.
    """

    def __init__(self, llm: Any, *, window: int | None = None) -> None:  # noqa: ANN401 (duck-typed)
        kind, metadata = type(llm).__name__, getattr(llm, "metadata", None)
        model = str(getattr(metadata, "model_name", None) or "unknown")
        said = getattr(metadata, "context_window", None)
        self.name = f"llama-index:{kind}:{model}"
        self.window: int = window or (said if isinstance(said, int) else 0) or DEFAULT_WINDOW
        key = getattr(llm, "api_key", None)
        self._explainer = Explainer(f"LlamaIndex's {kind}", key if isinstance(key, str) else None)
        self._count = counter_for(model)
        self._llm = llm

    def count_tokens(self, text: str) -> int:
        """Length of a text in tokens: exact for OpenAI's models, else estimated too high."""
        return self._count(text)

    def stream(self, messages: Sequence[Message], *, max_tokens: int) -> Reply:  # noqa: ARG002
        """The answer to some messages, as it arrives; nothing is sent before it is read.

        Args:
            messages: the conversation, oldest first.
            max_tokens: not passed on.
        """
        return _LlamaIndexReply(self._llm, tuple(messages), self._explainer, self._count)

    def prepare(self) -> None:
        """Nothing is loaded."""

    def close(self) -> None:
        """Nothing is open."""


class _LlamaIndexReply(Reply):
    def __init__(
        self,
        llm: Any,  # noqa: ANN401 (duck-typed)
        messages: Sequence[Message],
        explainer: Explainer,
        count_tokens: Callable[[str], int],
    ) -> None:
        self._llm = llm
        self._messages = messages
        self._explainer = explainer
        self._count_tokens = count_tokens
        self._text = ""
        self._counts: tuple[int, int] | None = None
        self._ended: str | None = None
        self._tells_end = False
        super().__init__()

    def _run(self) -> Generator[str, None, None]:
        explainer, joiner, failure = self._explainer, SurrogateJoiner(), None
        try:
            with closing(self._responses()) as responses:
                for response in responses:
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

    def _responses(self) -> Generator[Any, None, None]:
        from llama_index.core.llms import ChatMessage

        turns = [ChatMessage(role=m.role, content=paired(m.content)) for m in self._messages]
        try:
            yield from self._llm.stream_chat(turns)
        except NotImplementedError:
            if self._text:
                raise
            yield self._llm.chat(turns)

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
            self.usage = estimate_usage(self._messages, self._text, self._count_tokens)
