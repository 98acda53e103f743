"""Papers as CSL-JSON, which pandoc and citation processors read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from rag.export.bibliography import Keys, is_meeting, name_of, web_address
from rag.export.format import Format
from rag.schema import Paper


def write(papers: Iterable[Paper]) -> Iterator[str]:
    """One array with an item for each paper, in order; what is unknown is left out.

    An item's ``id`` is the key that it has in BibTeX. An arXiv id stands in ``number``, where
    Zotero has that of a preprint, or where a published paper is also to be found.
    """
    keys = Keys()
    before = "[\n"
    for paper in papers:
        yield before + json.dumps(_item(keys.give(paper), paper), ensure_ascii=False)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _item(key: str, paper: Paper) -> dict[str, Any]:
    meeting = is_meeting(paper.venue or "")
    kind = "article" if not paper.venue else "paper-conference" if meeting else "article-journal"
    arxiv = f"arXiv:{paper.arxiv_id}" if paper.arxiv_id else None
    item = {
        "id": key,
        "citation-key": key,
        "type": kind,
        "title": paper.title,
        "author": [_author(author) for author in paper.authors],
        "issued": {"date-parts": [[paper.year]]} if paper.year else None,
        "container-title": paper.venue,
        "publisher": "arXiv" if arxiv and not paper.venue else None,
        "number" if not paper.venue else "archive_location": arxiv,
        "DOI": paper.doi,
        "URL": web_address(paper),
        "abstract": paper.abstract,
    }
    return {name: value for name, value in item.items() if value}


def _author(author: str) -> dict[str, str]:
    name = name_of(author)
    if not name.given:
        return {"literal": name.family}
    parts = {"family": name.family, "given": name.given, "suffix": name.suffix}
    return {part: text for part, text in parts.items() if text}


FORMAT = Format("csl-json", "CSL-JSON", "application/vnd.citationstyles.csl+json", "json", write)
