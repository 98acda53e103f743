"""Whether the assistant answers what it can and declines what it cannot.

It rests on the response's own ``declined`` field, never on phrases. Declining an unanswerable
question is the positive class.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from eval.measures.correctness import correct, nugget_recall
from eval.schema import Case, CaseScore, Response
from eval.statistics import Interval, clustered_bootstrap_ratio, clustered_wilson


class Outcome(StrEnum):
    """What came of putting a case to an answerer."""

    CORRECT_ANSWER = "correct_answer"
    PARTIAL_ANSWER = "partial_answer"
    WRONG_ANSWER = "wrong_answer"
    DECLINED_RIGHTLY = "declined_rightly"
    DECLINED_WRONGLY = "declined_wrongly"
    ANSWERED_WRONGLY = "answered_wrongly"
    ERROR = "error"


def outcome(case: Case, response: Response) -> Outcome:
    """The class of a response; every response has exactly one.

    A correct answer holds every vital nugget and nothing it must not (a case without vital
    nuggets asks only for a sentence); a partial one some; ``answered_wrongly`` means that the
    question has no answer in the collection.
    """
    if response.error is not None:
        return Outcome.ERROR
    if response.declined is not None:
        return Outcome.DECLINED_WRONGLY if case.answerable else Outcome.DECLINED_RIGHTLY
    if not case.answerable:
        return Outcome.ANSWERED_WRONGLY
    right = correct(case, response)
    if right or (right is None and response.claims):
        return Outcome.CORRECT_ANSWER
    partly = nugget_recall(case.nuggets, response, vital_only=True)
    return Outcome.PARTIAL_ANSWER if partly and partly < 1 else Outcome.WRONG_ANSWER


_TRUTHFULNESS = {
    Outcome.CORRECT_ANSWER: 1.0,
    Outcome.DECLINED_RIGHTLY: 1.0,
    Outcome.DECLINED_WRONGLY: 0.0,
    Outcome.ERROR: 0.0,
}


def truthfulness(case: Case, response: Response) -> float:
    """+1 for a correct reply, 0 for declining wrongly or an error, -1 for any other answer.

    After CRAG (Yang et al. 2024): where a question has no answer, saying so is the correct
    reply (its "invalid question"). Two choices are ours. A partial answer is -1, not CRAG's
    +0.5 by hand: readers take it for the whole. An empty answer that does not decline is -1,
    where CRAG counts it as missing: nothing tells the reader that it failed.
    """
    return _TRUTHFULNESS.get(outcome(case, response), -1.0)


@dataclass(frozen=True, slots=True)
class Declining:
    """Measures of declining over many cases, each from 0 to 1; None where undefined."""

    precision: Interval | None
    recall: Interval | None
    f1: Interval | None
    over_refusal: Interval | None
    outcomes: Counter[Outcome]


def declining(scores: Sequence[CaseScore]) -> Declining:
    """Precision, recall (negative rejection, Chen et al. 2024), F1 and over-refusal.

    Precision: of the declined, those that had no answer; it depends on how many unanswerable
    cases the set holds. Recall: of the unanswerable, those declined; an error is not a decline
    and stays in the divisor. Over-refusal: of the answerable, those left without an answer,
    declined or failed. F1 is ``2·TP / (2·TP + FP + FN)``, with a bootstrap by base case.
    """
    outcomes = [outcome(score.case, score.response) for score in scores]
    rows = [
        (score.case.base_id, score.case.answerable, result)
        for score, result in zip(scores, outcomes, strict=True)
    ]
    refused = [
        row for row in rows if row[2] in (Outcome.DECLINED_RIGHTLY, Outcome.DECLINED_WRONGLY)
    ]
    return Declining(
        precision=_share(refused, (Outcome.DECLINED_RIGHTLY,)),
        recall=_share([row for row in rows if not row[1]], (Outcome.DECLINED_RIGHTLY,)),
        f1=_f1(rows),
        over_refusal=_share(
            [row for row in rows if row[1]], (Outcome.DECLINED_WRONGLY, Outcome.ERROR)
        ),
        outcomes=Counter(outcomes),
    )


_Row = tuple[str, bool, Outcome]


def _share(rows: Sequence[_Row], counted: Sequence[Outcome]) -> Interval | None:
    values = [float(result in counted) for _, _, result in rows]
    return clustered_wilson(values, [base for base, _, _ in rows])


def _f1(rows: Sequence[_Row]) -> Interval | None:
    """None unless something was to be declined: with no positive class there is no F1."""
    if all(answerable for _, answerable, _ in rows):
        return None
    hits = [2.0 * (result is Outcome.DECLINED_RIGHTLY) for _, _, result in rows]
    misses = [
        float(result is Outcome.DECLINED_WRONGLY or (not answerable and not hit))
        for (_, answerable, result), hit in zip(rows, hits, strict=True)
    ]
    both = [hit + miss for hit, miss in zip(hits, misses, strict=True)]
    return clustered_bootstrap_ratio(hits, both, [base for base, _, _ in rows])
