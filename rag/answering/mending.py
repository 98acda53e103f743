"""Mends the claims of an answer that failed their check: one more call for all of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rag.answering.calls import Calls
from rag.answering.context import plain
from rag.answering.drafts import Draft
from rag.answering.parser import Parser
from rag.answering.prompts import fence, load
from rag.answering.verifying import Checked, Verifier

MAX_TOKENS = 1000

_LINE = re.compile(r"\s*[-*(\[]*\s*(?:claim\s+)?(\d{1,3})\s*[*)\].:]+\s+(.+)", re.IGNORECASE)
_DROP = re.compile(r"\W*DROP\W*")


def mend(failing: Sequence[Checked], calls: Calls, verifier: Verifier) -> list[Checked | None]:
    """Ask for corrections of claims, and check these; None where a claim is to be dropped.

    A claim whose correction fails too, or that got none, stays as it was.

    Raises:
        EndpointError: the call failed.
        EndedError: it was ended.
    """
    prompt = load("repair")
    shown = "\n\n".join(_shown(number, item) for number, item in enumerate(failing, start=1))
    filled = prompt.fill(fence=fence(shown), claims=shown)
    mended = read_lines(calls.read(prompt, filled, max_tokens=MAX_TOKENS))
    return [
        _applied(item, mended.get(number), verifier) for number, item in enumerate(failing, start=1)
    ]


def read_lines(text: str) -> Mapping[int, str]:
    """The corrections by number, from 1; the last one counts where a number stands twice."""
    found = map(_LINE.fullmatch, text.splitlines())
    return {int(match[1]): match[2].strip() for match in found if match}


def _shown(number: int, item: Checked) -> str:
    evidence = item.evidence or item.nearest
    lines = [f"{number}: {plain(item.draft.text)}"]
    titles = dict.fromkeys(plain(entry.paper.title) for entry in evidence)
    lines += [f"paper: {title}" for title in titles]
    lines += [f"evidence: {plain(entry.quote)}" for entry in evidence]
    return "\n".join(lines)


def _applied(item: Checked, text: str | None, verifier: Verifier) -> Checked | None:
    if text is None:
        return item
    if _DROP.fullmatch(text):
        return None
    parser = Parser(())
    events = [*parser.feed(text), *parser.finish()]
    said = " ".join(event.text for event in events if isinstance(event, Draft))
    if not said or said == item.draft.text:
        return item
    keys = tuple(entry.key for entry in item.evidence)
    checked = verifier.verify(replace(item.draft, text=said, keys=keys))
    return item if checked.fails else checked
