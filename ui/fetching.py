"""What ``footnoted fetch`` does."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ui.terminal import complain, line, papers_in_words, progress, show_held

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
    from rag.adding import Stage

    waited = assistant.counts()["unembedded"]
    with progress(shown=not arguments.quiet) as (on_progress, on_estimate):
        on_progress(Stage.READING, 0, None)  # the first answer may take minutes
        report = assistant.fetch(
            source,
            max_papers=arguments.max,
            on_progress=on_progress,
            on_estimate=on_estimate,
            on_resume=_say_resumed,
        )
    line(str(report) if report.records or report.skipped else "the source has no such papers")
    if waited:
        line(f"embedded {papers_in_words(waited)} that waited")
    show_held(assistant)
    return report


def _say_resumed(taken: int) -> None:
    complain(
        f"going on after the {taken:,} papers that an earlier fetch took before it was cut off"
    )
