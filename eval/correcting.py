"""Scores corrected for the known errors of the judge that gave them, beside the raw ones.

`judge-agreement --judge` measures a judge on labelled pairs and keeps what it found; a run with the
same judge then shows each share that rests on it twice (Rogan & Gladen 1978). The pairs are not
the run's cases: the correction is as good as they are like them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eval.agreement import Agreement
from eval.statistics import Interval, rogan_gladen
from eval.summary import OVERALL, Row

_RESTING_ON_THE_JUDGE = ("citation_recall", "supported_claims")
_FILE = "agreement.json"


@dataclass(frozen=True, slots=True)
class Errors:
    """How often a judge is right, from 0 to 1: on supported and on unsupported pairs."""

    sensitivity: float
    specificity: float


def keep(directory: Path, judge: str, prompt: str, found: Agreement) -> None:
    """Keep what was measured of a judge (its name, and its prompt's reference)."""
    if found.sensitivity is None or found.specificity is None:
        return
    directory.mkdir(parents=True, exist_ok=True)
    known = _read(directory)
    known[f"{judge} {prompt}"] = {
        "sensitivity": found.sensitivity.value,
        "specificity": found.specificity.value,
    }
    (directory / _FILE).write_text(json.dumps(known, indent=2), encoding="utf-8")


def known_errors(directory: Path, judge: str, prompt: str) -> Errors | None:
    """What was measured of a judge under this prompt; None if nothing was."""
    found = _read(directory).get(f"{judge} {prompt}")
    return Errors(**found) if found else None


def _read(directory: Path) -> dict[str, dict[str, float]]:
    file = directory / _FILE
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}


def with_corrected(rows: Sequence[Row], errors: Errors) -> list[Row]:
    """The rows, each share over all cases that rests on the judge followed by its correction."""
    result: list[Row] = []
    for row in rows:
        result.append(row)
        if row.group == OVERALL and row.measure in _RESTING_ON_THE_JUDGE:
            result += _corrected(row, errors)
    return result


def _corrected(row: Row, errors: Errors) -> list[Row]:
    if row.interval is None:
        return []
    ends = [
        rogan_gladen(rate, errors.sensitivity, errors.specificity)
        for rate in (row.interval.value, row.interval.low, row.interval.high)
    ]
    value, low, high = ends
    if value is None or low is None or high is None:  # a judge no better than chance
        return []
    title = (
        f"{row.title}, corrected (judge right on {errors.sensitivity:.0%} of supported, "
        f"{errors.specificity:.0%} of unsupported)"
    )
    return [
        replace(
            row,
            measure=f"{row.measure}_corrected",
            title=title,
            value=value,
            interval=Interval(value, low, high, row.n),
        )
    ]
