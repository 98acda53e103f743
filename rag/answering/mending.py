"""Mends the claims of an answer that failed their check: one more call for all of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rag.answering.calls import Calls
from rag.answering.context import Evidence, plain
from rag.answering.drafts import Draft
from rag.answering.parser import Parser
from rag.answering.prompts import Prompt, fence, load
from rag.answering.rules.words import overlap, words
from rag.answering.verifying import LIKE_ENOUGH, Checked, Verifier
from rag.schema import Status

MAX_TOKENS = 1000
MAX_EVIDENCE = 3
"""Sentences of evidence that are shown for a claim: those most like it."""

_LINE = re.compile(r"\s*[-*(\[]*\s*(?:claim\s+)?(\d{1,3})\s*[*)\].:]+\s+(.+)", re.IGNORECASE)
_DROP = re.compile(r"\W*DROP\W*")


def mend(failing: Sequence[Checked], calls: Calls, verifier: Verifier) -> list[Checked | None]:
    """Ask for corrections of claims, and check these; None where a claim is to be dropped.

    A claim stays as it was if its correction fails too or is none that can be relied on, if there
    is none, or if it does not fit into the prompt beside the claims before it.

    Raises:
        EndpointError: the call failed.
        EndedError: it was ended.
    """
    prompt = load("repair")
    longest = calls.longest_reply(MAX_TOKENS)
    shown = _fitting(failing, calls, calls.room(_filled(prompt, ""), max_tokens=longest))
    if not shown:
        return list(failing)
    filled = _filled(prompt, "\n\n".join(shown.values()))
    mended = read_lines(calls.read(prompt, filled, max_tokens=longest))
    return [
        _applied(item, mended.get(number) if number in shown else None, verifier)
        for number, item in enumerate(failing, start=1)
    ]


def _filled(prompt: Prompt, claims: str) -> str:
    return prompt.fill(fence=fence(claims), claims=claims)


def _fitting(failing: Sequence[Checked], calls: Calls, room: int) -> dict[int, str]:
    """The claims as they are shown, by number from 1: as many as fit in so many tokens."""
    shown: dict[int, str] = {}
    for number, item in enumerate(failing, start=1):
        text = _shown(number, item)
        cost = calls.llm.count_tokens(f"{text}\n\n")
        if cost <= room:
            shown[number] = text
            room -= cost
    return shown


def read_lines(text: str) -> Mapping[int, str]:
    """The corrections by number, from 1; the last one counts where a number stands twice."""
    found = map(_LINE.fullmatch, text.splitlines())
    return {int(match[1]): match[2].strip() for match in found if match}


def _shown(number: int, item: Checked) -> str:
    evidence = _most_like(item) if item.evidence else item.nearest
    lines = [f"{number}: {plain(item.draft.text)}"]
    titles = dict.fromkeys(plain(entry.paper.title) for entry in evidence)
    lines += [f"paper: {title}" for title in titles]
    lines += [f"evidence: {plain(entry.quote)}" for entry in evidence]
    return "\n".join(lines)


def _most_like(item: Checked) -> tuple[Evidence, ...]:
    """The sentences cited that hold most of the claim's words, in the order of the text."""
    claim = words(item.draft.text)
    ranked = sorted(item.evidence, key=lambda entry: -overlap(claim, words(entry.quote)))
    chosen = ranked[:MAX_EVIDENCE]
    return tuple(entry for entry in item.evidence if entry in chosen)


def _applied(item: Checked, text: str | None, verifier: Verifier) -> Checked | None:
    if text is None:
        return item
    if _DROP.fullmatch(text):
        return None
    parser = Parser((), " ".join([item.draft.text, *(entry.quote for entry in item.evidence)]))
    events = [*parser.feed(text), *parser.finish()]
    said = " ".join(event.text for event in events if isinstance(event, Draft))
    if not said or said == item.draft.text:
        return item
    keys = tuple(entry.key for entry in item.evidence)
    checked = verifier.verify(replace(item.draft, text=said, keys=keys))
    return checked if _is_better(checked, item, verifier) else item


def _is_better(checked: Checked, item: Checked, verifier: Verifier) -> bool:
    """Whether a correction can be relied on, or is as good as can be told.

    The evidence has to support it surely; where it cannot be checked, for its language, it has to
    be the claim in all but a few words.
    """
    if checked.verdict.status is not Status.UNCHECKED:
        return not checked.fails and verifier.is_sure(checked)
    kept = overlap(words(item.draft.text), words(checked.draft.text))
    return bool(checked.evidence) and kept >= LIKE_ENOUGH
