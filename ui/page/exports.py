"""Answers and conversations as text to take away."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rag.export import FORMATS, to_markdown
from rag.schema import Answer, Paper
from ui.page.talks import Talk

# A footnote's label, not one that is escaped: an even number of backslashes before it.
_LABEL = re.compile(r"(?<!\\)((?:\\\\)*)\[\^(\d+)\]")
CONVERSATION_FORMAT = "footnoted-conversation/1"

# Those that have the cited papers, by name, as readers call them.
PAPER_FORMATS = (
    ("bibtex", "BibTeX"),
    ("ris", "RIS"),
    ("csl-json", "CSL-JSON"),
    ("csv", "CSV"),
    ("jsonl", "JSON Lines"),
)


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
    """An answer in a format, else None.

    ``json`` is its record, ``markdown`` its text with footnotes; ``bibtex``, ``ris``,
    ``csl-json``, ``csv`` and ``jsonl`` have the papers that it cites.
    """
    return _export(format_, answer.to_json, lambda: to_markdown(answer) + "\n", answer.papers)


def export_talk(talk: Talk, format_: str) -> Export | None:
    """A conversation in the same formats; every cited paper comes once."""
    answers = [turn.answer for turn in talk.turns]
    papers = {paper.id: paper for answer in answers for paper in answer.papers}
    return _export(
        format_, lambda: _talk_json(talk), lambda: _talk_markdown(answers), papers.values()
    )


def _talk_markdown(answers: Iterable[Answer]) -> str:
    parts = (_apart(to_markdown(answer), place) for place, answer in enumerate(answers, start=1))
    return "\n\n---\n\n".join(parts) + "\n"


def _talk_json(talk: Talk) -> str:
    answers = [json.loads(turn.answer.to_json()) for turn in talk.turns]
    record = {"format": CONVERSATION_FORMAT, "id": talk.id, "answers": answers}
    return json.dumps(record, ensure_ascii=False, indent=2)


def _apart(markdown: str, place: int) -> str:
    """Markdown whose footnote labels differ from those of the other answers in the document."""
    return _LABEL.sub(rf"\1[^{place}-\2]", markdown)


def _export(
    format_: str, json_: Callable[[], str], markdown: Callable[[], str], papers: Iterable[Paper]
) -> Export | None:
    if format_ == "json":
        return Export(json_(), "application/json", "json")
    for form in FORMATS:
        if form.name == format_:
            text = markdown() if format_ == "markdown" else "".join(form.write(papers))
            return Export(text, form.media_type, form.ending)
    return None
