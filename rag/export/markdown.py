"""Answers and papers as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from rag.export.format import Format
from rag.schema import Answer, Paper

# What would be read as Markdown or HTML in running text.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$&!])")
# What would begin a list or underline a heading at the beginning of a line.
_BLOCK = re.compile(r"^(\d{0,9})([-+=.)])")
_BULLET = "- "


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is: special characters escaped, no line breaks."""
    return _BLOCK.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", " ".join(text.split())))


def _lead(lead: str) -> str:
    """What stands before a claim: its line breaks and bullets stay, the rest is escaped."""
    lines = []
    for line in lead.split("\n"):
        bullet = _BULLET if line.startswith(_BULLET) else ""
        text = escape_markdown(line.removeprefix(bullet))
        space = " " if line[-1:].isspace() and (text or not bullet) else ""
        lines.append(f"{bullet}{text}{space}")
    return "\n".join(lines)


def to_markdown(answer: Answer) -> str:
    """An answer as Markdown with footnotes; every quote stands verbatim in its footnote."""
    parts = [f"**{escape_markdown(answer.question)}**", ""]
    if answer.declined:
        parts += [escape_markdown(answer.message)]
        parts += ["", "Nearest papers:", ""] if answer.suggestions else []
        parts += [f"- {_reference(paper)}" for paper in answer.suggestions]
        return "\n".join(parts)
    order = {citation: label for label, citation in enumerate(answer.citations, start=1)}
    body = ""
    for claim in answer.claims:
        notes = "".join(f"[^{order[citation]}]" for citation in claim.citations)
        body += f"{_lead(claim.lead)}{escape_markdown(claim.text)}{notes}"
    parts += [body.strip(), ""]
    for citation, label in order.items():
        parts.append(
            f"[^{label}]: [{citation.number}] {_reference(citation.paper)}: "
            f"“{escape_markdown(citation.quote)}”"
        )
    return "\n".join(parts)


def _reference(paper: Paper) -> str:
    known = [str(part) for part in ("; ".join(paper.authors), paper.venue, paper.year) if part]
    title = f"*{escape_markdown(paper.title)}*"
    parts = [title, *map(escape_markdown, known)]
    if paper.link:
        parts.append(f"<{paper.link}>")
    return ", ".join(parts)


def write(papers: Iterable[Paper]) -> Iterator[str]:
    """A section for each paper, in order: title, authors, venue, year, address, abstract."""
    for place, paper in enumerate(papers):
        yield ("\n" if place else "") + _section(paper)


def _section(paper: Paper) -> str:
    parts = [
        f"## {escape_markdown(paper.title)}",
        escape_markdown("; ".join(paper.authors)),
        _published(paper),
        escape_markdown(paper.abstract),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _published(paper: Paper) -> str:
    known = [escape_markdown(str(part)) for part in (paper.venue, paper.year) if part]
    return ", ".join(known + ([f"<{paper.link}>"] if paper.link else []))


FORMAT = Format("markdown", "Markdown", "text/markdown; charset=utf-8", "md", write)
