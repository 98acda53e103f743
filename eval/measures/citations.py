"""Whether footnotes are real, point at the right place, and carry what is said.

After ALCE (Gao et al. 2023, "Enabling Large Language Models to Generate Text with Citations"),
sentence by sentence, adapted: a repeated footnote counts once, an unscored verdict leaves its
sentence out instead of failing it, and a declined answer is a class of its own (None), while an
answer that is empty without declining scores 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from eval.schema import GivenCitation, GivenClaim, Response, Span

Supports = Callable[[str, Sequence[str]], bool | None]
"""``supports(claim_text, quotes)``: do the quotes together support the claim? None: unscored."""


@dataclass(frozen=True, slots=True)
class CitationScores:
    """Citation recall, precision and their harmonic mean, each from 0 to 1 or None."""

    recall: float | None
    precision: float | None
    f1: float | None


def distinct(citations: Sequence[GivenCitation]) -> tuple[GivenCitation, ...]:
    """The citations without repetitions of a place, in order."""
    places = {(citation.paper, citation.start, citation.end): citation for citation in citations}
    return tuple(places.values())


def all_citations(response: Response) -> tuple[GivenCitation, ...]:
    """Every place that an answer cites, once, in order."""
    return distinct([citation for claim in response.claims for citation in claim.citations])


def quote_validity(response: Response, abstracts: Mapping[str, str]) -> float | None:
    """Share of citations whose quote is verbatim ``abstract[start:end]``; None if there are none.

    ``abstracts`` are those of the collection, by paper id. Repetitions count: each is shown.
    """
    given = [citation for claim in response.claims for citation in claim.citations]
    if response.declined is not None or not given:
        return None
    return sum(_is_verbatim(citation, abstracts) for citation in given) / len(given)


def _is_verbatim(citation: GivenCitation, abstracts: Mapping[str, str]) -> bool:
    abstract = abstracts.get(citation.paper)
    if abstract is None or not 0 <= citation.start < citation.end <= len(abstract):
        return False
    return abstract[citation.start : citation.end] == citation.quote


def unknown_key_share(response: Response) -> float | None:
    """Share of citations given that name nothing the answerer was shown; None over none."""
    given = response.unknown_keys + sum(len(claim.citations) for claim in response.claims)
    if response.declined is not None or not given:
        return None
    return response.unknown_keys / given


def gold_paper_share(response: Response, gold: Sequence[str]) -> float | None:
    """Share of the cited papers that are gold; 0 for an answer that cites nothing."""
    if response.declined is not None or not gold:
        return None
    papers = {citation.paper for citation in all_citations(response)}
    return len(papers & set(gold)) / len(papers) if papers else 0.0


def gold_citation_share(response: Response, evidence: Sequence[Span]) -> float | None:
    """Share of the cited places that are gold evidence; 0 for an answer that cites nothing.

    A citation counts when a single evidence span of the same paper covers at least half of it.
    """
    if response.declined is not None or not evidence:
        return None
    cited = all_citations(response)
    gold = sum(any(_covers(span, citation) for span in evidence) for citation in cited)
    return gold / len(cited) if cited else 0.0


def evidence_recall(response: Response, evidence: Sequence[Span]) -> float | None:
    """Share of the gold evidence spans that some citation touches by a character or more."""
    if response.declined is not None or not evidence:
        return None
    cited = all_citations(response)
    touched = sum(any(_shared(span, citation) > 0 for citation in cited) for span in evidence)
    return touched / len(evidence)


def _covers(span: Span, citation: GivenCitation) -> bool:
    length = citation.end - citation.start
    return length > 0 and 2 * _shared(span, citation) >= length


def _shared(span: Span, citation: GivenCitation) -> int:
    if span.paper != citation.paper:
        return 0
    return min(span.end, citation.end) - max(span.start, citation.start)


def citation_scores(response: Response, supports: Supports) -> CitationScores:
    """Citation recall, precision and F1 of one answer.

    Recall: share of sentences that their quotes together support (one without a citation is
    not). Precision: share of citations that belong to a supported sentence and are needed or
    enough: one that alone does not support the sentence, while the rest does without it, is
    beside the point. An answer that cites nothing scores 0 in all three; a declined one None.
    A sentence with a verdict of None leaves both divisors.
    """
    if response.declined is not None:
        return CitationScores(None, None, None)
    cited = [claim for claim in response.claims if claim.citations]
    judged = [counts for claim in cited if (counts := _counts(claim, supports)) is not None]
    sentences = len(judged) + len(response.claims) - len(cited)
    citations = sum(given for _, _, given in judged)
    if cited and not judged:
        return CitationScores(None if sentences == 0 else 0.0, None, None)
    recall = sum(supported for supported, _, _ in judged) / sentences if sentences else 0.0
    precision = sum(right for _, right, _ in judged) / citations if citations else 0.0
    both = recall + precision
    return CitationScores(recall, precision, 2 * recall * precision / both if both else 0.0)


def _counts(claim: GivenClaim, supports: Supports) -> tuple[bool, int, int] | None:
    """Whether the sentence is supported, its right citations, its citations; None: unscored."""
    citations = distinct(claim.citations)
    together = supports(claim.text, [citation.quote for citation in citations])
    if together is None:
        return None
    if not together:
        return False, 0, len(citations)
    verdicts = [_needed(claim.text, citations, at, supports) for at in range(len(citations))]
    if None in verdicts:
        return None
    return True, sum(map(bool, verdicts)), len(citations)


def _needed(
    text: str, citations: Sequence[GivenCitation], at: int, supports: Supports
) -> bool | None:
    """Whether a citation of a supported sentence is enough alone, or missed when left out."""
    if len(citations) == 1:
        return True
    alone = supports(text, [citations[at].quote])
    if alone is None or alone:
        return alone
    rest = supports(text, [other.quote for i, other in enumerate(citations) if i != at])
    return None if rest is None else not rest
