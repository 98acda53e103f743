"""Papers as RIS, which reference managers import."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rag.export.bibliography import Keys, is_meeting, name_of, web_address
from rag.export.format import Format
from rag.ingest.formats.fields import one_line
from rag.schema import Paper


def write(papers: Iterable[Paper]) -> Iterator[str]:
    """One record for each paper, in order; what is unknown is left out.

    RIS has no way to write a line break: in a value it is a space.
    """
    keys = Keys()
    for place, paper in enumerate(papers):
        yield ("\n" if place else "") + _record(keys.give(paper), paper)


def _record(key: str, paper: Paper) -> str:
    meeting = is_meeting(paper.venue or "")
    kind = "GEN" if not paper.venue else "CPAPER" if meeting else "JOUR"
    tags = [
        ("TY", kind),
        ("ID", key),
        ("TI", paper.title),
        *(("AU", _author(author)) for author in paper.authors),
        ("PY", str(paper.year or "")),
        ("T2", paper.venue or ""),
        ("AB", paper.abstract),
        ("DO", paper.doi or ""),
        ("AN", f"arXiv:{paper.arxiv_id}" if paper.arxiv_id else ""),
        ("UR", web_address(paper) or ""),
    ]
    lines = [f"{tag}  - {value}" for tag, text in tags if (value := one_line(text))]
    return "\n".join([*lines, "ER  - ", ""])


def _author(author: str) -> str:
    name = name_of(author)
    return ", ".join(part for part in (name.family, name.given, name.suffix) if part)


FORMAT = Format("ris", "RIS", "application/x-research-info-systems; charset=utf-8", "ris", write)
