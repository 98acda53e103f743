"""What the page and the HTTP interface answer from: an assistant, its history, and limits."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rag.assistant import Assistant
from rag.errors import CollectionError
from rag.schema import Answer
from rag.store.history import History, UnknownConversationError
from ui.page.choices import Choices
from ui.page.limits import Limits
from ui.page.live import Live
from ui.page.serving import Serving
from ui.page.talks import Talk, Talks
from ui.page.waiting import Places

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
    places: Places
    ready: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def of(cls, assistant: Assistant, history: History, serving: Serving) -> Site:
        """A site with the limits that ``serving`` sets."""
        limits = Limits(serving.rate, serving.at_once)
        full = "too many questions are being answered; try again soon"
        places = Places(AT_ONCE, serving.queue, full)
        return cls(assistant, history, serving, limits, Talks(history), places)

    def question(
        self,
        question: str,
        *,
        history: Sequence[tuple[str, str]] = (),
        numbers: Mapping[str, int] | None = None,
        choices: Choices = _AS_IT_COMES,
    ) -> Live:
        """A question that can be answered, within `answering`, or stopped before it is."""
        return Live(
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

    @contextmanager
    def answering(self, live: Live, client: str) -> Iterator[None]:
        """Hold a place for a question of a client, within its limits; it is stopped at the end.

        One that is stopped while it waits goes on without a place, and gives no events.

        Raises:
            TooManyError: the client, or all clients together, ask for too much.
        """
        waits = self.places.taken(self.serving.answer_s, lambda: live.stopped)
        with self.limits.running(client), waits:
            try:
                yield
            finally:
                live.stop()

    def kept(self, answer: Answer, talk: Talk) -> tuple[Answer, str]:
        """The answer with its id in the history, and a warning where it could not be kept.

        Raises:
            UnknownConversationError: the conversation was deleted meanwhile.
        """
        try:
            return self.talks.record(answer, talk), ""
        except UnknownConversationError:
            raise
        except CollectionError as error:
            return answer, f"This answer is not kept: {self.told(error)}"

    def searching(self, client: str) -> None:
        """Count a search of a client, which costs a tenth of a question.

        Raises:
            TooManyError: the client asks for too much.
        """
        self.limits.spend(client, _SEARCH_TOKENS)

    def told(self, error: Exception) -> str:
        """What an error says, without where on this machine things lie."""
        text = str(error)
        for directory in {self.assistant.directory, self.history.path.parent}:
            text = text.replace(f"{directory}{os.sep}", "").replace(str(directory), directory.name)
        return text
