"""Papers and answers on their way out: one module a format.

Every format is a `Format` whose ``write`` turns papers into text piece by piece, so that a large
collection is never held in memory. BibTeX, RIS, CSL-JSON, CSV and JSON lines are read back by
`rag.ingest` with the same titles, abstracts, authors, years, venues and identifiers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rag.errors import InputError
from rag.export import bibtex, csl_json, csv, json_lines, markdown, ris
from rag.export.file import write_file
from rag.export.format import Format
from rag.export.json_lines import hit_record
from rag.export.markdown import escape_markdown, to_markdown
from rag.schema import Paper

FORMATS: tuple[Format, ...] = (
    bibtex.FORMAT,
    ris.FORMAT,
    csl_json.FORMAT,
    csv.FORMAT,
    markdown.FORMAT,
    json_lines.FORMAT,
)


def format_named(name: str) -> Format:
    """The format of this name: ``bibtex``, ``ris``, ``csl-json``, ``csv``, ``markdown``, ``jsonl``.

    Raises:
        InputError: there is none.
    """
    for form in FORMATS:
        if form.name == name:
            return form
    names = ", ".join(form.name for form in FORMATS)
    raise InputError(f"papers are not written as {name!r:.40}; expected one of {names}")


def export_papers(papers: Iterable[Paper], name: str) -> Iterator[str]:
    """Papers as text in the format of this name, piece by piece.

    Raises:
        InputError: there is no such format.
    """
    return format_named(name).write(papers)


__all__ = [
    "FORMATS",
    "Format",
    "escape_markdown",
    "export_papers",
    "format_named",
    "hit_record",
    "to_markdown",
    "write_file",
]
