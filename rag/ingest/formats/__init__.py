"""The file formats that papers are read from: one module each, recognised by content.

A new format is a module with a ``FORMAT`` and a line here. The first one that recognises the
beginning of a file reads it.
"""

from __future__ import annotations

from rag.ingest.formats import (
    arxiv_atom,
    bibtex,
    crossref,
    csl_json,
    daily_papers,
    daily_papers_api,
    delimited,
    jats,
    json_array,
    json_lines,
    medline,
    openalex,
    plain_text,
    pubmed_xml,
    pubmedqa,
    ris,
    semantic_scholar,
)
from rag.ingest.formats.format import Format

FORMATS: tuple[Format, ...] = (
    pubmed_xml.FORMAT,
    arxiv_atom.FORMAT,
    jats.FORMAT,
    openalex.FORMAT,
    crossref.FORMAT,
    semantic_scholar.FORMAT,
    daily_papers_api.FORMAT,
    pubmedqa.FORMAT,
    csl_json.FORMAT,
    json_lines.FORMAT,
    json_array.FORMAT,
    delimited.FORMAT,
    medline.FORMAT,
    ris.FORMAT,
    bibtex.FORMAT,
    daily_papers.FORMAT,
    plain_text.FORMAT,
)


def recognised(head: str) -> Format | None:
    """The format of a text that begins like this, or None."""
    return next((form for form in FORMATS if form.recognise(head)), None)


__all__ = ["FORMATS", "Format", "recognised"]
