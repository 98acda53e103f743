"""What can be wrong with one case: each check yields what is wrong and what to do. No IO."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from hashlib import sha256
from typing import Protocol

from eval.caseload import SPLITS
from eval.schema import CATEGORIES, Case, Nugget
from rag.ingest.cleaning import display

UNANSWERED = ("not_in_collection", "abstract_does_not_say")
FALSE_PREMISE = "false_premise"

_NUMBER = re.compile(r"(\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?:\s?([kK])\b)?")


class HasAbstract(Protocol):
    """A paper or record: whatever has an abstract."""

    @property
    def abstract(self) -> str:
        """The text that offsets refer to."""
        ...


Papers = Mapping[str, HasAbstract]
Fault = tuple[str, str]  # what is wrong, what to do


def numbers_in(text: str) -> frozenset[Decimal]:
    """The values of the numbers in a text: ``2,990`` and ``2990`` are one, ``6k`` is 6000."""
    return frozenset(
        Decimal(digits.replace(",", "")) * (1000 if thousands else 1)
        for digits, thousands in _NUMBER.findall(display(text))
    )


def carried(nugget: Nugget, text: str) -> bool:
    """Whether one of the nugget's wordings stands in the text, both cleaned for display."""
    shown = plain(text)
    return any(plain(wording) in shown for wording in nugget.any)


def plain(text: str) -> str:
    """The text as shown to people, without regard to case."""
    return display(text).casefold()


def evidence_text(case: Case) -> str:
    """All that the case quotes, cleaned for display."""
    return " ".join(display(span.quote) for span in case.evidence)


def abstract_sum(abstract: str) -> str:
    """The SHA-256 sum of an abstract (hex), as it stands in ``Case.abstracts``."""
    return sha256(abstract.encode()).hexdigest()


# -- checks


def _labels(case: Case, _: Papers) -> Iterator[Fault]:
    reasons = (*UNANSWERED, FALSE_PREMISE)
    reason = case.unanswerable_reason
    for name, value, known in (
        ("category", case.category, CATEGORIES),
        ("split", case.split, SPLITS),
        ("unanswerable_reason", reasons[0] if reason is None else reason, reasons),
    ):
        if value not in known:
            yield f"{name} is {value!r}", f"expected one of {', '.join(known)}"


def _history(case: Case, _: Papers) -> Iterator[Fault]:
    if case.category == "follow_up" and not case.history:
        yield "a follow_up has no history", "add the earlier turns, or change its category"
    if case.category != "follow_up" and case.history:
        yield f"a {case.category} has a history", "only a follow_up has one: take it out"


def _answerable(case: Case, _: Papers) -> Iterator[Fault]:
    if not case.answerable:
        return
    if not case.gold_papers:
        yield "it is answerable but has no gold_papers", "name the papers that answer it"
    if not any(nugget.vital for nugget in case.nuggets):
        yield "it is answerable but has no vital nugget", "say what a right answer states"
    expected = FALSE_PREMISE if case.category == "false_premise" else None
    if case.unanswerable_reason != expected:
        yield (
            f"it is answerable and its unanswerable_reason is {case.unanswerable_reason!r}",
            f"expected {expected!r} for a {case.category}",
        )
    if case.category.startswith("unanswerable"):
        yield f"it is answerable and a {case.category}", "change the one or the other"


def _unanswerable(case: Case, _: Papers) -> Iterator[Fault]:
    if case.answerable:
        return
    for name in ("gold_papers", "evidence", "nuggets", "abstracts"):
        if getattr(case, name):
            yield f"it is not answerable but has {name}", "take them out"
    if case.unanswerable_reason is None:
        yield "it is not answerable without a reason", f"expected one of {', '.join(UNANSWERED)}"
    if not case.papers_checked:
        yield "papers_checked is empty", "list the papers read before saying that none answers it"
    if not case.category.startswith("unanswerable"):
        yield f"it is not answerable but a {case.category}", "expected an unanswerable_… category"


def _papers(case: Case, papers: Papers) -> Iterator[Fault]:
    known = "the collection lists its papers with 'footnoted papers'"
    for name in ("gold_papers", "papers_checked"):
        for id_ in getattr(case, name):
            if id_ not in papers:
                yield f"{name} holds {id_}, which is not in the collection", known
    if set(case.abstracts) != set(case.gold_papers):
        yield "abstracts and gold_papers name different papers", "give each gold paper's sum"
    for id_, digest in case.abstracts.items():
        if id_ in papers and digest != (actual := abstract_sum(papers[id_].abstract)):
            yield (
                f"the abstract of {id_} is not the one that the case was written on",
                f"read the case again; then its sum is {actual}",
            )


def _spans(case: Case, papers: Papers) -> Iterator[Fault]:
    quoted = {span.paper for span in case.evidence}
    for id_ in case.gold_papers:
        if id_ not in quoted:
            yield f"the gold paper {id_} has no evidence", "quote what answers the question"
    for span in case.evidence:
        if span.paper not in case.gold_papers:
            yield f"evidence is of {span.paper}, no gold paper", "add it to gold_papers"
        if span.paper not in papers:
            continue
        abstract = papers[span.paper].abstract
        if abstract[span.start : span.end] != span.quote:
            at = abstract.find(span.quote)
            yield (
                f'"{_short(span.quote)}" is not at {span.start}–{span.end} of {span.paper}',
                f"it is at {at}–{at + len(span.quote)}"
                if at >= 0
                else "nor anywhere in it; copy the quote from the abstract",
            )


def _nuggets(case: Case, _: Papers) -> Iterator[Fault]:
    evidence = evidence_text(case)
    held = numbers_in(evidence)
    for nugget in case.nuggets:
        if not nugget.any:
            yield "a nugget has no wording", "add one, or take the nugget out"
        elif nugget.vital and not carried(nugget, evidence):
            yield (
                f"no evidence carries the vital nugget {_short(' | '.join(nugget.any))!r}",
                "word one as the quote does, or quote more",
            )
        for wording in nugget.any:
            for number in sorted(numbers_in(wording) - held):
                yield f"{number} of {wording!r} is in no quote", "mend the number, or quote more"
    for claim in case.must_not_claim:
        if plain(claim) in evidence.casefold():
            yield f"must_not_claim {claim!r} stands in the evidence", "take it out"


CHECKS: tuple[Callable[[Case, Papers], Iterator[Fault]], ...] = (
    _labels,
    _history,
    _answerable,
    _unanswerable,
    _papers,
    _spans,
    _nuggets,
)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"
