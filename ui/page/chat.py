"""What the page does when something is asked: handlers of its events, without its looks."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from rag.errors import CollectionError, RagError
from rag.schema import Answer
from rag.store.history import UnknownConversationError
from rag.store.ids import conversation_id
from ui.page import turns
from ui.page.choices import Choices
from ui.page.examples import Examples
from ui.page.limits import TooManyError
from ui.page.running import Run, Runs
from ui.page.site import Site
from ui.page.start import start
from ui.page.talks import Talk, Turn
from ui.page.waiting import OneByOne

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


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question as it was asked; with ``again`` it takes the place of the last one."""

    question: str
    place: str
    asker: Asker
    choices: Choices
    again: bool


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where a question stands: the conversation as it is, and what comes before the answer.

    ``replaced`` is the turn whose place the answer takes, None where it is one more.
    """

    question: str
    whole: Talk
    talk: Talk
    replaced: Turn | None = None

    @property
    def turn(self) -> int:
        """The place of the answer, from 1."""
        return len(self.talk.turns) + 1

    def begun(self) -> Shown:
        """The question as it waits to be answered."""
        now = turns.Progress(self.question)
        return Shown(turns.past(self.talk), turns.progress(now, self.turn), busy=True)

    def unanswered(self, now: turns.Progress, why: str | None) -> Shown:
        """No answer, because of an error or (None) because it was stopped.

        What was to be replaced is still there, and shown again.
        """
        again = self.replaced is not None
        past, turn = turns.past(self.whole) if again else None, len(self.whole.turns) + 1
        if why is None:
            return Shown(past, turns.stopped(now, turn, again=again), busy=False)
        return Shown(past, turns.failed(now, turn, why, again=again), busy=False)


class Chat:
    """The chat of one site, for all tabs."""

    def __init__(self, site: Site, examples: Examples) -> None:
        self._site = site
        self._examples = examples
        self._runs = Runs()
        self._conversations = OneByOne(
            "another question of this conversation is being answered; try again soon"
        )

    def opened(self, place: str, asker: Asker) -> Shown:
        """A conversation as a tab opens it; the start screen where there is none.

        What the tab had running is stopped.
        """
        self._runs.leave(asker.session)
        try:
            talk = self._site.talks.talk(place, asker.owner)
        except RagError as error:
            note = turns.notice(self._site.told(error))
            return Shown("", note + self.start(), "", busy=False)
        if not talk.turns:
            return Shown("", self.start(), "", busy=False)
        last = turns.answered(talk.turns[-1], len(talk.turns))
        return Shown(turns.past(talk.before_last()), last, place, busy=False)

    def start(self) -> str:
        """The start screen, or why there is none."""
        try:
            return start(self._examples.holdings(), self._site.assistant.model)
        except RagError as error:
            return turns.notice(self._site.told(error))

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

        An empty question with ``again`` is the last one. Questions of one conversation are
        answered one after the other.
        """
        asked = _Asked(question, place, asker, choices or Choices(), again)
        with self._runs.begun(asker.session) as run, closing(self._steps(asked, run)) as steps:
            for shown in steps:
                if run.left:
                    break
                yield shown
        if run.left:
            yield Shown()

    def _steps(self, asked: _Asked, run: Run) -> Generator[Shown, None, None]:
        """A question on its way to its answer.

        Nothing is held at the last step: nobody may come for what follows it.
        """
        try:
            plan = self._planned(asked)
        except RagError as error:
            yield Shown("", turns.notice(self._site.told(error)), "", busy=False)
            return
        yield plan.begun()
        wait_s = self._site.serving.answer_s
        waits = self._conversations.turn(
            (asked.place, asked.asker.owner), wait_s, lambda: run.stopped
        )
        try:
            with waits if asked.place else nullcontext():
                latest = self._planned(asked)
                if (
                    asked.place and latest.whole is not plan.whole
                ):  # it went on while this question waited
                    plan = latest
                    yield plan.begun()
                end = yield from self._answered(plan, asked, run)
        except TooManyError as error:
            end = plan.unanswered(turns.Progress(plan.question), str(error))
        except RagError as error:
            end = Shown("", turns.notice(self._site.told(error)), "", busy=False)
        yield end

    def _planned(self, asked: _Asked) -> _Plan:
        """Where a question stands in its conversation as it is now.

        Raises:
            RagError: the conversation is not there, or cannot be read.
        """
        whole = self._site.talks.talk(asked.place, asked.asker.owner)
        question = asked.question.strip()[:MAX_QUESTION_CHARS]
        if not (asked.again and whole.turns):
            return _Plan(question, whole, whole)
        last = whole.turns[-1]
        return _Plan(question or last.answer.question, whole, whole.before_last(), last)

    def _answered(self, plan: _Plan, asked: _Asked, run: Run) -> Generator[Shown, None, Shown]:
        """Answer a question in its conversation, whose turn it is; returns the last step."""
        now, why = turns.Progress(plan.question), None
        live = self._site.question(
            plan.question,
            history=plan.talk.history,
            numbers=plan.whole.numbers,
            choices=asked.choices,
        )
        run.begin(live)
        try:
            with self._site.answering(live, asked.asker.client):
                for batch in live.batches():
                    now = now.after(batch)
                    if now.answer is None:
                        yield Shown(current=turns.progress(now, plan.turn))
        except RagError as error:
            why = self._site.told(error)
        if now.answer is None:
            return plan.unanswered(now, why)
        return self._finished(now.answer, plan.talk, plan.replaced, asked.asker)

    def _finished(self, answer: Answer, talk: Talk, replaced: Turn | None, asker: Asker) -> Shown:
        """Keep an answer, then forget the one that it replaces."""
        talks, warning = self._site.talks, ""
        if talk.id is None:
            talk = replace(talk, id=self._begin(asker))
        try:
            answer, warning = self._site.kept(answer, talk)
        except UnknownConversationError as error:
            told = f"This answer is not kept: {self._site.told(error)}"
            return Shown("", turns.answered(Turn(answer), 1, told), "", busy=False)
        if replaced is not None and not warning:
            try:
                talks.drop(replaced)
            except CollectionError as error:
                warning = f"The earlier answer is still kept: {self._site.told(error)}"
        longer = talks.add(talk, answer, asker.owner)
        html = turns.answered(Turn(answer), len(longer.turns), warning)
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

    def told(self, error: RagError) -> str:
        """What an error says to those who ask."""
        return self._site.told(error)

    def stop(self, asker: Asker) -> None:
        """Stop what a tab has running."""
        self._runs.stop(asker.session)

    def record(self, question: str, asker: Asker) -> dict[str, Any]:
        """The answer to a question as the values of its record, for programs."""
        import json

        live = self._site.question(question)
        now = turns.Progress(question)
        with self._site.answering(live, asker.client):
            for batch in live.batches():
                now = now.after(batch)
        if now.answer is None:
            raise TooManyError("the question was stopped", 1)
        answer, _ = self._site.kept(now.answer, Talk())
        values: dict[str, Any] = json.loads(answer.to_json())
        return values
