"""A run in a terminal: a table where it is one, plain aligned text when piped.

Questions and answers may come from a stranger's file: they are printed as text, never as markup.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eval.gates import GateResult
from eval.report.failures import failures, worst_first
from eval.report.tables import by_group, interval, overall, shown, unmeasured
from eval.report.text import aligned, visible
from eval.schema import CaseScore, Run
from eval.summary import Row

_MEASURES = ("measure", "value", "95% interval", "n", "gate")
_WORST = 8


def show_report(
    run: Run,
    rows: Sequence[Row],
    gates: Sequence[GateResult] = (),
    *,
    more: str = "",
    stream: TextIO | None = None,
) -> None:
    """Print measures, groups, gates that failed and the worst cases; ``more`` says how to go on."""
    out = Console(
        file=stream or sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=True
    )
    _line(out, f"{run.id}: {len(run.scores)} cases, answerer {run.answerer}", "bold")
    _line(out)
    _table(out, _MEASURES, [_measure(row, gates) for row in overall(rows)])
    if unmeasured(rows):
        _line(out, unmeasured(rows), "dim")
    headings, lines = by_group(rows)
    if lines:
        _line(out)
        _groups(out, headings, lines)
    _failed_gates(out, gates)
    _worst(out, run.scores)
    if more:
        _line(out)
        _line(out, more, "dim")


def _measure(row: Row, gates: Sequence[GateResult]) -> tuple[str, ...]:
    of_it = [gate.passed for gate in gates if gate.gate.measure == row.measure]
    result = ("pass" if all(of_it) else "FAIL") if of_it else ""
    return row.title, shown(row), interval(row.interval), str(row.n), result


def _groups(out: Console, headings: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """As many columns side by side as the window holds; all of them when piped."""
    room = max(2, (out.width - 46) // 12) if out.is_terminal else len(headings)
    for start in range(1, len(headings), room):
        columns = slice(start, start + room)
        held = [[line[0], *line[columns]] for line in lines if any(line[columns])]
        _table(out, [headings[0], *headings[columns]], held)


def _failed_gates(out: Console, gates: Sequence[GateResult]) -> None:
    failed = [gate for gate in gates if not gate.passed]
    if not gates:
        return
    _line(out)
    if not failed:
        _line(out, f"All {len(gates)} gates passed.", "green")
    for gate in failed:
        _line(out, f"Gate failed: {gate.gate}: {gate.why}", "red")


def _worst(out: Console, scores: Sequence[CaseScore]) -> None:
    failed = [score for score in worst_first(scores) if failures(score)]
    _line(out)
    if not failed:
        _line(out, "Every case passed.", "green")
        return
    worst = min(_WORST, len(failed))
    _line(out, f"{len(failed)} of {len(scores)} cases failed; the worst {worst}:", "bold")
    for score in failed[:_WORST]:
        _line(out, f"{score.case.id}  {score.case.question}")
        for failure in failures(score):
            _line(out, f"    {failure.kind.label}: {failure.why}", "red")


def _table(out: Console, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if not out.is_terminal:
        print(aligned([headings, *rows]), file=out.file)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, heading in enumerate(headings):
        table.add_column(Text(visible(heading)), justify="right" if i > 0 else "left")
    for row in rows:
        table.add_row(*(_cell(cell) for cell in row))
    out.print(table, soft_wrap=False)


def _cell(cell: str) -> Text:
    return Text(visible(cell), {"pass": "green", "FAIL": "bold red"}.get(cell, ""))


def _line(out: Console, text: str = "", style: str = "") -> None:
    indent = text[: len(text) - len(text.lstrip())]
    out.print(Text(indent + visible(text), style))
