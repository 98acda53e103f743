"""Checks each claim that a language model wrote, and finds it better footnotes where it fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.answering.context import Context, Evidence
from rag.answering.drafts import Draft
from rag.answering.grounding import EXACT, Checker, check, verbatim_run
from rag.answering.keyless import judge
from rag.answering.rules.words import overlap, words
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

Cited = tuple[Evidence, ...]


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

    @property
    def is_left_out(self) -> bool:
        """Whether it is not shown even as unsupported: a heading that says something."""
        return self.fails and self.draft.heading


class Verifier:
    """Checks claims over one context.

    Args:
        context: what the model was given.
        held: the papers of it, whole.
        checkers: the tiers beyond the exact check and the rules.
        question: what is answered; its words and the titles' may head a part of the answer.
    """

    def __init__(
        self,
        context: Context,
        held: Sequence[StoredPaper],
        checkers: Sequence[Checker],
        question: str = "",
    ) -> None:
        self._evidence = context.evidence
        self._order = {key: place for place, key in enumerate(context.evidence)}
        self._texts = {stored.paper.id: stored.texts for stored in held}
        self._known = (question, *(display(stored.paper.title) for stored in held))
        self._words = {key: words(entry.quote) for key, entry in context.evidence.items()}
        self._checkers = tuple(checkers)

    def verify(self, draft: Draft) -> Checked:
        """Check a claim against what it cites; where that fails, against what is most like it.

        First against parts of what it cites: one footnote that is beside the point does not make a
        claim fail. Footnotes that a claim does not need are taken off.
        """
        cited = self._sorted([self._evidence[key] for key in draft.keys])
        if not cited and (keyless := judge(draft, self._known)):
            return Checked(draft, (), keyless)
        verdict = self._verdict(draft.text, cited)
        if verdict.status is not Status.UNSUPPORTED:
            return Checked(draft, *self._trimmed(draft.text, cited, verdict))
        if part := self._supporting_part(draft.text, cited, verdict):
            return Checked(draft, *part)
        nearest = self._nearest(draft.text)
        for other in self._others(cited, nearest):
            found = self._verdict(draft.text, other)
            if self._convinces(draft.text, other, found):
                return Checked(draft, *self._trimmed(draft.text, other, found), recited=True)
        return Checked(draft, cited, verdict, nearest)

    def is_sure(self, checked: Checked) -> bool:
        """Whether a claim would stand with footnotes that no model named."""
        return self._convinces(checked.draft.text, checked.evidence, checked.verdict)

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

    def _supporting_part(
        self, claim: str, cited: Cited, verdict: Verdict
    ) -> tuple[Cited, Verdict] | None:
        """The part of what is cited that supports a claim which all of it does not.

        One sentence, else all of one paper; of several the one with the highest probability. Where
        a rule found what contradicts the claim, the part without that has to be as sure as
        sentences that the model did not name.
        """
        least = RECITED_FROM if verdict.probability is None else 0.0
        singles = [(entry,) for entry in cited]
        for parts in (singles, _by_paper(cited)):
            found = [(part, self._verdict(claim, part)) for part in parts if part != cited]
            found = [each for each in found if self._convinces(claim, *each, least=least)]
            if found:
                return max(found, key=lambda each: _probability(each[1]))
        return None

    def _trimmed(self, claim: str, cited: Cited, verdict: Verdict) -> tuple[Cited, Verdict]:
        """What a claim cites, without what is beside the point.

        Of a claim that stands in the evidence word for word, that is every other sentence; else
        each paper that does not support it by itself, and without which the rest is as sure, or
        sure enough for footnotes that the model did not name.
        """
        if verdict.status is Status.SUPPORTED and verdict.check == EXACT:
            run = verbatim_run(claim, [entry.quote for entry in cited])
            return cited[run.start : run.stop], verdict
        if verdict.probability is None:
            return cited, verdict
        for part in _by_paper(cited):
            rest = tuple(entry for entry in cited if entry not in part)
            if not rest or self._verdict(claim, part).status is not Status.UNSUPPORTED:
                continue
            without = self._verdict(claim, rest)
            least = min(_probability(verdict), RECITED_FROM)
            if self._convinces(claim, rest, without, least=least):
                cited, verdict = rest, without
        return cited, verdict

    def _nearest(self, claim: str) -> Cited:
        """The sentences that hold most of the claim's words, best first."""
        mine = words(claim)
        shares = {key: overlap(mine, found) for key, found in self._words.items()}
        best = sorted(shares, key=lambda key: (-shares[key], self._order[key]))[:_NEAREST]
        return tuple(self._evidence[key] for key in best if shares[key] > 0)

    def _others(self, cited: Cited, nearest: Cited) -> Iterator[Cited]:
        """What to cite instead, in the order to try: one sentence, what is cited and one, two."""
        new = [entry for entry in nearest if entry not in cited]
        tried = {cited}
        for others in (
            *((entry,) for entry in new),
            *((*cited, entry) for entry in new[:2]),
            tuple(nearest[:2]),
        ):
            candidate = self._sorted(others)
            if candidate and candidate not in tried:
                tried.add(candidate)
                yield candidate

    def _convinces(
        self, claim: str, cited: Cited, verdict: Verdict, *, least: float = RECITED_FROM
    ) -> bool:
        if verdict.status is Status.SUPPORTED:
            return _probability(verdict) >= least
        if verdict.status is Status.UNSUPPORTED or self._checkers:
            return False
        together = [word for entry in cited for word in self._words[entry.key]]
        return overlap(words(claim), together) >= LIKE_ENOUGH

    def _sorted(self, entries: Sequence[Evidence]) -> Cited:
        return tuple(sorted(entries, key=lambda entry: self._order[entry.key]))


def _by_paper(cited: Cited) -> list[Cited]:
    """What is cited of each paper."""
    ids = dict.fromkeys(entry.paper.id for entry in cited)
    return [tuple(entry for entry in cited if entry.paper.id == id_) for id_ in ids]


def _probability(verdict: Verdict) -> float:
    """The probability of support of a supported claim: 1 where no model had to be asked."""
    return 1.0 if verdict.probability is None else verdict.probability
