"""The reports of a run, written beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eval.gates import GateResult
from eval.report.cases import Papers
from eval.report.html import html_report
from eval.report.junit import junit_xml
from eval.report.markdown import markdown_report
from eval.schema import Run
from eval.summary import Row


def write_reports(
    directory: Path,
    run: Run,
    rows: Sequence[Row],
    gates: Sequence[GateResult] = (),
    papers: Papers | None = None,
) -> tuple[Path, ...]:
    """Write report.md, report.html and junit.xml; returns their paths."""
    texts = {
        "report.md": markdown_report(run, rows, gates),
        "report.html": html_report(run, rows, gates, papers),
        "junit.xml": junit_xml(run, gates),
    }
    for name, text in texts.items():
        # An answer may hold half of a surrogate pair, which no file can.
        (directory / name).write_bytes(text.encode("utf-8", "replace"))
    return tuple(directory / name for name in texts)
