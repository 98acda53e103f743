"""Checks each claim that a language model wrote, and finds it better footnotes where it fails."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.answering.context import Context, Evidence
from rag.answering.drafts import Draft
from rag.answering.grounding import EXACT, Checker, check
from rag.answering.rules.words import overlap, vocabulary, words
from rag.ingest.cleaning import display
from rag.schema import Status, Verdict
from rag.store.catalog import StoredPaper

RECITED_FROM = 0.7
"""The probability of support from which other sentences than those named become footnotes.

Higher than for sentences that the model named itself: several are tried, and the best of several
looks better than it is.
"""
LIKE_ENOUGH = 0.6
"""The share of a claim's words that they must hold where nothing gives a probability."""

_NEAREST = 3
_NOT_STATED = re.compile(r"\W*not (?:stated|stated in the abstracts)\b\W", re.IGNORECASE)
_NAMED_OR_NUMBERED = re.compile(r"\d|\b\w+[A-Z]")
_CONNECTING = vocabulary(
    "abstract abstracts agree agrees answer answers article articles both disagree disagrees "
    "evidence finding findings first following here however hold holds next paper papers point "
    "points position positions question report reports result results say says second short "
    "side sides source sources study studies summary third two three several view views work "
    "works differ differs divided mixed overall give gives describe describes address addresses"
)
_SAYS_WHAT_IS_MISSING = Verdict(
    Status.UNCHECKED, EXACT, "it says what the abstracts do not say, which no sentence can support"
)
_CONNECTS = Verdict(Status.UNCHECKED, EXACT, "it connects sentences and needs no footnote")


@dataclass(frozen=True, slots=True)
class Checked:
    """A claim with the sentences that it cites now, in the order of the text, and the verdict.

    ``nearest`` are the sentences that are like it, best first, where it failed; ``recited`` says
    that others are cited than the model named.
    """

    draft: Draft
    evidence: tuple[Evidence, ...]
    verdict: Verdict
    nearest: tuple[Evidence, ...] = ()
    recited: bool = False

    @property
    def fails(self) -> bool:
        """Whether the evidence does not support it."""
        return self.verdict.status is Status.UNSUPPORTED


class Verifier:
    """Checks claims over one context.

    Args:
        context: what the model was given.
        held: the papers of it, whole.
        checkers: the tiers beyond the exact check and the rules.
    """

    def __init__(
        self, context: Context, held: Sequence[StoredPaper], checkers: Sequence[Checker]
    ) -> None:
        self._evidence = context.evidence
        self._order = {key: place for place, key in enumerate(context.evidence)}
        self._texts = {stored.paper.id: stored.texts for stored in held}
        self._words = {key: words(entry.quote) for key, entry in context.evidence.items()}
        self._checkers = tuple(checkers)

    def verify(self, draft: Draft) -> Checked:
        """Check a claim against what it cites; where that fails, against what is most like it."""
        cited = self._sorted([self._evidence[key] for key in draft.keys])
        if not cited and (verdict := _needs_none(draft.text)):
            return Checked(draft, (), verdict)
        verdict = self._verdict(draft.text, cited)
        if verdict.status is not Status.UNSUPPORTED:
            return Checked(draft, cited, verdict)
        nearest = self._nearest(draft.text)
        for other in self._others(cited, nearest):
            found = self._verdict(draft.text, other)
            if self._convinces(draft.text, other, found):
                return Checked(draft, other, found, recited=True)
        return Checked(draft, cited, verdict, nearest)

    def _verdict(self, claim: str, cited: Sequence[Evidence]) -> Verdict:
        papers = {entry.paper.id: entry.paper for entry in cited}
        quotes = {entry.quote for entry in cited}
        rest = [text for id_ in papers for text in self._texts[id_] if text not in quotes]
        titles = [display(paper.title) for paper in papers.values()]
        return check(
            claim,
            [entry.quote for entry in cited],
            title="; ".join(titles),
            context=[*titles, *rest],
            checkers=self._checkers,
        )

    def _nearest(self, claim: str) -> tuple[Evidence, ...]:
        """The sentences that hold most of the claim's words, best first."""
        mine = words(claim)
        shares = {key: overlap(mine, found) for key, found in self._words.items()}
        best = sorted(shares, key=lambda key: (-shares[key], self._order[key]))[:_NEAREST]
        return tuple(self._evidence[key] for key in best if shares[key] > 0)

    def _others(
        self, cited: Sequence[Evidence], nearest: Sequence[Evidence]
    ) -> Iterator[tuple[Evidence, ...]]:
        """What to cite instead, in the order to try: one sentence, what is cited and one, two."""
        new = [entry for entry in nearest if entry not in cited]
        tried = {tuple(cited)}
        for others in (
            *((entry,) for entry in new),
            *((*cited, entry) for entry in new[:2]),
            tuple(nearest[:2]),
        ):
            candidate = self._sorted(others)
            if candidate and candidate not in tried:
                tried.add(candidate)
                yield candidate

    def _convinces(self, claim: str, cited: Sequence[Evidence], verdict: Verdict) -> bool:
        if verdict.status is Status.SUPPORTED:
            return verdict.probability is None or verdict.probability >= RECITED_FROM
        if verdict.status is Status.UNSUPPORTED or self._checkers:
            return False
        together = [word for entry in cited for word in self._words[entry.key]]
        return overlap(words(claim), together) >= LIKE_ENOUGH

    def _sorted(self, entries: Sequence[Evidence]) -> tuple[Evidence, ...]:
        return tuple(sorted(entries, key=lambda entry: self._order[entry.key]))


def _needs_none(text: str) -> Verdict | None:
    """The verdict on a sentence that needs no footnote; None if it needs one."""
    if _NOT_STATED.match(text):
        return _SAYS_WHAT_IS_MISSING
    plain = all(not word.is_content or word.lower in _CONNECTING for word in words(text))
    return _CONNECTS if plain and not _NAMED_OR_NUMBERED.search(text) else None
