"""A run as Markdown, for reading beside the code."""

from __future__ import annotations

from collections.abc import Sequence

from eval.gates import GateResult
from eval.report.failures import failures, worst_first
from eval.report.tables import by_group, interval, overall, shown, unmeasured
from eval.report.text import markdown_table, on_one_line
from eval.schema import Run
from eval.summary import Row


def markdown_report(run: Run, rows: Sequence[Row], gates: Sequence[GateResult] = ()) -> str:
    """Gates, measures, groups and every failed case; nothing in it is taken as markup."""
    parts = [f"# Evaluation {on_one_line(run.id)}", _about(run)]
    if gates:
        cells = [[str(g.gate), "passed" if g.passed else "failed", g.why] for g in gates]
        parts += ["## Gates", markdown_table(("gate", "result", "found"), cells)]
    cells = [[row.title, shown(row), interval(row.interval), str(row.n)] for row in overall(rows)]
    parts += ["## Measures", markdown_table(("measure", "value", "95% interval", "n"), cells)]
    if unmeasured(rows):
        parts.append(on_one_line(unmeasured(rows)))
    headings, lines = by_group(rows)
    if lines:
        parts += ["## By category and variant", markdown_table(headings, lines)]
    failed = [score for score in worst_first(run.scores) if failures(score)]
    parts.append(f"## Failed cases ({len(failed)} of {len(run.scores)})")
    parts += [
        f"- {on_one_line(f'{score.case.id}: {score.case.question}')}\n"
        + "\n".join(f"  - {on_one_line(failure.why)}" for failure in failures(score))
        for score in failed
    ]
    return "\n\n".join(parts) + "\n"


def _about(run: Run) -> str:
    facts = {"answerer": run.answerer, "started": run.started, **run.versions}
    facts |= {f"hash of {name}": value for name, value in run.hashes.items()}
    facts |= {f"setting {name}": str(value) for name, value in run.settings.items()}
    return "\n".join(f"- {on_one_line(f'{name}: {value}')}" for name, value in facts.items())
