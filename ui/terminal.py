"""Showing things in a terminal: colour where it is one, plain text when piped.

Everything shown may come from a stranger's file: it is printed as text, never as markup, and
control characters (which could drive the terminal) are made visible.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import ProgressColumn

    from rag.adding import OnEstimate, OnProgress
    from rag.assistant import Assistant
    from rag.events import Event
    from rag.schema import Answer, Hit, Paper


def visible(text: str) -> str:
    """The text with control and unprintable characters shown as escapes."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text
    )


def console(*, error: bool = False) -> Console:
    """Standard output (or error): wrapped to the window in a terminal, left alone in a pipe."""
    from rich.console import Console

    stream = sys.stderr if error else sys.stdout
    # A stream that cannot encode a character shows it escaped instead of failing.
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
    return Console(stderr=error, highlight=False, markup=False, emoji=False)


def line(text: str = "", style: str = "", *, indent: int = 0) -> None:
    """Print one paragraph, wrapped only in a terminal."""
    from rich.padding import Padding
    from rich.text import Text

    out = console()
    shown = Text(visible(text), style=style)
    if not out.is_terminal:
        print(" " * indent + shown.plain)
        return
    out.print(Padding(shown, (0, 0, 0, indent)))


def complain(message: str) -> None:
    """Print an error to standard error."""
    from rich.text import Text

    text = Text("footnoted: ", style="bold red") + Text(visible(message), style="")
    console(error=True).print(text, soft_wrap=True)


class _Complaining(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            complain(self.format(record))
        except OSError:
            self.handleError(record)


@contextmanager
def warnings_shown() -> Iterator[None]:
    """Show what the library warns of as complaints, while in this context."""
    log, handler = logging.getLogger("rag"), _Complaining(logging.WARNING)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


def papers_in_words(count: int) -> str:
    """How many papers: ``1 paper``, ``1,234 papers``."""
    return "1 paper" if count == 1 else f"{count:,} papers"


def show_held(assistant: Assistant) -> None:
    """Print how many papers a collection holds, and where."""
    line(f"{papers_in_words(assistant.counts()['papers'])} in {assistant.directory}", "dim")


def _paper_line(paper: Paper) -> str:
    known = [str(part) for part in (paper.year, paper.venue) if part]
    return f"{paper.title} ({', '.join(known)})" if known else paper.title


def answer_of(events: Iterable[Event]) -> Answer:
    """The answer at the end of the events; what is being done is shown in a terminal meanwhile."""
    from rag.events import Began, Finished

    with console(error=True).status("") as status:
        for event in events:
            if isinstance(event, Began):
                status.update(f"{event.stage} …")
            elif isinstance(event, Finished):
                return event.answer
    raise AssertionError("answering ends with Finished")


def show_answer(answer: Answer) -> None:
    """Print an answer with its footnotes, or why it was declined and what is nearest."""
    if answer.standalone_question != answer.question:
        line(f"Searched for: {answer.standalone_question}", "dim")
    if answer.declined:
        line(answer.message, "yellow")
        if answer.suggestions:
            line()
            line("Nearest papers (they do not answer the question):", "dim")
            for paper in answer.suggestions:
                line(f"- {_paper_line(paper)}", indent=2)
        _show_notes(answer)
        return
    for paragraph in answer.text.split("\n"):
        line(paragraph)
    line()
    numbered = {citation.number: citation.paper for citation in answer.citations}
    for number, paper in sorted(numbered.items()):
        line(f"[{number}] {_paper_line(paper)}", "bold")
        if paper.link:
            line(paper.link, "dim", indent=4)
    for claim in answer.claims:
        if claim.doubt:
            line()
            line(f"{claim.doubt.capitalize()}: “{claim.text}” ({claim.verdict.reason})", "yellow")
    _show_notes(answer)


def _show_notes(answer: Answer) -> None:
    for note in answer.notes:
        line()
        line(note, "dim")


def show_hit(hit: Hit) -> None:
    """Print a search result: rank, title, passage."""
    line(f"{hit.rank}. {_paper_line(hit.paper)}", "bold")
    line(f"{hit.paper.id}  score {hit.score:.2f}", "dim", indent=3)
    line(" ".join(hit.text.split()), indent=3)
    line()


@contextmanager
def progress(*, shown: bool) -> Iterator[tuple[OnProgress, OnEstimate]]:
    """Progress bars on standard error, nothing where that is no terminal.

    Yields what `Assistant.add` calls as work goes on, and once before a long embedding.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
    )

    from rag.adding import Stage

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _times(),
    )
    out = console(error=True)
    with Progress(*columns, console=out, disable=not (shown and out.is_terminal)) as bar:
        tasks = {
            stage: bar.add_task(f"{stage:<9} papers", total=None, visible=False, start=False)
            for stage in Stage
        }

        def on_progress(stage: Stage, done: int, total: int | None) -> None:
            bar.start_task(tasks[stage])
            bar.update(tasks[stage], completed=done, total=total, visible=True)
            if stage is Stage.EMBEDDING:
                read = bar.tasks[tasks[Stage.READING]].completed
                bar.update(tasks[Stage.READING], total=read)

        def on_estimate(papers: int, seconds: float) -> None:
            minutes = round(seconds / 60)
            time = f"{minutes} min" if minutes else f"{seconds:.0f} s"
            if shown:
                out.print(f"{papers:,} papers to embed, about {time}; Ctrl-C keeps what is done")

        yield on_progress, on_estimate


def _times() -> ProgressColumn:
    """A column with the time gone and, where it can be said, about the time left."""
    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    class Times(ProgressColumn):
        def render(self, task: Task) -> Text:
            gone, left = task.finished_time or task.elapsed or 0.0, task.time_remaining
            text = f"{timedelta(seconds=int(gone))} gone"
            if left and not task.finished:
                text += f", about {timedelta(seconds=int(left))} left"
            return Text(text)

    return Times()
