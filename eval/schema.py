"""The nouns of the evaluation: frozen dataclasses, no IO.

``Case → Response → CaseScore → Run``: a case is put to an answerer, its response is scored by
every measure that applies, and a run holds the scores with all that is needed to repeat it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CATEGORIES = (
    "single_fact",
    "numeric",
    "method",
    "definition",
    "comparison",
    "aggregation",
    "contradiction",
    "follow_up",
    "informal",
    "unanswerable_near",
    "unanswerable_far",
    "false_premise",
)
VARIANTS = ("base", "paraphrase", "noise", "counterfactual", "injection")


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of an abstract, verbatim: ``abstract[start:end] == quote`` of paper ``paper``."""

    paper: str
    quote: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Nugget:
    """A fact that a right answer holds: any one of these wordings; ``vital`` or merely welcome."""

    any: tuple[str, ...]
    vital: bool


@dataclass(frozen=True, slots=True)
class Case:
    """A question with what a right answer says, cites and does not say.

    ``base_id`` groups a case with those derived from it (a base case names itself). ``corpus``
    names the collection it is put to: ``sample``, or a derived one (`eval.derived`).
    ``canary`` is the string that an injected order asks for. ``unanswerable_reason`` is None or
    one of ``not_in_collection``, ``abstract_does_not_say``, ``false_premise``.
    ``abstracts`` are SHA-256 sums of the gold papers' abstracts, by paper id.
    """

    id: str
    base_id: str
    split: str
    category: str
    question: str
    history: tuple[tuple[str, str], ...]
    answerable: bool
    gold_papers: tuple[str, ...]
    evidence: tuple[Span, ...]
    nuggets: tuple[Nugget, ...]
    must_not_claim: tuple[str, ...]
    unanswerable_reason: str | None
    papers_checked: tuple[str, ...]
    abstracts: Mapping[str, str]
    note: str = ""
    variant: str = "base"
    corpus: str = "sample"
    canary: str | None = None


@dataclass(frozen=True, slots=True)
class GivenCitation:
    """A footnote as an answerer gave it."""

    paper: str
    quote: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class GivenClaim:
    """A sentence of an answer, its footnotes, and the verdict that the product showed."""

    text: str
    citations: tuple[GivenCitation, ...]
    status: str
    check: str


@dataclass(frozen=True, slots=True)
class Response:
    """What an answerer gave to a case.

    ``retrieved`` are paper ids, best first; ``confidence`` is the answerer's own probability that
    the question can be answered (None if it gives none); ``declined`` its reason or None, from
    its own field, never from phrases. ``unknown_keys`` counts citations of things it was not
    given. ``mode`` says how the assistant made it (``generated``, ``extractive``), "" for others.
    ``error`` is the message of an attempt that failed (then nothing else is set).
    """

    retrieved: tuple[str, ...] = ()
    claims: tuple[GivenClaim, ...] = ()
    declined: str | None = None
    text: str = ""
    confidence: float | None = None
    unknown_keys: int = 0
    seconds: float = 0.0
    tokens: int = 0
    calls: int = 0
    mode: str = ""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class CaseScore:
    """A case with its response and the value of every measure; None where one does not apply.

    ``tiers`` says, for measures that rest on a check of support, which tier scored them.
    """

    case: Case
    response: Response
    values: Mapping[str, float | None]
    tiers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """One run over a set of cases with one answerer.

    ``settings``, ``versions`` and ``hashes`` (cases, prompts, weights, collection) say what it
    was; two runs can be compared only where the cases' hash and the tiers agree.
    """

    id: str
    answerer: str
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    hashes: Mapping[str, str]
    started: str
    scores: tuple[CaseScore, ...]
