"""The scores of many cases as rows of a table: value, 95% interval, number of cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eval.measures import MEASURES, Measure
from eval.measures.declining import declining
from eval.measures.robustness import differences, worst_of_group
from eval.schema import CATEGORIES, VARIANTS, CaseScore
from eval.statistics import (
    Interval,
    clustered_bootstrap_mean,
    clustered_wilson,
    percentile,
)

OVERALL = "overall"
_PAIRED_ON = "nugget_recall_vital"
_COSTS = {
    "latency_p50": "Seconds, median question",
    "latency_p95": "Seconds, slowest twentieth",
    "tokens": "Tokens, in all",
    "calls": "Calls of a language model, in all",
    "errors": "Questions that failed",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One measure over one group of cases.

    ``group`` is ``overall``, a category or a variant. ``value`` is None over nothing;
    ``interval`` is None there and for costs, but for ``errors``. ``n`` counts the cases that
    have a value.
    """

    measure: str
    title: str
    group: str
    value: float | None
    interval: Interval | None
    n: int


def summarise(scores: Sequence[CaseScore]) -> list[Row]:
    """Rows by group, and in each in the order of `MEASURES`; the same scores give the same rows.

    Base cases make up ``overall`` and the categories; every other variant (noise, injection …)
    is a group of its own, so that disturbed cases neither raise nor lower the plain figures.
    ``overall`` has a row for every measure, even over nothing, then what robustness is measured
    on over all variants, and the costs of all cases; other groups only have rows with a value.
    """
    base = [score for score in scores if score.case.variant == "base"]
    rows = _group(OVERALL, base, robust=scores) + _costs(scores)
    for category in CATEGORIES:
        rows += _scored(_group(category, [s for s in base if s.case.category == category]))
    for variant in VARIANTS[1:]:
        rows += _scored(_group(variant, [s for s in scores if s.case.variant == variant]))
    return rows


def _scored(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.value is not None]


def _group(
    name: str, scores: Sequence[CaseScore], robust: Sequence[CaseScore] | None = None
) -> list[Row]:
    """A row for every measure; ``robust`` are the scores for those that compare variants."""
    return [
        _row(key, measure.title, name, _interval(key, measure, scores, robust or ()))
        for key, measure in MEASURES.items()
    ]


def _row(measure: str, title: str, group: str, interval: Interval | None) -> Row:
    if interval is None:
        return Row(measure, title, group, None, None, 0)
    return Row(measure, title, group, interval.value, interval, interval.n)


_OVER_VARIANTS = ("attack_success", "followed", "misled")


def _interval(
    name: str, measure: Measure, scores: Sequence[CaseScore], robust: Sequence[CaseScore]
) -> Interval | None:
    if name == "decline_f1":
        return declining(scores).f1
    if name == "noise_delta":
        deltas = differences(robust, _PAIRED_ON)
        bases = {score.case.id: score.case.base_id for score in robust}
        return _bounded(list(deltas.values()), [bases[id_] for id_ in deltas], measure)
    if name == "worst_paraphrase":
        worst = worst_of_group(robust, _PAIRED_ON)
        return _bounded(list(worst.values()), list(worst), measure)
    if name in _OVER_VARIANTS and robust:
        scores = robust
    valued = [
        (value, score.case.base_id)
        for score in scores
        if (value := score.values.get(name)) is not None
    ]
    return _bounded([value for value, _ in valued], [base for _, base in valued], measure)


def _bounded(values: Sequence[float], bases: Sequence[str], measure: Measure) -> Interval | None:
    """Wilson for proportions, else the bootstrap, by base case.

    A bootstrap of values without spread, or of one base case, has zero width, which would pass
    for certainty. There Wilson's interval stands in, on the measure's range: too wide rather
    than too narrow.
    """
    if measure.kind == "proportion":
        return clustered_wilson(values, bases)
    if len(set(values)) > 1 and len(set(bases)) > 1:
        return clustered_bootstrap_mean(values, bases)
    width = measure.high - measure.low
    unit = clustered_wilson([(value - measure.low) / width for value in values], bases)
    if unit is None:
        return None
    low, high = measure.low + width * unit.low, measure.low + width * unit.high
    value = sum(values) / len(values)
    return Interval(value, min(low, value), max(high, value), unit.n)


def _costs(scores: Sequence[CaseScore]) -> list[Row]:
    """Always the same rows. Latency leaves out failed attempts: they were not timed to an end."""
    responses = [score.response for score in scores]
    seconds = [response.seconds for response in responses if response.error is None]
    errors = clustered_wilson(
        [float(response.error is not None) for response in responses],
        [score.case.base_id for score in scores],
    )
    counts = {
        "latency_p50": (percentile(seconds, 50), len(seconds)),
        "latency_p95": (percentile(seconds, 95), len(seconds)),
        "tokens": (float(sum(response.tokens for response in responses)), len(responses)),
        "calls": (float(sum(response.calls for response in responses)), len(responses)),
    }
    rows = [Row(key, _COSTS[key], OVERALL, value, None, n) for key, (value, n) in counts.items()]
    return [*rows, _row("errors", _COSTS["errors"], OVERALL, errors)]
