"""The calls of a language model that one answer takes: what they cost, and how they are ended."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from rag.answering.prompts import Prompt
from rag.models.llm import CANCELLED, LanguageModel, Message, Reply
from rag.schema import Usage

_THOUGHTS = re.compile(r".*</think(?:ing)?>", re.DOTALL)


class EndedError(Exception):
    """The answer was ended from outside; whoever makes it stops."""


class Calls:
    """Calls to one model for one answer.

    ``usage`` and ``prompts`` (``answer@1``, each once, in order) tell what was asked so far, calls
    that failed included; ``finish`` is how the last reply ended (see `rag.models.llm.Reply`).
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

        Raises what `pieces` does.
        """
        reply = self.pieces(prompt, [Message("user", text)], max_tokens=max_tokens)
        return _THOUGHTS.sub("", "".join(reply))

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
