"""What goes to a language model and what comes back."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rag.errors import EndpointError
from rag.schema import Usage

CANCELLED = "cancelled"
FAILED = "failed"

MAX_TOKEN_CHARS = 64
"""A token of text is seldom over 20 characters; an answer with more for each does not end."""

# What the chat format adds: 3 tokens a message and 3 for the reply with OpenAI's models; other
# templates take a few more.
_MESSAGE_TOKENS = 6
_REPLY_TOKENS = 3


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a request; ``role`` is ``system``, ``user`` or ``assistant``."""

    role: str
    content: str


class Reply(Iterator[str]):
    """The text of an answer, in pieces as they arrive; the request goes out with the first.

    ``usage`` and ``finish`` are there after the last piece. ``finish`` is ``stop`` where the
    model came to its end and ``length`` where the text was cut off at ``max_tokens``;
    ``cancelled`` where the reply was closed before and ``failed`` where it raised: then what came
    is not the answer. Leaving its ``with`` block closes it.
    """

    def __init__(self) -> None:
        self.usage = Usage()
        self.finish = ""
        self._pieces = self._run()

    def __next__(self) -> str:
        """The next piece; never empty.

        Raises:
            EndpointError: the answer did not come, or not to its end.
        """
        try:
            if self.finish == CANCELLED:
                self._pieces.close()
            return next(self._pieces)
        except EndpointError:
            self.finish = FAILED
            raise
        except ValueError:  # another thread is closing the pieces at this moment
            if self.finish != CANCELLED:
                raise
            raise StopIteration from None

    def read(self) -> str:
        """The rest of the text, whole.

        Raises:
            EndpointError: the answer did not come, or not to its end.
        """
        return "".join(self)

    def close(self) -> None:
        """Stop the request, from any thread; whoever is waiting for a piece gets no more."""
        self.finish = self.finish or CANCELLED
        self._abort()
        with suppress(ValueError):  # running in another thread, which _abort has woken
            self._pieces.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def _run(self) -> Generator[str, None, None]:
        """Yield the pieces, then set ``usage`` and ``finish``."""

    def _abort(self) -> None:
        """Wake a thread that waits for a piece; without one there is nothing to do."""


class SettledReply(Reply):
    """A reply that is at hand already, such as a kept one; also for models in tests."""

    def __init__(self, pieces: Sequence[str], *, usage: Usage, finish: str = "stop") -> None:
        self._settled = pieces, usage, finish
        super().__init__()

    def _run(self) -> Generator[str, None, None]:
        pieces, usage, finish = self._settled
        yield from filter(None, pieces)
        self.usage, self.finish = usage, finish


def estimate_usage(
    messages: Sequence[Message], text: str, count_tokens: Callable[[str], int]
) -> Usage:
    """What one call with these messages and this answer took, where the endpoint does not say."""
    prompt = sum(count_tokens(message.content) + _MESSAGE_TOKENS for message in messages)
    return Usage(1, prompt + _REPLY_TOKENS, count_tokens(text), estimated=True)
