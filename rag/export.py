"""Answers and hits on their way out: Markdown and JSON records."""

from __future__ import annotations

import re
from typing import Any

from rag.schema import Answer, Hit, Paper

# What would be read as Markdown or HTML in running text.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$&!])")


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is: special characters escaped, no line breaks."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


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
        lead = "\n\n".join(escape_markdown(part) for part in claim.lead.split("\n\n"))
        space = "" if not lead or lead.endswith("\n") else " "
        body += f"{lead}{space}{escape_markdown(claim.text)}{notes}"
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


def hit_record(hit: Hit) -> dict[str, Any]:
    """A search result as plain values for JSON."""
    return {
        "rank": hit.rank,
        "score": hit.score,
        "scores": dict(hit.scores),
        "paper": hit.paper.id,
        "title": hit.paper.title,
        "year": hit.paper.year,
        "start": hit.passage.start,
        "end": hit.passage.end,
        "text": hit.text,
    }
