"""Answers made of sentences of the abstracts, verbatim, grouped by paper, best first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from rag.answering.question import Kind, Turn
from rag.answering.scoring import Abstract, Judged, SentenceScorer
from rag.ingest.cleaning import display
from rag.schema import (
    Citation,
    Claim,
    DeclineReason,
    Hit,
    Paper,
    Status,
    Verdict,
)
from rag.store.catalog import StoredPaper

MODE = "extractive"
NOTE = "Extractive: every sentence is quoted from an abstract; no language model took part."
_VERBATIM = Verdict(Status.SUPPORTED, "T0 exact", "it is this sentence of the abstract, verbatim")


@dataclass(frozen=True, slots=True)
class Options:
    """How an extractive answer is made.

    ``papers`` retrieved papers are read; at most ``cited_papers`` are quoted, with at most
    ``sentences`` each. A sentence is quoted if its score is at least ``share`` of the best one's,
    the first of a further paper if it is at least ``paper_share`` of it.
    Below ``answerable`` (a probability) the question is declined; the nearest passage's cosine
    then tells the reason: below ``near`` the collection holds nothing about it.
    """

    papers: int
    cited_papers: int
    sentences: int
    share: float
    paper_share: float
    answerable: float = 0.15
    near: float = 0.45

    @classmethod
    def for_kind(cls, kind: Kind) -> Options:
        """The options for a kind of question, chosen on development data."""
        return _BY_KIND[kind]


_BY_KIND = {
    Kind.FACT: Options(papers=5, cited_papers=2, sentences=3, share=0.6, paper_share=0.85),
    Kind.LIST: Options(papers=10, cited_papers=8, sentences=1, share=0.4, paper_share=0.4),
    Kind.COMPARISON: Options(papers=6, cited_papers=4, sentences=2, share=0.5, paper_share=0.5),
}


@dataclass(frozen=True, slots=True)
class Request:
    """A question with all that is needed to answer it.

    ``held`` are the retrieved papers, best first; ``numbers`` the footnote numbers that papers
    already have in this conversation, by paper id.
    """

    question: str
    standalone: str
    kind: Kind
    hits: tuple[Hit, ...]
    held: tuple[StoredPaper, ...]
    history: Sequence[Turn] = ()
    numbers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """What an answerer says: claims, or why there are none."""

    claims: tuple[Claim, ...] = ()
    declined: DeclineReason | None = None
    message: str = ""
    suggestions: tuple[Paper, ...] = ()
    confidence: float | None = None
    notes: tuple[str, ...] = ()


def reply(request: Request, scorer: SentenceScorer, options: Options) -> Reply:
    """Quote the sentences that answer the question, or decline."""
    nearness = _nearness(request.hits)
    abstracts = [
        Abstract(held.paper, held.texts, nearness.get(held.paper.id, 0.0)) for held in request.held
    ]
    judged = scorer.judge(request.standalone, abstracts)
    confidence = max((item.answerable for item in judged), default=None)
    if confidence is None or confidence < options.answerable:
        nearest = max(nearness.values(), default=0.0)
        return replace(_declined(request, near=nearest >= options.near), confidence=confidence)
    chosen = _choose(request, judged, options)
    return Reply(claims=_claims(request, chosen), confidence=confidence, notes=(NOTE,))


def _nearness(hits: Sequence[Hit]) -> dict[str, float]:
    """The cosine of each paper's nearest retrieved passage."""
    nearest: dict[str, float] = {}
    for hit in hits:
        cosine = hit.scores.get("dense", 0.0)
        nearest[hit.paper.id] = max(cosine, nearest.get(hit.paper.id, cosine))
    return nearest


@dataclass(frozen=True, slots=True)
class _Chosen:
    held: StoredPaper
    sentences: tuple[int, ...]


def _choose(request: Request, judged: Sequence[Judged], options: Options) -> list[_Chosen]:
    """Which sentences of which papers to quote: papers by their best sentence, best first."""
    told = " ".join(answer for _, answer in request.history)
    everything = sorted(
        (
            (score * item.answerable, paper, index)
            for paper, item in enumerate(judged)
            for index, score in enumerate(item.sentences)
        ),
        key=lambda item: (-item[0], item[1], item[2]),
    )
    new = [item for item in everything if display(request.held[item[1]].texts[item[2]]) not in told]
    scored = new or everything  # all was said before: say it again rather than nothing
    best = scored[0][0]
    taken: dict[int, list[int]] = {}
    for score, paper, index in scored:
        if score < best * options.share:
            break
        further = paper not in taken
        if further and (len(taken) == options.cited_papers or score < best * options.paper_share):
            continue
        if len(taken.setdefault(paper, [])) < options.sentences:
            taken[paper].append(index)
    return [_Chosen(request.held[p], tuple(sorted(indices))) for p, indices in taken.items()]


def _claims(request: Request, chosen: Sequence[_Chosen]) -> tuple[Claim, ...]:
    numbers = dict(request.numbers)
    bullet = "- " if request.kind is Kind.LIST and len(chosen) > 1 else ""
    gap = "\n" if bullet else "\n\n"
    claims = []
    for position, item in enumerate(chosen):
        paper = item.held.paper
        number = numbers.setdefault(paper.id, max(numbers.values(), default=0) + 1)
        for place, index in enumerate(item.sentences):
            sentence = item.held.sentences[index]
            citation = Citation(number, paper, index, sentence.start, sentence.end)
            opening = f"{gap if position else ''}{bullet}From “{display(paper.title)}”: "
            claims.append(
                Claim(display(citation.quote), (citation,), _VERBATIM, " " if place else opening)
            )
    return tuple(claims)


def _declined(request: Request, *, near: bool) -> Reply:
    suggestions = tuple(held.paper for held in request.held[:3])
    if near and suggestions:
        reason = DeclineReason.ABSTRACT_DOES_NOT_SAY
        message = (
            "The abstracts do not say. Papers near this question are held, but no sentence of "
            "their abstracts answers it."
        )
    else:
        reason = DeclineReason.NOT_IN_COLLECTION
        message = "Not in this collection: no abstract it holds is about this."
    return Reply(declined=reason, message=message, suggestions=suggestions)
