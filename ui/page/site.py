"""What the page and the HTTP interface answer from: an assistant, its history, and limits."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rag.assistant import Assistant
from rag.errors import CollectionError
from rag.schema import Answer
from rag.store.history import History
from ui.page.choices import Choices
from ui.page.limits import Limits, TooManyError
from ui.page.live import Live
from ui.page.serving import Serving
from ui.page.talks import Talk, Talks

AT_ONCE = 16
_SEARCH_TOKENS = 0.1
_AS_IT_COMES = Choices()


@dataclass(frozen=True)
class Site:
    """Everything that requests share.

    The assistant keeps no answers itself: they are kept here, in their conversations.
    """

    assistant: Assistant
    history: History
    serving: Serving
    limits: Limits
    talks: Talks
    ready: threading.Event = field(default_factory=threading.Event)
    _places: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(AT_ONCE)
    )

    @classmethod
    def of(cls, assistant: Assistant, history: History, serving: Serving) -> Site:
        """A site with the limits that ``serving`` sets."""
        limits = Limits(serving.rate, serving.at_once)
        return cls(assistant, history, serving, limits, Talks(history))

    @contextmanager
    def answering(
        self,
        question: str,
        client: str,
        *,
        history: Sequence[tuple[str, str]] = (),
        numbers: Mapping[str, int] | None = None,
        choices: Choices = _AS_IT_COMES,
    ) -> Iterator[Live]:
        """A question as it is being answered, within the client's limits; stopped at the end.

        Raises:
            TooManyError: the client, or all clients together, ask for too much.
        """
        with self.limits.running(client):
            if not self._places.acquire(timeout=self.serving.answer_s):
                raise TooManyError("too many questions are being answered; try again soon", 5)
            try:
                live = Live(
                    lambda: self.assistant.stream(
                        question,
                        history=history,
                        numbers=numbers,
                        filters=choices.filters,
                        papers=choices.papers,
                        strict=choices.strict,
                        quoting=choices.quoting,
                    ),
                    self.serving.answer_s,
                )
                try:
                    yield live
                finally:
                    live.stop()
            finally:
                self._places.release()

    def kept(self, answer: Answer, talk: Talk) -> tuple[Answer, str]:
        """The answer with its id in the history, and a warning where it could not be kept."""
        try:
            return self.talks.record(answer, talk), ""
        except CollectionError as error:
            return answer, f"This answer is not kept: {error}"

    def searching(self, client: str) -> None:
        """Count a search of a client, which costs a tenth of a question.

        Raises:
            TooManyError: the client asks for too much.
        """
        self.limits.spend(client, _SEARCH_TOKENS)
