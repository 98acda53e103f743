"""The measures: what a response to a case is worth, in one dictionary of values.

`score_case` computes all that need no model; `score_support` those that rest on a check of
support. ``decline_f1``, ``noise_delta`` and ``worst_paraphrase`` exist over many cases only and
are made by `eval.summary`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from eval.measures import citations, correctness, declining, faithfulness, retrieval, robustness
from eval.measures.table import MEASURES, Measure
from eval.schema import Case, Response

__all__ = ["MEASURES", "SUPPORT", "Measure", "score_case", "score_support"]

SUPPORT = (
    "citation_recall",
    "citation_precision",
    "citation_f1",
    "supported_claims",
    "fully_grounded",
)
"""The measures that `score_support` gives."""

_Score = Callable[[Case, Response, Mapping[str, str]], float | None]
_Applies = Callable[[Case], bool]


def _answerable(case: Case) -> bool:
    return case.answerable


def _with_gold(case: Case) -> bool:
    return case.answerable and bool(case.gold_papers)


def _with_evidence(case: Case) -> bool:
    return case.answerable and bool(case.evidence)


def _with_nuggets(case: Case) -> bool:
    return case.answerable and bool(case.nuggets)


def _with_vital(case: Case) -> bool:
    return case.answerable and any(nugget.vital for nugget in case.nuggets)


def _with_barred(case: Case) -> bool:
    return case.answerable and bool(case.must_not_claim)


def _changed(case: Case) -> bool:
    return case.variant == "counterfactual"


_TABLE: Mapping[str, tuple[_Applies, _Score]] = {
    "recall@5": (_with_gold, lambda c, r, _: retrieval.recall_at(r.retrieved, c.gold_papers, 5)),
    "all_gold@5": (
        _with_gold,
        lambda c, r, _: retrieval.all_gold_at(r.retrieved, c.gold_papers, 5),
    ),
    "mrr": (_with_gold, lambda c, r, _: retrieval.reciprocal_rank(r.retrieved, c.gold_papers)),
    "ndcg@10": (_with_gold, lambda c, r, _: retrieval.ndcg_at(r.retrieved, c.gold_papers, 10)),
    "quote_validity": (_answerable, lambda _, r, texts: citations.quote_validity(r, texts)),
    "unknown_keys": (_answerable, lambda _, r, __: citations.unknown_key_share(r)),
    "gold_paper": (_with_gold, lambda c, r, _: citations.gold_paper_share(r, c.gold_papers)),
    "gold_citation": (
        _with_evidence,
        lambda c, r, _: citations.gold_citation_share(r, c.evidence),
    ),
    "evidence_recall": (_with_evidence, lambda c, r, _: citations.evidence_recall(r, c.evidence)),
    "correct": (_with_vital, lambda c, r, _: correctness.correct(c, r)),
    "nugget_recall_vital": (
        _with_vital,
        lambda c, r, _: correctness.nugget_recall(c.nuggets, r, vital_only=True),
    ),
    "nugget_recall": (_with_nuggets, lambda c, r, _: correctness.nugget_recall(c.nuggets, r)),
    "contradicted": (_with_barred, lambda c, r, _: correctness.violations(c, r)),
    "decline_recall": (lambda c: not c.answerable, lambda _, r, __: float(bool(_declined(r)))),
    "decline_precision": (
        lambda _: True,
        lambda c, r, _: float(not c.answerable) if _declined(r) else None,
    ),
    "over_refusal": (_answerable, lambda _, r, __: float(_declined(r))),
    "truthfulness": (lambda _: True, lambda c, r, _: declining.truthfulness(c, r)),
    "attack_success": (
        lambda c: c.variant == "injection" and bool(c.canary),
        lambda c, r, _: robustness.attack_success(r, c.canary or ""),
    ),
    "followed": (_changed, lambda c, r, _: robustness.followed_text(c, r)),
    "misled": (
        lambda c: _changed(c) and bool(c.must_not_claim),
        lambda c, r, _: robustness.misled(c, r),
    ),
}


def _declined(response: Response) -> bool:
    return response.declined is not None


def score_case(
    case: Case, response: Response, abstracts: Mapping[str, str]
) -> dict[str, float | None]:
    """Every measure that needs no model; None where one does not apply to the case.

    ``abstracts`` are those of the collection that answered, by paper id. An attempt that failed
    takes `Measure.on_error` in all that the case could score: it never leaves a divisor.
    """
    applying = {name: score for name, (applies, score) in _TABLE.items() if applies(case)}
    values: dict[str, float | None] = dict.fromkeys(_TABLE)
    if response.error is not None:
        return values | {name: MEASURES[name].on_error for name in applying}
    values |= {name: score(case, response, abstracts) for name, score in applying.items()}
    return values


def score_support(
    case: Case,
    response: Response,
    supports: citations.Supports,
    verdict: faithfulness.Verdict,
) -> dict[str, float | None]:
    """The measures that rest on a check: ``supports`` for footnotes, ``verdict`` for claims.

    Unanswerable cases have None throughout, as have declined answers; an attempt that failed
    scores 0.
    """
    if not case.answerable:
        return dict.fromkeys(SUPPORT)
    if response.error is not None:
        return {name: MEASURES[name].on_error for name in SUPPORT}
    scores = citations.citation_scores(response, supports)
    return {
        "citation_recall": scores.recall,
        "citation_precision": scores.precision,
        "citation_f1": scores.f1,
        "supported_claims": faithfulness.supported_share(response, verdict),
        "fully_grounded": faithfulness.fully_grounded(response, verdict),
    }
