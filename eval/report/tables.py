"""Summary rows put into words and numbers, the same in every kind of report."""

from __future__ import annotations

from collections.abc import Sequence

from eval.statistics import Interval
from eval.summary import OVERALL, Row


def number(value: float | None) -> str:
    """Two decimals or, if small, two figures; whole from 100 on; ``none`` over nothing."""
    if value is None:
        return "none"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.2g}" if 0 < abs(value) < 0.1 else f"{value:.2f}"


def interval(found: Interval | None) -> str:
    """``0.81 to 0.93``, or nothing."""
    return f"{number(found.low)} to {number(found.high)}" if found else ""


def shown(row: Row) -> str:
    """The row's value; counts, which have no interval, are whole."""
    if row.interval is None and row.value is not None and row.value == int(row.value):
        return f"{row.value:.0f}"
    return number(row.value)


def overall(rows: Sequence[Row]) -> list[Row]:
    """The rows over all cases that have a value, in the measures' order."""
    return [row for row in rows if row.group == OVERALL and row.value is not None]


def unmeasured(rows: Sequence[Row]) -> str:
    """A sentence that names the measures that no case has a value of; empty if there is none."""
    titles = [row.title for row in rows if row.group == OVERALL and row.value is None]
    return f"No case has a value of: {'; '.join(titles)}." if titles else ""


def by_group(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Headings and cells: a line a measure, a column a category or variant that has values."""
    groups = list(dict.fromkeys(row.group for row in rows if row.group != OVERALL))
    held = {(row.measure, row.group): row.value for row in rows}
    titles = {row.measure: row.title for row in rows if row.group != OVERALL}
    order = dict.fromkeys(row.measure for row in rows if row.measure in titles)
    lines = [
        [titles[measure], *(_cell(held.get((measure, group))) for group in groups)]
        for measure in order
    ]
    return ["measure", *(group.replace("_", " ") for group in groups)], lines


def _cell(value: float | None) -> str:
    return "" if value is None else number(value)
