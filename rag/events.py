"""What happens while a question is answered, in order; the last is always `Finished`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rag.schema import Answer, Claim


class Stage(StrEnum):
    """What is being done."""

    SEARCHING = "searching"
    READING = "reading"
    WRITING = "writing"
    CHECKING = "checking"


@dataclass(frozen=True, slots=True)
class Began:
    """A stage began."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class Understood:
    """The question as it is searched for: a follow-up with what it leaves unsaid filled in."""

    question: str


@dataclass(frozen=True, slots=True)
class Pending:
    """What a language model has written since the last claim, unchecked; replaces the last one."""

    text: str


@dataclass(frozen=True, slots=True)
class Told:
    """A claim of the answer, checked; it takes the place of what was pending."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """All that was told so far is void: the answer begins anew."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The whole answer."""

    answer: Answer


Event = Began | Understood | Pending | Told | Withdrawn | Finished
