"""Whether the evidence supports a claim: ``check(claim, evidence) -> Verdict``.

Tiers, in order: T0 exact (the claim is a sentence of the evidence), T1 rules (which only veto),
then any further `Checker`. The first that decides ends it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from rag.answering.rules import comparators, direction, names, negation, numbers, substance
from rag.answering.rules.language import differs
from rag.ingest.cleaning import display
from rag.schema import Status, Verdict

EXACT, RULES = "T0 exact", "T1 rules"

Rule = Callable[[str, Sequence[str]], str | None]

VETOES: Mapping[str, Rule] = {
    "numbers": numbers.veto,
    "comparators": comparators.veto,
    "direction": direction.veto,
    "negation": negation.veto,
    "substance": substance.veto,
}
"""The rules that read the cited sentences; names are looked up in the rest of the paper too."""


class Checker(Protocol):
    """A further tier: ``UNCHECKED`` leaves the decision to the next."""

    @property
    def name(self) -> str:
        """The tier and what it is: ``T2 cross-encoder``."""

    @property
    def multilingual(self) -> bool:
        """Whether it can read a claim in another language than the evidence."""

    def check(self, claim: str, evidence: Sequence[str], title: str = "") -> Verdict:
        """The verdict on one claim over the sentences that it cites, of the paper so titled."""


DEFAULT: tuple[Checker, ...] = ()


def check(
    claim: str,
    evidence: Sequence[str],
    *,
    title: str = "",
    context: Sequence[str] = (),
    checkers: Sequence[Checker] = DEFAULT,
) -> Verdict:
    """Check a claim against the sentences it cites, in the order of the text.

    ``title`` is the cited paper's, where there is one; ``context`` is the rest of the cited papers
    (titles, other sentences). Nothing is supported by the context; a name of the claim may stand
    there, since a sentence seldom repeats the name of the method it is about. Never raises on any
    text.
    """
    evidence = [sentence for sentence in evidence if sentence.strip()]
    if not claim.strip():
        return Verdict(Status.UNCHECKED, EXACT, "the claim is empty")
    if not evidence:
        return Verdict(Status.UNSUPPORTED, EXACT, "no evidence is cited")
    if is_verbatim(claim, evidence):
        return Verdict(Status.SUPPORTED, EXACT, "the claim is in the evidence word for word")
    foreign = differs(claim, evidence)
    veto = _veto(claim, evidence, context, foreign=foreign is not None)
    if veto is not None:
        return veto
    for checker in checkers:
        if foreign is not None and not checker.multilingual:
            continue
        verdict = checker.check(claim, evidence, title)
        if verdict.status is not Status.UNCHECKED:
            return verdict
    if foreign is not None:
        reason = f"the claim is in another language ({foreign}) than the evidence"
        return Verdict(Status.UNCHECKED, RULES, reason)
    return Verdict(Status.UNCHECKED, RULES, "no rule found anything that contradicts the claim")


def is_verbatim(claim: str, evidence: Sequence[str]) -> bool:
    """Whether the claim is one of the sentences, or a run of neighbouring ones, as displayed."""
    return len(verbatim_run(claim, evidence)) > 0


def verbatim_run(claim: str, evidence: Sequence[str]) -> range:
    """The places of the first neighbouring sentences that are the claim, as displayed; or none."""
    wanted = _ending_cut(_plain(claim))
    sentences = [_plain(sentence) for sentence in evidence]
    for first in range(len(sentences)):
        run = ""
        for last in range(first, len(sentences)):
            run = f"{run} {sentences[last]}".strip()
            if _ending_cut(run) == wanted:
                return range(first, last + 1)
            if len(run) > len(wanted) + 1:
                break
    return range(0)


def _veto(
    claim: str, evidence: Sequence[str], context: Sequence[str], *, foreign: bool
) -> Verdict | None:
    """The first veto; of a claim in another language only numbers are compared."""
    for name, rule in VETOES.items():
        if foreign and name != "numbers":
            continue
        reason = rule(claim, evidence)
        if reason is not None:
            return Verdict(Status.UNSUPPORTED, f"T1 {name}", reason)
    if foreign:
        return None
    if context:
        reason = names.veto(claim, [*evidence, *context])
    else:
        reason = names.veto_swapped(claim, evidence)
    return None if reason is None else Verdict(Status.UNSUPPORTED, "T1 names", reason)


def _plain(text: str) -> str:
    """The text as displayed, with plain quotes and dashes."""
    return display(unicodedata.normalize("NFC", text)).translate(_TYPOGRAPHY)


def _ending_cut(text: str) -> str:
    return text.rstrip(" .") or text


_TYPOGRAPHY = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "‑": "-"})
