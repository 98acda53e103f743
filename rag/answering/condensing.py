"""Questions put in other words by a language model before they are searched for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.answering.calls import Calls
from rag.answering.context import plain
from rag.answering.prompts import fence, load
from rag.answering.question import Turn, checked
from rag.errors import EndpointError, QuestionError

MAX_TOKENS = 600
"""Reasoning models need most of it before they write the question."""

_HISTORY_TOKENS = 1500
_ANSWER_CHARS = 1200
_MAX_PARTS = 4
_MAX_CHARS = 600
_LABEL = re.compile(
    r"^(?:[-*•]\s+|\d{1,2}[.)]\s+|(?:\w+\s+)?question\s*\d*\s*:\s*)+", re.IGNORECASE
)
_QUOTES = "\"'“”‘’«»`* "


def condense(question: str, history: Sequence[Turn], calls: Calls) -> str:
    """A follow-up as a question that can be understood without the turns before it.

    Raises:
        EndpointError: the call failed, or brought no question.
        EndedError: it was ended.
    """
    prompt = load("condense")
    told = _told(history, calls)
    asked = plain(question)
    filled = prompt.fill(fence=fence(f"{told}\n{asked}"), history=told, question=asked)
    found = _questions(calls.read(prompt, filled, max_tokens=MAX_TOKENS))
    if not found:
        raise EndpointError(f"{calls.llm.name} wrote no question that could be searched for")
    return found[0]


def split(question: str, calls: Calls) -> tuple[str, ...]:
    """The questions, at most four, that a question is made of; itself where it has one part.

    Raises:
        EndpointError: the call failed.
        EndedError: it was ended.
    """
    prompt = load("split")
    found = _questions(
        calls.read(prompt, prompt.fill(question=plain(question)), max_tokens=MAX_TOKENS)
    )
    return tuple(dict.fromkeys(found))[:_MAX_PARTS] or (question,)


def _told(history: Sequence[Turn], calls: Calls) -> str:
    """The latest turns that fit, oldest first; answers are cut."""
    turns: list[str] = []
    left = _HISTORY_TOKENS
    for question, answer in reversed(history):
        turn = f"Question: {plain(question)}\nAnswer: {plain(answer)[:_ANSWER_CHARS]}"
        left -= calls.llm.count_tokens(turn)
        if left < 0 and turns:
            break
        turns.append(turn)
    return "\n\n".join(reversed(turns))


def _questions(text: str) -> list[str]:
    """The lines of a reply that can be asked, without labels and quotes around them."""
    found = []
    for line in text.splitlines():
        bare = _LABEL.sub("", line.strip(_QUOTES)).strip(_QUOTES)
        try:
            asked = checked(bare)
        except QuestionError:
            continue
        if len(asked) <= _MAX_CHARS:
            found.append(asked)
    return found
