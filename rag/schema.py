"""The nouns of Footnoted: frozen dataclasses, no IO.

Data flows one way through them:
``Record → Paper → Sentence/Passage → Hit → Evidence → Claim → Answer``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the input something stands: a file and, where known, a line (from 1)."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Record:
    """A paper as a file gives it, before it has an identity in a collection.

    ``title`` and ``abstract`` are never blank; the abstract is the text as it stands in the
    file. ``source`` names the file as shown to people; everything else may be unknown.
    """

    title: str
    abstract: str
    authors: tuple[str, ...] = ()
    year: int | None = None
    venue: str | None = None
    url: str | None = None
    doi: str | None = None
    arxiv_id: str | None = None
    source: str = ""
    place: Place = Place("")


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record (or whole file) that was skipped: where it stands, and why."""

    place: Place
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}" if self.place.file else self.reason


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper of a collection.

    ``id`` is given at first sight and never changes. ``abstract`` is the stored text that all
    offsets refer to. ``sources`` are the files it came from, in order of arrival.
    """

    id: str
    title: str
    abstract: str
    authors: tuple[str, ...] = ()
    year: int | None = None
    venue: str | None = None
    url: str | None = None
    doi: str | None = None
    arxiv_id: str | None = None
    sources: tuple[str, ...] = ()

    @property
    def link(self) -> str | None:
        """The best address of the paper: arXiv, else DOI, else its http(s) url; None if unknown."""
        if self.arxiv_id:
            return f"https://arxiv.org/abs/{quote(self.arxiv_id)}"
        if self.doi:
            return f"https://doi.org/{quote(self.doi)}"
        if self.url and self.url.lower().startswith(("http://", "https://")):
            return quote(self.url, safe=":/?#[]@!$&()*+,;=%~'")
        return None


@dataclass(frozen=True, slots=True)
class Sentence:
    """Sentence ``index`` (from 0) of a paper: ``paper.abstract[start:end]``."""

    paper_id: str
    index: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Passage:
    """A run of sentences that is embedded: ``first`` to ``last`` (exclusive) of a paper.

    ``id`` grows with every passage written and is never used again; ``start`` and ``end`` are
    offsets into the abstract.
    """

    id: int
    paper_id: str
    first: int
    last: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Filters:
    """Which papers to search; None or empty means any.

    ``year_from`` and ``year_to`` are inclusive; the texts match anywhere in the field, without
    regard to case; a paper whose field is unknown does not match a filter on it.
    """

    year_from: int | None = None
    year_to: int | None = None
    author: str | None = None
    venue: str | None = None
    source: str | None = None

    def __bool__(self) -> bool:
        return any(getattr(self, name) is not None for name in self.__slots__)


@dataclass(frozen=True, slots=True)
class Hit:
    """A retrieved passage: ``rank`` from 1, ``score`` (higher is better) and its parts by stage."""

    passage: Passage
    paper: Paper
    rank: int
    score: float
    scores: Mapping[str, float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The passage, verbatim."""
        return self.paper.abstract[self.passage.start : self.passage.end]


class Status(StrEnum):
    """What a check says of a claim."""

    SUPPORTED = "supported"
    UNSUPPORTED = "unsupported"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of checking a claim against its evidence.

    ``check`` names the check that decided (``T0 exact``, ``T1 numbers`` …), ``reason`` says why
    in words, ``probability`` is the chance that the evidence supports the claim where the check
    gives one.
    """

    status: Status
    check: str
    reason: str
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """A footnote: ``paper.abstract[start:end] == quote``. ``number`` is the paper's, from 1."""

    number: int
    paper: Paper
    sentence: int
    start: int
    end: int

    @property
    def quote(self) -> str:
        """The cited sentence, cut from the stored abstract: it cannot be made up."""
        return self.paper.abstract[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of an answer with its footnotes and the verdict on it.

    ``lead`` stands before the text and claims nothing: a line break, a bullet, a paper's name.
    """

    text: str
    citations: tuple[Citation, ...]
    verdict: Verdict
    lead: str = ""

    @property
    def numbers(self) -> tuple[int, ...]:
        """The footnote numbers shown after the sentence, ascending, each once."""
        return tuple(sorted({citation.number for citation in self.citations}))

    @property
    def doubt(self) -> str:
        """What a reader has to know: "not supported", "not checked", or nothing."""
        if self.verdict.status is Status.UNSUPPORTED:
            return "not supported"
        unchecked = self.verdict.status is Status.UNCHECKED and self.citations
        return "not checked" if unchecked else ""


class DeclineReason(StrEnum):
    """Why a question was not answered."""

    NOT_IN_COLLECTION = "not_in_collection"
    ABSTRACT_DOES_NOT_SAY = "abstract_does_not_say"


@dataclass(frozen=True, slots=True)
class Usage:
    """What a language model was asked: calls and tokens, ``estimated`` where it did not say."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: bool = False

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.estimated or other.estimated,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question, or the reason there is none: one replayable record.

    ``declined`` is None or a `DeclineReason`; then there are no claims, ``message`` says why in
    words, and ``suggestions`` are the nearest papers, which are never citations. ``hits`` are
    the retrieved passages, best first; ``standalone_question`` is the question as searched for,
    with what an earlier turn contributes filled in. ``confidence`` is the probability that the
    abstracts answer it, from 0 to 1, None where nothing was retrieved. ``timings`` are in seconds
    by stage. ``id`` names it in the history, None where it is not kept. Where a language model
    wrote it, ``model`` is its name, ``prompts`` those it was given (``answer@1``), ``usage`` what
    they cost, and ``counts`` what was taken out of its text or mended, by kind.
    """

    question: str
    standalone_question: str
    claims: tuple[Claim, ...]
    declined: DeclineReason | None
    message: str
    suggestions: tuple[Paper, ...]
    hits: tuple[Hit, ...]
    mode: str
    confidence: float | None = None
    notes: tuple[str, ...] = ()
    id: str | None = None
    model: str | None = None
    prompts: tuple[str, ...] = ()
    usage: Usage = Usage()
    counts: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    collection: Mapping[str, Any] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)

    @property
    def citations(self) -> tuple[Citation, ...]:
        """Every distinct footnote, in order of first mention."""
        return tuple(dict.fromkeys(c for claim in self.claims for c in claim.citations))

    @property
    def papers(self) -> tuple[Paper, ...]:
        """The cited papers, in order of their display numbers."""
        numbered = {citation.number: citation.paper for citation in self.citations}
        return tuple(numbered[number] for number in sorted(numbered))

    @property
    def retrieved(self) -> tuple[Paper, ...]:
        """The papers that were retrieved, best first, each once."""
        return tuple({hit.paper.id: hit.paper for hit in self.hits}.values())

    @property
    def text(self) -> str:
        """The answer with ``[1]`` markers; the reason in words when it was declined."""
        return self._text(doubts=False)

    def _text(self, *, doubts: bool) -> str:
        if self.declined is not None:
            return self.message
        parts = []
        for claim in self.claims:
            marker = f" [{', '.join(map(str, claim.numbers))}]" if claim.numbers else ""
            doubt = f" ({claim.doubt})" if doubts and claim.doubt else ""
            parts.append(f"{claim.lead}{claim.text}{marker}{doubt}")
        return "".join(parts).strip()

    def __str__(self) -> str:
        lines = [self._text(doubts=True)]
        numbered = {citation.number: citation.paper for citation in self.citations}
        lines += [""] if numbered else []
        lines += [f"[{number}] {paper.title}" for number, paper in sorted(numbered.items())]
        doubted = [claim for claim in self.claims if claim.doubt]
        lines += [""] if doubted else []
        lines += [f"{c.doubt.capitalize()}: “{c.text}” ({c.verdict.reason})" for c in doubted]
        if self.suggestions:
            lines += ["", "Nearest papers:"]
            lines += [f"- {paper.title}" for paper in self.suggestions]
        for note in self.notes:
            lines += ["", note]
        return "\n".join(lines)

    def to_json(self) -> str:
        """The whole record as one JSON object, keys in a fixed order, ending without a newline.

        Citations name their paper by id; the texts of all papers concerned stand once under
        ``papers``. Only ``id`` and ``timings`` differ between two runs with the same input.
        """
        concerned = [*self.retrieved, *self.papers, *self.suggestions]
        record = {
            "format": "footnoted-answer/2",
            "id": self.id,
            "question": self.question,
            "standalone_question": self.standalone_question,
            "mode": self.mode,
            "model": self.model,
            "prompts": self.prompts,
            "usage": asdict(self.usage),
            "counts": dict(self.counts),
            "text": self.text,
            "declined": self.declined,
            "message": self.message,
            "confidence": self.confidence,
            "notes": self.notes,
            "claims": [_claim_json(claim) for claim in self.claims],
            "suggestions": [paper.id for paper in self.suggestions],
            "hits": [_hit_json(hit) for hit in self.hits],
            "papers": {paper.id: asdict(paper) for paper in concerned},
            "settings": dict(self.settings),
            "collection": dict(self.collection),
            "timings": dict(self.timings),
        }
        return json.dumps(record, ensure_ascii=False, indent=2)


def _claim_json(claim: Claim) -> dict[str, Any]:
    citations = [
        {
            "number": citation.number,
            "paper": citation.paper.id,
            "sentence": citation.sentence,
            "start": citation.start,
            "end": citation.end,
            "quote": citation.quote,
        }
        for citation in claim.citations
    ]
    return {
        "lead": claim.lead,
        "text": claim.text,
        "citations": citations,
        "verdict": asdict(claim.verdict),
    }


def _hit_json(hit: Hit) -> dict[str, Any]:
    return {
        "rank": hit.rank,
        "paper": hit.paper.id,
        "passage": {"start": hit.passage.start, "end": hit.passage.end},
        "score": hit.score,
        "scores": dict(hit.scores),
    }
