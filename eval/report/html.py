"""A run as one HTML file that needs nothing else: no request, no font, no library."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template

from eval.gates import GateResult
from eval.measures import MEASURES
from eval.report import figures
from eval.report.cases import Papers, case_html
from eval.report.failures import Kind, failures, worst_first
from eval.report.plots import interval_mark
from eval.report.tables import by_group, interval, overall, shown, unmeasured
from eval.schema import CATEGORIES, Run
from eval.summary import Row

_TEMPLATE = Path(__file__).with_name("report.html.template")
_NOTHING = '<p class="quiet">Nothing to show.</p>'


def html_report(
    run: Run,
    rows: Sequence[Row],
    gates: Sequence[GateResult] = (),
    papers: Papers | None = None,
) -> str:
    """The whole page. ``papers`` are title and abstract by id; without one its text is left out."""
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(f"Evaluation {run.id}"),
        header=_header(run, gates),
        summary=_summary(rows, gates),
        categories=_categories(rows),
        plots=_plots(run, rows),
        filters=_filters(run),
        count=f"{len(run.scores)} cases",
        cases="\n".join(case_html(score, papers or {}) for score in worst_first(run.scores)),
    )


def _header(run: Run, gates: Sequence[GateResult]) -> str:
    failed = sum(bool(failures(score)) for score in run.scores)
    errors = sum(score.response.error is not None for score in run.scores)
    closed = sum(not gate.passed for gate in gates)
    cards = [
        (str(len(run.scores)), "cases", ""),
        (str(len(run.scores) - failed), "passed", "good"),
        (str(failed), "failed", "bad" if failed else ""),
        (str(errors), "of them errors", "bad" if errors else ""),
    ]
    if gates:
        words = f"{len(gates) - closed} of {len(gates)}"
        cards.append((words, "gates passed", "bad" if closed else "good"))
    boxes = "".join(
        f'<li><b class="{style}">{value}</b>{label}</li>' for value, label, style in cards
    )
    facts = "".join(
        _facts(name, data)
        for name, data in (
            ("Settings", run.settings),
            ("Versions", run.versions),
            ("Hashes", run.hashes),
        )
    )
    started = f", started {escape(run.started)}" if run.started else ""
    return (
        f'<p class="quiet">Answerer {escape(run.answerer)}{started}.</p>'
        f'<ul class="cards">{boxes}</ul>'
        f'<details class="facts"><summary>Settings, versions and hashes</summary>{facts}</details>'
    )


def _facts(name: str, data: Mapping[str, object]) -> str:
    if not data:
        return ""
    items = "".join(
        f"<dt>{escape(key)}</dt><dd>{escape(_plain(value))}</dd>" for key, value in data.items()
    )
    return f"<h4>{name}</h4><dl>{items}</dl>"


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _summary(rows: Sequence[Row], gates: Sequence[GateResult]) -> str:
    if not rows:
        return _NOTHING
    head = (
        '<th scope="col">Measure</th><th scope="col" class="number">Value</th>'
        '<th scope="col" class="number">95% interval</th><th scope="col" class="number">n</th>'
        '<th scope="col" class="mark-column">0 to 1</th>'
    )
    return (
        f'{_gates(gates)}<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(map(_summary_line, overall(rows)))}</tbody></table></div>"
        f'<p class="quiet after">{escape(unmeasured(rows))}</p>'
    )


def _summary_line(row: Row) -> str:
    found = row.interval
    explanation = MEASURES[row.measure].explanation if row.measure in MEASURES else ""
    share = row.measure not in MEASURES or MEASURES[row.measure].low == 0
    mark = interval_mark(found.value, found.low, found.high) if found and share else ""
    small = f"<small>{escape(explanation)}</small>" if explanation else ""
    return (
        f'<tr><th scope="row">{escape(row.title)}{small}</th>'
        f'<td class="number">{shown(row)}</td>'
        f'<td class="number">{interval(found)}</td><td class="number">{row.n}</td>'
        f'<td class="mark-column">{mark}</td></tr>'
    )


def _gates(gates: Sequence[GateResult]) -> str:
    if not gates:
        return ""
    items = "".join(
        f'<li><span class="badge {"good" if gate.passed else "bad"}">'
        f"{'passed' if gate.passed else 'failed'}</span>{escape(str(gate.gate))}: "
        f"{escape(gate.why)}</li>"
        for gate in sorted(gates, key=lambda gate: gate.passed)
    )
    return f'<h3>Gates</h3><ul class="gates">{items}</ul>'


def _categories(rows: Sequence[Row]) -> str:
    headings, lines = by_group(rows)
    if not lines:
        return _NOTHING
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in headings)
    body = "".join(
        f'<tr><th scope="row">{escape(line[0])}</th>'
        + "".join(f'<td class="number">{escape(cell)}</td>' for cell in line[1:])
        + "</tr>"
        for line in lines
    )
    return (
        '<div class="wide" tabindex="0" role="region" aria-labelledby="categories">'
        f'<table class="groups"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _plots(run: Run, rows: Sequence[Row]) -> str:
    drawn = (
        ("Papers found, by category", figures.by_category(rows, "recall@5")),
        ("Vital facts found, by category", figures.by_category(rows, "nugget_recall_vital")),
        ("Risk and coverage of answering", figures.risk_coverage(run)),
        ("Calibration of confidence", figures.calibration(run)),
        ("Latency", figures.latency(run)),
    )
    return "\n".join(
        f"<figure><h3>{title}</h3>{svg}<figcaption>{_said(svg)}</figcaption></figure>"
        for title, svg in drawn
        if svg is not None
    )


def _said(svg: str) -> str:
    return svg.partition("<desc")[2].partition(">")[2].partition("</desc>")[0]


def _filters(run: Run) -> str:
    cases = [score.case for score in run.scores]
    outcomes = Counter(f.kind.value for score in run.scores for f in failures(score))
    choices = {
        "category": [name for name in CATEGORIES if any(case.category == name for case in cases)],
        "split": sorted({case.split for case in cases}),
        "variant": sorted({case.variant for case in cases}),
        "outcome": [kind.value for kind in Kind if outcomes[kind.value]] + ["passed"],
    }
    return "\n".join(
        f'<label>{name.capitalize()}<select name="{name}"><option value="">all</option>'
        + "".join(
            f'<option value="{escape(value)}">{escape(value.replace("_", " "))}</option>'
            for value in values
        )
        + "</select></label>"
        for name, values in choices.items()
    )
