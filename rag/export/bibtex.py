"""Papers as BibTeX, as BibLaTeX reads it too, with their abstracts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from rag.export.bibliography import Keys, is_meeting, name_of, web_address
from rag.export.format import Format
from rag.export.tex import escape_tex, keep_address, keep_verbatim
from rag.schema import Paper


def write(papers: Iterable[Paper]) -> Iterator[str]:
    """One entry for each paper, in order; what is unknown is left out.

    Title, authors and venue are text that TeX prints as it is. The abstract is verbatim, as
    styles do not print it and this is how it is read back.
    """
    keys = Keys()
    for place, paper in enumerate(papers):
        yield ("\n" if place else "") + _entry(keys.give(paper), paper)


def _entry(key: str, paper: Paper) -> str:
    venue = escape_tex(paper.venue or "")
    meeting = is_meeting(venue)
    kind = "misc" if not venue else "inproceedings" if meeting else "article"
    fields = {
        "title": f"{{{escape_tex(paper.title)}}}",  # braced twice: styles keep its capitals
        "author": " and ".join(map(_author, paper.authors)),
        "year": str(paper.year or ""),
        "booktitle" if meeting else "journal": venue,
        "doi": keep_address(paper.doi or ""),
        "eprint": keep_address(paper.arxiv_id or ""),
        "archiveprefix": "arXiv" if paper.arxiv_id else "",
        "url": keep_address(web_address(paper) or ""),
        "abstract": keep_verbatim(paper.abstract),
    }
    width = max(map(len, fields))
    lines = [f"  {name:<{width}} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{kind}{{{key},", *lines, "}", ""])


def _author(author: str) -> str:
    """A name whose parts BibTeX finds; braces hold one together that has none."""
    name = name_of(author)
    family, given, suffix = map(escape_tex, (name.family, name.given, name.suffix))
    if suffix:
        return f"{family}, {suffix}, {given}"
    if given:
        return f"{family}, {given}" if "," in author else f"{given} {family}"
    return f"{{{family}}}" if re.search(r"[\s,]", family) else family


FORMAT = Format("bibtex", "BibTeX", "application/x-bibtex; charset=utf-8", "bib", write)
