"""Example questions of a collection: made from its titles, tried before they are offered."""

from __future__ import annotations

import logging
from itertools import chain, islice
from threading import Lock

from rag.assistant import Assistant
from rag.errors import InputError
from ui.page.start import EXAMPLES, Holdings, questions, topics

MAX_TITLES = 2_000
_MAX_TRIED = 10
_FIRST = "What do these papers study?"  # asked even where there is no paper; never offered

_log = logging.getLogger(__name__)


class Examples:
    """What the start screen says, found again whenever the collection changed."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant
        self._lock = Lock()
        self._tried: tuple[str, ...] | None = None
        self._known: tuple[int, Holdings] | None = None

    def holdings(self) -> Holdings:
        """What the collection holds, with questions that it answers."""
        papers = self._assistant.counts()["papers"]
        with self._lock:
            if self._known is not None and self._known[0] == papers:
                return self._known[1]
            titles = self._titles()
            # Trying takes seconds: it is done once, and after a change questions are just made.
            asked = self._tried or tuple(islice(questions(titles), EXAMPLES))
            held = Holdings(papers, topics(titles), asked)
            self._known, self._tried = (papers, held), None
            return held

    def try_out(self) -> None:
        """Ask until enough questions were answered; this loads the models on the way.

        No language model is called.

        Raises:
            RagError: the collection or a model cannot be used.
        """
        answered: list[str] = []
        for question in chain([_FIRST], islice(questions(self._titles()), _MAX_TRIED)):
            try:
                declined = self._assistant.ask(question, quoting=True).declined
            except InputError as error:  # a title that makes no question
                _log.warning("an example question failed: %s", error)
                continue
            if declined is None and question != _FIRST:
                answered.append(question)
            if len(answered) == EXAMPLES:
                break
        with self._lock:
            self._tried, self._known = tuple(answered) or None, None

    def _titles(self) -> list[str]:
        return [paper.title for paper in islice(self._assistant.papers(), MAX_TITLES)]
