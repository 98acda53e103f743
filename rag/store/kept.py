"""What the history gives back: frozen data, and the errors for what it does not hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rag.errors import CollectionError


class UnknownAnswerError(CollectionError):
    """No answer is kept under that id, or several ids begin like it."""


class UnknownConversationError(CollectionError):
    """That browser has no such conversation."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A kept answer in short; ``time`` is UTC in ISO 8601, ``declined`` a reason or None."""

    id: str
    time: str
    question: str
    mode: str
    model: str | None
    declined: str | None
    conversation: str | None


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    """A kept answer: its JSON record as ``text`` and, parsed, as ``values``."""

    id: str
    time: str
    conversation: str | None
    text: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """A conversation in short: its first question, when it began and went on, how many answers."""

    id: str
    title: str
    started: str
    last: str
    answers: int


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a reader said of an answer; ``comment`` may be empty."""

    answer: str
    time: str
    good: bool
    comment: str
    question: str
