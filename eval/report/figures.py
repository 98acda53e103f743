"""The plots of a report: what each shows of a run, and in words what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from statistics import fmean

from eval.report.plots import Bar, Point, bar_chart, curve, histogram
from eval.schema import CATEGORIES, Run
from eval.statistics import expected_calibration_error, percentile
from eval.summary import Row

_BINS = 10


def by_category(rows: Sequence[Row], measure: str) -> str | None:
    """Bars of a measure from 0 to 1; None if no category has it."""
    held = {row.group: row for row in rows if row.measure == measure and row.interval}
    bars = [
        Bar(name.replace("_", " "), found.value, found.low, found.high, row.n)
        for name in CATEGORIES
        if (row := held.get(name)) and (found := row.interval)
    ]
    if not bars:
        return None
    title = f"{next(iter(held.values())).title} by category"
    said = ", ".join(f"{bar.label} {bar.value:.2f}" for bar in bars)
    return bar_chart("by-category", title, f"Means with 95% intervals: {said}.", bars)


def risk_coverage(run: Run) -> str | None:
    """If only the most confident share of the questions is answered, how many have no answer.

    El-Yaniv & Wiener 2010, with the risk of this product: a question that it should decline.
    None without confidences.
    """
    sure = sorted(_confidences(run), reverse=True)
    points, taken, wrong = [], 0, 0
    for confidence, group in groupby(sure, key=lambda pair: pair[0]):
        answerable = [pair[1] for pair in group]
        taken += len(answerable)
        wrong += answerable.count(0.0)
        note = f"confidence {confidence:.2f} or more: {taken} of {len(sure)}, {wrong} unanswerable"
        points.append(Point(taken / len(sure), wrong / taken, note))
    if not points:
        return None
    return curve(
        "risk",
        "Risk and coverage of answering",
        f"Answering the most confident half risks {_at_half(points):.2f}, "
        f"answering all of them {points[-1].y:.2f}.",
        points,
        axes=("coverage: share answered, most confident first", "risk: share unanswerable"),
        dots=len(points) <= 30,
    )


def calibration(run: Run) -> str | None:
    """Confidence against how often the question could be answered, in bins of equal mass."""
    sure = sorted(_confidences(run))
    if not sure:
        return None
    cuts = [round(i * len(sure) / _BINS) for i in range(_BINS + 1)]
    bins = [sure[start:end] for start, end in pairwise(cuts) if end > start]
    points = [
        Point(fmean(c for c, _ in one), fmean(a for _, a in one), f"{len(one)} cases")
        for one in bins
    ]
    error = expected_calibration_error([c for c, _ in sure], [a for _, a in sure], _BINS)
    return curve(
        "calibration",
        "Calibration of confidence",
        f"On the dashed line confidence is right; expected calibration error {error:.2f}.",
        points,
        axes=("confidence that it can be answered", "share that can"),
        diagonal=True,
    )


def latency(run: Run) -> str | None:
    """How long responses took; None without cases."""
    seconds = [score.response.seconds for score in run.scores if score.response.error is None]
    p50, p95 = percentile(seconds, 50), percentile(seconds, 95)
    if p50 is None or p95 is None:
        return None
    return histogram(
        "latency",
        "Latency",
        f"Half of the {len(seconds)} responses took {p50:.3g} s or less, 95% {p95:.3g} s or less.",
        seconds,
        axes=("seconds a question", "questions"),
        marks=((f"p50 {p50:.3g} s", p50), (f"p95 {p95:.3g} s", p95)),
    )


def _confidences(run: Run) -> list[tuple[float, float]]:
    """Confidence, and 1 if the question can be answered else 0, of every case that has one."""
    return [
        (score.response.confidence, float(score.case.answerable))
        for score in run.scores
        if score.response.confidence is not None
    ]


def _at_half(points: Sequence[Point]) -> float:
    return next(point.y for point in points if point.x >= 0.5)
