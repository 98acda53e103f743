"""Answers and conversations as text to take away."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from rag.export import to_markdown
from rag.schema import Answer, Paper
from ui.page.bibtex import bibtex
from ui.page.talks import Talk

# A footnote's label, not one that is escaped: an even number of backslashes before it.
_LABEL = re.compile(r"(?<!\\)((?:\\\\)*)\[\^(\d+)\]")
CONVERSATION_FORMAT = "footnoted-conversation/1"


@dataclass(frozen=True, slots=True)
class Export:
    """A text with its media type and what its file's name ends with."""

    text: str
    media_type: str
    ending: str


def reference(paper: Paper) -> str:
    """A paper in one line: authors, title, venue, year, address, as far as known."""
    venue = ", ".join(str(part) for part in (paper.venue, paper.year) if part)
    parts = [", ".join(paper.authors), paper.title, venue, paper.link or ""]
    return ". ".join(part.rstrip(".") for part in parts if part)


def plain_text(answer: Answer) -> str:
    """The answer as plain text, with its question and, below, its references."""
    numbered = {citation.number: citation.paper for citation in answer.citations}
    lines = [answer.question, "", answer.text]
    lines += [""] if numbered else []
    lines += [f"[{number}] {reference(paper)}" for number, paper in sorted(numbered.items())]
    return "\n".join(lines)


def export_answer(answer: Answer, format_: str) -> Export | None:
    """An answer as ``json`` (its record), ``markdown`` or ``bibtex`` (what it cites), else None."""
    made: dict[str, Callable[[], str]] = {
        "json": answer.to_json,
        "markdown": lambda: to_markdown(answer) + "\n",
        "bibtex": lambda: bibtex(answer.papers),
    }
    return _export(made, format_)


def export_talk(talk: Talk, format_: str) -> Export | None:
    """A conversation in the same formats; BibTeX has every cited paper once."""
    answers = [turn.answer for turn in talk.turns]
    papers = {paper.id: paper for answer in answers for paper in answer.papers}
    made: dict[str, Callable[[], str]] = {
        "json": lambda: _talk_json(talk),
        "markdown": lambda: (
            "\n\n---\n\n".join(
                _apart(to_markdown(answer), place) for place, answer in enumerate(answers, start=1)
            )
            + "\n"
        ),
        "bibtex": lambda: bibtex(papers.values()),
    }
    return _export(made, format_)


def _talk_json(talk: Talk) -> str:
    answers = [json.loads(turn.answer.to_json()) for turn in talk.turns]
    record = {"format": CONVERSATION_FORMAT, "id": talk.id, "answers": answers}
    return json.dumps(record, ensure_ascii=False, indent=2)


def _apart(markdown: str, place: int) -> str:
    """Markdown whose footnote labels differ from those of the other answers in the document."""
    return _LABEL.sub(rf"\1[^{place}-\2]", markdown)


def _export(made: dict[str, Callable[[], str]], format_: str) -> Export | None:
    kinds = {
        "json": ("application/json", "json"),
        "markdown": ("text/markdown; charset=utf-8", "md"),
        "bibtex": ("application/x-bibtex; charset=utf-8", "bib"),
    }
    return Export(made[format_](), *kinds[format_]) if format_ in made else None
