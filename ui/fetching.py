"""What ``footnoted fetch`` does."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ui.terminal import complain, line, progress

if TYPE_CHECKING:
    from rag.adding import AddReport
    from rag.assistant import Assistant
    from rag.fetch.pages import Source


def source_of(arguments: argparse.Namespace) -> Source:
    """What the arguments ask for, and where.

    Raises:
        InputError: they do not fit the source.
    """
    from rag.errors import InputError

    if arguments.source == "arxiv":
        from rag.fetch.arxiv import ArxivQuery

        return ArxivQuery(arguments.what, arguments.since)
    if arguments.since:
        raise InputError("--since goes with arxiv; name days as in 2025-03-14..2025-03-20")
    from rag.fetch.daily_papers import days_from

    return days_from(arguments.what)


def fetch(assistant: Assistant, source: Source, arguments: argparse.Namespace) -> AddReport:
    """Fetch the papers and say what became of them."""
    with progress(shown=not arguments.quiet) as (on_progress, on_estimate):
        report = assistant.fetch(
            source,
            max_papers=arguments.max,
            on_progress=on_progress,
            on_estimate=on_estimate,
            on_resume=_say_resumed,
        )
    line(str(report) if report.records or report.skipped else "the source has no such papers")
    line(f"{assistant.counts()['papers']:,} papers in {assistant.directory}", "dim")
    return report


def _say_resumed(taken: int) -> None:
    complain(
        f"going on after the {taken:,} papers that an earlier fetch took before it was cut off"
    )
