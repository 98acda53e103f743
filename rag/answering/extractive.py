"""Answers made of sentences of the abstracts, verbatim, grouped by paper, best first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from rag.answering.question import Kind
from rag.answering.rules.names import missing_share, names
from rag.answering.rules.orders import gives_orders
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
_NAMED_AMONG = 5
_AGAIN = 0.5
"""A sentence is not quoted again while a new one scores at least this share of the best."""

Said = tuple[str, int]
"""A sentence that was quoted before: its paper's id and its index."""

_VERBATIM = Verdict(Status.SUPPORTED, "T0 exact", "it is this sentence of the abstract, verbatim")


@dataclass(frozen=True, slots=True)
class Options:
    """How an extractive answer is made.

    ``papers`` retrieved papers are judged; at most ``cited_papers`` are quoted, with at most
    ``sentences`` each. Of the best paper the best sentence is quoted, and every other that answers
    with a probability of at least ``sentence``; a further paper is quoted if it scores at least
    ``paper_share`` of the best one. Below ``answerable`` (a probability) the question is declined;
    the nearest passage's cosine then tells the reason: below ``near`` the collection holds nothing
    about it, unless one of the best papers holds every name that the question names.
    """

    papers: int
    cited_papers: int
    sentences: int
    sentence: float
    paper_share: float
    answerable: float = 0.25
    near: float = 0.45

    @classmethod
    def for_kind(cls, kind: Kind) -> Options:
        """The options for a kind of question, chosen on development data."""
        return _BY_KIND[kind]


_BY_KIND = {
    Kind.FACT: Options(papers=8, cited_papers=2, sentences=4, sentence=0.05, paper_share=0.6),
    Kind.LIST: Options(papers=12, cited_papers=8, sentences=3, sentence=0.15, paper_share=0.15),
    Kind.COMPARISON: Options(
        papers=12, cited_papers=6, sentences=3, sentence=0.15, paper_share=0.15
    ),
}


@dataclass(frozen=True, slots=True)
class Request:
    """A question with all that is needed to answer it.

    ``held`` are the retrieved papers, best first; ``told`` the sentences (paper id, index) that
    this conversation quoted before; ``numbers`` the footnote numbers that papers already have in
    it, by paper id.
    """

    question: str
    standalone: str
    kind: Kind
    hits: tuple[Hit, ...]
    held: tuple[StoredPaper, ...]
    told: frozenset[Said] = frozenset()
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
    return compose(request, judge(request, scorer), options)


def judge(request: Request, scorer: SentenceScorer) -> list[Judged]:
    """What the scorer says of each retrieved paper, in order."""
    nearness = _nearness(request.hits)
    abstracts = [
        Abstract(held.paper, held.texts, nearness.get(held.paper.id, 0.0)) for held in request.held
    ]
    return scorer.judge(request.standalone, abstracts)


def compose(request: Request, judged: Sequence[Judged], options: Options) -> Reply:
    """As `reply`, for papers that were judged already."""
    confidence = confidence_of(judged)
    if confidence is None or confidence < options.answerable:
        return replace(declined(request, options.near), confidence=confidence)
    chosen = _choose(request, judged, options)
    if not chosen:
        return replace(declined(request, options.near), confidence=confidence)
    return Reply(claims=_claims(request, chosen), confidence=confidence, notes=(NOTE,))


def confidence_of(judged: Sequence[Judged]) -> float | None:
    """The probability that one of the abstracts answers; None where there is none."""
    return max((item.answerable for item in judged), default=None)


def _names_a_held_paper(request: Request) -> bool:
    """Whether one of the best papers holds every name of the question ("GeneGPT")."""
    return any(names(request.standalone)) and any(
        missing_share(request.standalone, [held.paper.title, *held.texts]) == 0
        for held in request.held[:_NAMED_AMONG]
    )


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
    every = [
        [i for i, text in enumerate(held.texts) if not gives_orders(text)] for held in request.held
    ]
    new = [
        [i for i in every[paper] if (held.paper.id, i) not in request.told]
        for paper, held in enumerate(request.held)
    ]
    best, anew = _best(every, judged), _best(new, judged)
    if not best:
        return []
    if max(anew.values(), default=0.0) >= _AGAIN * max(best.values()):
        best = anew
    else:  # what was said before is the answer: say it again
        new = every
    ranked = sorted(best, key=lambda paper: (-best[paper], paper))[: options.cited_papers]
    enough = best[ranked[0]] * options.paper_share
    return [
        _Chosen(request.held[paper], _quoted(new[paper], judged[paper].sentences, options))
        for paper in ranked
        if best[paper] >= enough
    ]


def _best(candidates: Sequence[Sequence[int]], judged: Sequence[Judged]) -> dict[int, float]:
    """By paper (its place), the score of its best candidate sentence."""
    return {
        paper: judged[paper].relevance * max(judged[paper].sentences[i] for i in sentences)
        for paper, sentences in enumerate(candidates)
        if sentences
    }


def _quoted(
    candidates: Sequence[int], chances: Sequence[float], options: Options
) -> tuple[int, ...]:
    """The best sentence and those that answer too, in the order of the text."""
    first, *rest = sorted(candidates, key=lambda i: (-chances[i], i))
    others = [i for i in rest if chances[i] >= options.sentence]
    return tuple(sorted([first, *others[: options.sentences - 1]]))


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


def declined(request: Request, near: float, reason: DeclineReason | None = None) -> Reply:
    """A refusal, with the nearest papers.

    Without a ``reason``, the nearest passage's cosine tells it: below ``near`` the collection
    holds nothing about the question, unless one of the best papers holds all that it names.
    """
    suggestions = tuple(held.paper for held in request.held[:3])
    if reason is None:
        nearest = max(_nearness(request.hits).values(), default=0.0)
        about = nearest >= near or _names_a_held_paper(request)
        held = bool(suggestions) and about
        reason = DeclineReason.ABSTRACT_DOES_NOT_SAY if held else DeclineReason.NOT_IN_COLLECTION
    return Reply(declined=reason, message=_MESSAGES[reason], suggestions=suggestions)


_MESSAGES = {
    DeclineReason.ABSTRACT_DOES_NOT_SAY: (
        "The abstracts do not say. Papers near this question are held, but no sentence of "
        "their abstracts answers it."
    ),
    DeclineReason.NOT_IN_COLLECTION: (
        "Not in this collection: no abstract it holds is about this."
    ),
}
