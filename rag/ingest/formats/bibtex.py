r"""BibTeX and BibLaTeX, entry by entry.

The file is cut where a line begins with ``@type{``, so that memory stays bounded and a damaged
entry costs only itself; pybtex reads what stands between. A missing comma and a missing last
brace are mended; a field that goes on after its closing brace is dropped, because nobody knows
where it ends. LaTeX becomes Unicode in titles and names; abstracts keep theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress

from rag.ingest.formats.bibtex_entries import (
    MAX_ENTRY_CHARS,
    MAX_STRING_CHARS,
    NO_PAPER,
    Entry,
    Piece,
    Strings,
    fields_of,
    pieces,
)
from rag.ingest.formats.bibtex_text import names, plain, unescaped, verbatim
from rag.ingest.formats.fields import record_from
from rag.ingest.formats.format import Format
from rag.ingest.text import READ_ERRORS, TextSource
from rag.schema import BadRecord, Record

MAX_VOLUMES = 100_000
"""How many volumes that entries refer to with ``crossref`` are kept in mind."""

_CROSSREF = re.compile(r"crossref\s*+=\s*+[{\"]\s*+([^{}\"]+)", re.IGNORECASE)
_FIRST_ENTRY = re.compile(
    r"^[^\S\n]*+@\s*+(?:(?:comment|preamble|string)\s*+[{(]"
    r"|[A-Za-z]++\s*+(?:\{[^=,\"{}]{0,200}+[,=]|\([^=,\"'{}()]{0,200}+,))",
    re.MULTILINE | re.IGNORECASE,
)
# What stands before the first entry of what people call a BibTeX file is short.
_PREFACE_LINES = 200
_ARXIV_IN_VENUE = re.compile(r"arxiv:\s*[^\s,;]+", re.IGNORECASE)


def recognise(head: str) -> bool:
    """Whether a line begins with ``@type{``, and what stands before the first is a comment."""
    found = _FIRST_ENTRY.search(head)
    if not found:
        return False
    preface = head[: found.start()].split("\n")
    return len(preface) <= _PREFACE_LINES and not preface[0].lstrip().startswith(("{", "[", "<"))


def read(source: TextSource) -> Iterator[Record | BadRecord]:
    """The entries in the order of the file, each with the line where it begins."""
    strings = Strings()
    volumes: Mapping[str, Mapping[str, str]] | None = None
    for piece in pieces(source):
        if piece.text is None and piece.kind != "comment":
            reason = f"an entry of more than {MAX_ENTRY_CHARS:,} characters: is a brace missing?"
            yield BadRecord(source.place(piece.line), reason)
        elif piece.kind == "string":
            strings.learn(fields_of(piece, strings).values)
        elif piece.kind not in NO_PAPER:
            entry = fields_of(piece, strings)
            volume = entry.values.get("crossref", "").strip().lower()
            if volume and volumes is None:
                volumes = _volumes(source)
            yield _record(entry, (volumes or {}).get(volume, {}), source, piece.line)


def _record(
    entry: Entry, volume: Mapping[str, str], source: TextSource, line: int
) -> Record | BadRecord:
    values = entry.values
    venues = (values.get(name, "") for name in ("journal", "journaltitle", "booktitle"))
    venue = next((text for text in venues if text.strip()), volume.get("venue", ""))
    preprint = _ARXIV_IN_VENUE.search(venue)
    found = record_from(
        {
            "title": plain(values.get("title", "")),
            "abstract": verbatim(values.get("abstract", "")),
            "authors": names(values.get("author", "")),
            "year": values.get("year"),
            "date": values.get("date") or volume.get("date"),
            "venue": plain(venue),
            "url": unescaped(values.get("url", "")),
            "link": unescaped(values.get("howpublished", "")),
            "doi": unescaped(values.get("doi", "")),
            "arxiv_id": values.get("eprint") or values.get("arxivid"),
            "arxiv": preprint[0] if preprint else None,
        },
        source,
        line,
    )
    if isinstance(found, BadRecord) and entry.damage:
        return BadRecord(found.place, f"{found.reason} ({entry.damage})")
    return found


def _volumes(source: TextSource) -> Mapping[str, Mapping[str, str]]:
    """Venue and date of the entries that others refer to with ``crossref``, by key.

    They stand after those that refer to them, so that the file is read twice more.
    """
    wanted: set[str] = set()
    for piece in _readable(source):
        for name in _CROSSREF.findall(piece.text or ""):
            if len(wanted) < MAX_VOLUMES:
                wanted.add(name.strip().lower())
    volumes: dict[str, Mapping[str, str]] = {}
    strings = Strings()
    for piece in _readable(source):
        if piece.kind == "string":
            strings.learn(fields_of(piece, strings).values)
        if (name := piece.key) in wanted:
            values = fields_of(piece, strings).values
            venue = values.get("booktitle") or values.get("title") or values.get("journal") or ""
            date = values.get("year") or values.get("date") or ""
            volumes.setdefault(name, {"venue": venue[:MAX_STRING_CHARS], "date": date[:40]})
    return volumes


def _readable(source: TextSource) -> Iterator[Piece]:
    """The pieces as far as the file can be read: that it cannot is said where records are."""
    with suppress(*READ_ERRORS):
        yield from pieces(source)


FORMAT = Format("BibTeX or BibLaTeX (entries with title and abstract)", recognise, read)
