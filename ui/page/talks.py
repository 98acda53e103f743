"""Conversations of browsers: turns in order, kept in the history, the latest also in memory."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from threading import Lock

from rag.records import answer_from_json
from rag.schema import Answer
from rag.store.history import ConversationSummary, History

MAX_IN_MEMORY = 64
MAX_TURNS_IN_MEMORY = 512  # about 43 kB each


@dataclass(frozen=True, slots=True)
class Turn:
    """A question with its answer, and what the reader said of it (None: nothing)."""

    answer: Answer
    good: bool | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation; ``id`` is None before the first answer is kept."""

    id: str | None = None
    turns: tuple[Turn, ...] = ()

    @property
    def history(self) -> tuple[tuple[str, str], ...]:
        """The questions with their answers as text, oldest first."""
        return tuple((turn.answer.question, turn.answer.text) for turn in self.turns)

    @property
    def numbers(self) -> dict[str, int]:
        """The footnote numbers that papers (by id) have, in order of last mention."""
        numbers: dict[str, int] = {}
        for citation in (c for turn in self.turns for c in turn.answer.citations):
            numbers.pop(citation.paper.id, None)
            numbers[citation.paper.id] = citation.number
        return numbers

    def before_last(self) -> Talk:
        """The conversation without its last turn."""
        return replace(self, turns=self.turns[:-1])


class Talks:
    """The conversations of all browsers, each told by its owner's token.

    Those that went on last are in memory, at most `MAX_IN_MEMORY` and `MAX_TURNS_IN_MEMORY`.
    Safe to use from several threads. What the history refuses is raised as the `CollectionError`
    that it is; nothing of an answer is lost by it.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._lock = Lock()
        self._latest: OrderedDict[tuple[str, str], Talk] = OrderedDict()

    def talk(self, id_: str, owner: str) -> Talk:
        """The owner's conversation; an empty one for an empty id.

        Raises:
            UnknownConversationError: the owner has no such conversation.
        """
        if not id_:
            return Talk()
        with self._lock:
            known = self._latest.get((id_, owner))
        if known is None:
            known = self._read(id_, owner)
            self._remember(known, owner)
        return known

    def begin(self, owner: str) -> str:
        """A new conversation's id."""
        return self._history.start_conversation(owner)

    def listed(self, owner: str) -> list[ConversationSummary]:
        """The owner's conversations, the one that went on last first."""
        return self._history.conversations(owner)

    def add(self, talk: Talk, answer: Answer, owner: str) -> Talk:
        """The conversation with one more answer, remembered."""
        longer = replace(talk, turns=(*talk.turns, Turn(answer)))
        self._remember(longer, owner)
        return longer

    def record(self, answer: Answer, talk: Talk) -> Answer:
        """The answer with the id under which it is now kept."""
        return replace(answer, id=self._history.record(answer, conversation=talk.id))

    def drop(self, last: Turn) -> None:
        """Forget a turn that was asked anew; with feedback on it, it stays kept on its own.

        Raises:
            UnknownAnswerError: it is not kept.
        """
        id_ = last.answer.id
        if id_ is None:
            return
        if self._history.feedback(id_):
            self._history.detach(id_)
        else:
            self._history.forget(id_)

    def forget(self, id_: str, owner: str) -> None:
        """Delete a conversation for good.

        Raises:
            UnknownConversationError: the owner has no such conversation.
        """
        with self._lock:
            self._latest.pop((id_, owner), None)
        self._history.forget_conversation(id_, owner)

    def say(self, answer: str, *, good: bool, comment: str, owner: str | None) -> None:
        """Keep what a reader says of an answer.

        Raises:
            InputError: the comment is too long.
            UnknownAnswerError: there is no such answer.
        """
        self._history.give_feedback(answer, good=good, comment=comment)
        with self._lock:
            for key in [key for key in self._latest if key[1] == owner]:
                del self._latest[key]  # read again with what was said

    def _read(self, id_: str, owner: str) -> Talk:
        turns = []
        for record in self._history.turns(id_, owner):
            said = self._history.feedback(record.id)
            answer = replace(answer_from_json(record.text), id=record.id)
            turns.append(Turn(answer, said[0].good, said[0].comment) if said else Turn(answer))
        return Talk(id_, tuple(turns))

    def _remember(self, talk: Talk, owner: str) -> None:
        if talk.id is None:
            return
        with self._lock:
            self._latest[talk.id, owner] = talk
            self._latest.move_to_end((talk.id, owner))
            turns = sum(len(known.turns) for known in self._latest.values())
            while len(self._latest) > 1 and (
                len(self._latest) > MAX_IN_MEMORY or turns > MAX_TURNS_IN_MEMORY
            ):
                _, dropped = self._latest.popitem(last=False)
                turns -= len(dropped.turns)
