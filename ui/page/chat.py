"""What the page does when something is asked: handlers of its events, without its looks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from rag.errors import CollectionError, RagError
from rag.store.ids import conversation_id
from ui.page import turns
from ui.page.choices import Choices
from ui.page.examples import Examples
from ui.page.limits import TooManyError
from ui.page.live import Live
from ui.page.site import Site
from ui.page.start import start
from ui.page.talks import Talk, Turn

MAX_QUESTION_CHARS = 4_000


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the tab, whose conversations those are, and the address that limits count."""

    session: str
    owner: str
    client: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What changes on the page; None leaves a part as it is."""

    past: str | None = None
    current: str | None = None
    place: str | None = None
    busy: bool | None = None


class Chat:
    """The chat of one site, for all tabs."""

    def __init__(self, site: Site, examples: Examples) -> None:
        self._site = site
        self._examples = examples
        self._lock = Lock()
        self._running: dict[str, Live] = {}

    def opened(self, place: str, asker: Asker) -> Shown:
        """A conversation as a tab opens it; the start screen where there is none."""
        try:
            talk = self._site.talks.talk(place, asker.owner)
        except CollectionError as error:
            note = turns.notice(str(error))
            return Shown("", note + self.start(), "", busy=False)
        if not talk.turns:
            return Shown("", self.start(), "", busy=False)
        last = turns.answered(talk.turns[-1], len(talk.turns))
        return Shown(turns.past(talk.before_last()), last, place, busy=False)

    def start(self) -> str:
        """The start screen."""
        return start(self._examples.holdings(), self._site.assistant.model)

    def ask(
        self,
        question: str,
        place: str,
        asker: Asker,
        choices: Choices | None = None,
        *,
        again: bool = False,
    ) -> Iterator[Shown]:
        """Answer a question; with ``again`` it takes the place of the last one.

        An empty question with ``again`` is the last one.
        """
        talks = self._site.talks
        try:
            talk = whole = talks.talk(place, asker.owner)
        except CollectionError as error:
            yield Shown("", turns.notice(str(error)), "", busy=False)
            return
        if again and whole.turns:
            question = question or whole.turns[-1].answer.question
            talk = whole.before_last()
        turn = len(talk.turns) + 1
        now = turns.Progress(question.strip()[:MAX_QUESTION_CHARS])
        yield Shown(turns.past(talk), turns.progress(now, turn), busy=True)
        try:
            with self._site.answering(
                now.question,
                asker.client,
                history=talk.history,
                numbers=whole.numbers,
                choices=choices or Choices(),
            ) as live:
                self._began(asker, live)
                for batch in live.batches():
                    now = now.after(batch)
                    if now.answer is None:
                        yield Shown(current=turns.progress(now, turn))
        except RagError as error:
            yield Shown(current=turns.failed(now, turn, str(error)), busy=False)
            return
        finally:
            self._ended(asker)
        if now.answer is None:
            yield Shown(current=turns.stopped(now, turn), busy=False)
            return
        yield self._finished(now, talk, whole if again else None, asker)

    def _finished(
        self, now: turns.Progress, talk: Talk, replaced: Talk | None, asker: Asker
    ) -> Shown:
        assert now.answer is not None
        talks, warning = self._site.talks, ""
        if talk.id is None:
            talk = replace(talk, id=self._begin(asker))
        try:
            if replaced is not None and replaced.turns:
                talks.drop_last(replaced, asker.owner)
        except CollectionError as error:
            warning = f"The earlier answer is still kept: {error}"
        answer, unkept = self._site.kept(now.answer, talk)
        longer = talks.add(talk, answer, asker.owner)
        html = turns.answered(Turn(answer), len(longer.turns), unkept or warning)
        return Shown(current=html, place=longer.id, busy=False)

    def _begin(self, asker: Asker) -> str:
        try:
            return self._site.talks.begin(asker.owner)
        except CollectionError:
            # It lives in memory only; recording its answers says why.
            return conversation_id()

    def last_question(self, place: str, asker: Asker) -> str:
        """The question asked last in a conversation; empty where there is none."""
        try:
            talk = self._site.talks.talk(place, asker.owner)
        except CollectionError:
            return ""
        return talk.turns[-1].answer.question if talk.turns else ""

    def stop(self, asker: Asker) -> None:
        """Stop what a tab has running."""
        with self._lock:
            live = self._running.get(asker.session)
        if live is not None:
            live.stop()

    def record(self, question: str, asker: Asker) -> dict[str, Any]:
        """The answer to a question as the values of its record, for programs."""
        import json

        with self._site.answering(question, asker.client) as live:
            now = turns.Progress(question)
            for batch in live.batches():
                now = now.after(batch)
        if now.answer is None:
            raise TooManyError("the question was stopped", 1)
        answer, _ = self._site.kept(now.answer, Talk())
        values: dict[str, Any] = json.loads(answer.to_json())
        return values

    def _began(self, asker: Asker, live: Live) -> None:
        with self._lock:
            self._running[asker.session] = live

    def _ended(self, asker: Asker) -> None:
        with self._lock:
            self._running.pop(asker.session, None)
