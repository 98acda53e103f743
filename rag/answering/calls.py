"""The calls of a language model that one answer takes: what they cost, and how they are ended."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from rag.answering.prompts import Prompt
from rag.answering.thoughts import without_thoughts
from rag.errors import EndpointError
from rag.models.llm import CANCELLED, LanguageModel, Message, Reply
from rag.schema import Usage

MAX_PROMPT_TOKENS = 3500
"""No prompt is longer, whatever the window."""

CUT_OFF = "length"
"""How a reply ended that was cut off at its longest."""

_CHAT_TOKENS = 25  # what the chat format adds to a message


class EndedError(Exception):
    """The answer was ended from outside; whoever makes it stops."""


class Calls:
    """Calls to one model for one answer.

    ``prompts`` (``answer@1``, each once, in order) tell what was asked so far, calls that failed
    included. ``usage`` is what came back: calls and tries that broke off count, refused ones
    do not. ``finish`` is how the last reply ended (see `rag.models.llm.Reply`).
    """

    def __init__(self, llm: LanguageModel) -> None:
        self.llm = llm
        self.usage = Usage()
        self.prompts: tuple[str, ...] = ()
        self.finish = ""
        self._lock = threading.Lock()
        self._reply: Reply | None = None
        self._ended = False

    def prepare(self) -> None:
        """Load in the background what the first request would wait for."""
        threading.Thread(target=self._prepare, name="preparing", daemon=True).start()

    def _prepare(self) -> None:
        with suppress(Exception):  # the request meets the same, and says it
            self.llm.prepare()

    def pieces(
        self, prompt: Prompt, messages: Sequence[Message], *, max_tokens: int
    ) -> Iterator[str]:
        """The reply to a prompt filled in, piece by piece.

        Raises:
            EndpointError: it did not come, or not to its end.
            EndedError: `end` was called.
        """
        self.prompts = tuple(dict.fromkeys((*self.prompts, prompt.reference)))
        with self._followed(self.llm.stream(messages, max_tokens=max_tokens)) as reply:
            try:
                yield from reply
            finally:
                self.usage += reply.usage
                self.finish = reply.finish
        if self.finish == CANCELLED:
            raise EndedError

    def read(self, prompt: Prompt, text: str, *, max_tokens: int) -> str:
        """The whole reply to a prompt that is one message, without what is thought aloud in it.

        Raises:
            EndpointError: it did not come, not to its end, or was cut off at its longest.
            EndedError: `end` was called.
        """
        reply = self.pieces(prompt, [Message("user", text)], max_tokens=max_tokens)
        said = without_thoughts("".join(reply))
        if self.finish == CUT_OFF:
            raise EndpointError(
                f"the reply of {self.llm.name} was cut off at {max_tokens:,} tokens, thoughts "
                "included; a model that thinks less may do better"
            )
        return said

    def longest_reply(self, tokens: int) -> int:
        """Tokens that a reply may have: at most so many, and a third of the window."""
        return min(tokens, self.llm.window // 3)

    def room(self, instructions: str, *, max_tokens: int) -> int:
        """Tokens that are left for data in a prompt of one message, 0 or more.

        Args:
            instructions: the prompt without the data.
            max_tokens: the longest reply.
        """
        most = min(MAX_PROMPT_TOKENS, self.llm.window - max_tokens)
        return max(0, most - _CHAT_TOKENS - self.llm.count_tokens(instructions))

    def end(self) -> None:
        """End the call that is being made, from any thread; no further one is made."""
        with self._lock:
            self._ended = True
            reply = self._reply
        if reply is not None:
            reply.close()

    @contextmanager
    def _followed(self, reply: Reply) -> Iterator[Reply]:
        with self._lock:
            if self._ended:
                raise EndedError
            self._reply = reply
        try:
            with reply:
                yield reply
        finally:
            with self._lock:
                self._reply = None
