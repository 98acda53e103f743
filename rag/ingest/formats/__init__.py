"""The file formats that papers are read from: one module each, recognised by content.

A new format is a module with a ``FORMAT`` and a line here. The first one that recognises the
beginning of a file reads it.
"""

from __future__ import annotations

from rag.ingest.formats import daily_papers, delimited, json_array, json_lines
from rag.ingest.formats.format import Format

FORMATS: tuple[Format, ...] = (
    json_lines.FORMAT,
    json_array.FORMAT,
    delimited.FORMAT,
    daily_papers.FORMAT,
)


def recognised(head: str) -> Format | None:
    """The format of a text that begins like this, or None."""
    return next((form for form in FORMATS if form.recognise(head)), None)


__all__ = ["FORMATS", "Format", "recognised"]
