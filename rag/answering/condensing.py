"""Questions put in other words by a language model before they are searched for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rag.answering.calls import Calls
from rag.answering.context import plain
from rag.answering.prompts import Prompt, fence, load
from rag.answering.question import Turn, checked
from rag.errors import EndpointError, QuestionError

MAX_TOKENS = 600
"""Reasoning models need most of it before they write the question."""

_HISTORY_TOKENS = 1500
_ANSWER_CHARS = 1200
_QUESTION_CHARS = 600
_TITLE_CHARS = 200
_LEAST_CHARS = 100
_MAX_PARTS = 4
_MAX_CHARS = 600
_SHORT_CHARS = 20
_ITEM = re.compile(r"[-*•]\s+|\d{1,2}[.)]\s+|question\s*\d+\s*:", re.IGNORECASE)
_LABEL = re.compile(
    r"^(?:[-*•]\s+|\d{1,2}[.)]\s+|[^:?？]{0,40}\bquestion\b[^:?？]{0,10}:\s*)+", re.IGNORECASE
)
_SAYS_NO_QUESTION = re.compile(
    r"(?:sure|certainly|of course|okay|ok|yes|no)(?:[,.!:–—-].*)?|here(?:['’]s| is| are)\b.*"
    r"|i(?:['’]m sorry| am sorry|['’]ve| have| cannot| can['’]t| could not)\b.*|.*!",
    re.IGNORECASE,
)
_ASKS = re.compile(r"[?？؟]\W*$")
_QUOTES = "\"'“”‘’«»`* "
_NUMBERS = re.compile(r"\[(\d{1,4}(?:, \d{1,4})*)\]")


def condense(
    question: str,
    history: Sequence[Turn],
    calls: Calls,
    titles: Mapping[int, str] | None = None,
) -> str:
    """A follow-up as a question that can be understood without the turns before it.

    Args:
        question: the follow-up.
        history: the turns before it, oldest first; what does not fit is left out or cut.
        calls: what makes the call.
        titles: the titles of the papers that the answers cite, by footnote number, so that
            "paper [1]" and "the second one" can be told.

    Raises:
        EndpointError: the call failed, brought no question, or has no room for this one.
        EndedError: it was ended.
    """
    prompt = load("condense")
    asked = plain(question)
    longest = calls.longest_reply(MAX_TOKENS)
    bare = prompt.fill(fence=fence(asked), history="", question=asked)
    room = min(_HISTORY_TOKENS, _room(prompt, bare, calls, longest))
    told = _told(history, titles or {}, calls, room)
    if history and not told:
        raise _no_room(prompt, calls)
    filled = prompt.fill(fence=fence(f"{told}\n{asked}"), history=told, question=asked)
    found = _questions(calls.read(prompt, filled, max_tokens=longest), asked)
    if not found:
        raise EndpointError(f"{calls.llm.name} wrote no question that could be searched for")
    asking = [line for line in found if _ASKS.search(line)]
    return asking[-1] if asking else found[0]


def split(question: str, calls: Calls) -> tuple[str, ...]:
    """The questions, at most four, that a question is made of; itself where it has one part.

    Raises:
        EndpointError: the call failed, or has no room for the question.
        EndedError: it was ended.
    """
    prompt = load("split")
    filled = prompt.fill(question=plain(question))
    longest = calls.longest_reply(MAX_TOKENS)
    _room(prompt, filled, calls, longest)
    found = _questions(calls.read(prompt, filled, max_tokens=longest), question)
    return tuple(dict.fromkeys(found))[:_MAX_PARTS] or (question,)


def _room(prompt: Prompt, filled: str, calls: Calls, longest: int) -> int:
    room = calls.room(filled, max_tokens=longest)
    if not room:
        raise _no_room(prompt, calls)
    return room


def _no_room(prompt: Prompt, calls: Calls) -> EndpointError:
    return EndpointError(
        f"a window of {calls.llm.window:,} tokens has no room for the prompt {prompt.reference} "
        "with this question; ask a shorter one, or set FOOTNOTED_WINDOW to what the model really "
        "takes"
    )


def _told(history: Sequence[Turn], titles: Mapping[int, str], calls: Calls, room: int) -> str:
    """The latest turns that fit, oldest first; of the last one, as much as fits."""
    turns: list[str] = []
    left = room
    known = dict(titles)
    for question, answer in reversed(history):
        cited = [number for number in _cited(answer) if number in known]
        papers = [f"Paper [{n}]: {plain(known.pop(n))[:_TITLE_CHARS]}" for n in cited]
        chars = _ANSWER_CHARS
        turn = _turn(question, answer, papers, chars)
        while not turns and calls.llm.count_tokens(turn) > left and chars > _LEAST_CHARS:
            chars //= 2
            papers = papers[: len(papers) // 2] if chars < _QUESTION_CHARS else papers
            turn = _turn(question, answer, papers, chars)
        left -= calls.llm.count_tokens(f"{turn}\n\n")
        if left < 0:
            break
        turns.append(turn)
    return "\n\n".join(reversed(turns))


def _turn(question: str, answer: str, papers: Sequence[str], chars: int) -> str:
    asked = plain(question)[: min(chars, _QUESTION_CHARS)]
    return "\n".join((f"Question: {asked}", f"Answer: {plain(answer)[:chars]}", *papers))


def _cited(answer: str) -> Sequence[int]:
    """The footnote numbers in an answer, each once, in order."""
    found = (int(number) for marks in _NUMBERS.findall(answer) for number in marks.split(", "))
    return tuple(dict.fromkeys(found))


def _questions(text: str, asked: str) -> list[str]:
    """The lines of a reply that can be asked, without labels and quotes around them.

    Those are the lines that end with a question mark, and where there are such, also long items of
    a list; else what does not look like talk about the question. ``asked`` itself always counts.
    """
    lines = [line.strip(_QUOTES) for line in text.splitlines()]
    found = {line: asking for line in lines if (asking := _askable(line)) is not None}
    asks = any(map(_ASKS.search, found.values()))
    return [
        asking
        for line, asking in found.items()
        if asking == asked or _ASKS.search(asking) or _may_ask(line, asking, others_ask=asks)
    ]


def _may_ask(line: str, asking: str, *, others_ask: bool) -> bool:
    """Whether a line without a question mark is to be searched for."""
    if asking.endswith((":", "：")) or _SAYS_NO_QUESTION.fullmatch(asking):
        return False
    return not others_ask or (bool(_ITEM.match(line)) and len(asking) > _SHORT_CHARS)


def _askable(line: str) -> str | None:
    try:
        question = checked(_LABEL.sub("", line).strip(_QUOTES))
    except QuestionError:
        return None
    return question if len(question) <= _MAX_CHARS else None
