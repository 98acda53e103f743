"""MEDLINE as text, which PubMed and PubMed Central export (also as NBIB).

``PMID- 28754806``, ``AB  - BACKGROUND: …``: a tag of up to four letters, a hyphen, and lines that
go on indented. Biopython reads it too, but without line numbers and with 3 MB of wheel; the package
``nbib`` has had no release since 2021.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from rag.ingest.formats.fields import record_from
from rag.ingest.formats.format import Format
from rag.ingest.formats.identifiers import pubmed_url
from rag.ingest.text import READ_ERRORS, TextSource
from rag.schema import BadRecord, Record

MAX_RECORD_CHARS = 1_000_000
"""A longer record is reported and skipped: no record of MEDLINE comes near it."""

_TAG = re.compile(r"(?=.{4}-|[A-Z]{2,4} ?-)([A-Z]{2,4}) {0,2}- ?(.*)")
# Only files of this kind have these; the others are known to RIS as well.
_KNOWN = re.compile(r"(?:PMID|OWN |STAT|DCOM|CRDT|EDAT|PHST|JID |FAU |PMC |LID |AID )-")
_FIRST = re.compile(r"(?:PMID|PMC ) ?-\s*(?:PMC)?\d|[A-Z]{2,4} {0,2}- ?\S")
_LINES_AROUND = 60
_STARTS = frozenset(("PMID", "PMC", "PMCR"))
# Of these a record has one: the second after an empty line belongs to the next.
_ONCE = frozenset(("PMID", "PMC", "TI", "DP", "JT", "TA", "SO", "OWN", "STAT"))
_DOI = re.compile(r"(?:doi:\s*)?(10\.\S+?)\s*(?:\[doi\])?", re.IGNORECASE)
_PII = re.compile(r"(\S+)\s*\[pii\]")
_INITIALS = re.compile(r"(?P<family>.+?) (?P<initials>[A-Z]{1,4})(?P<suffix> (?:Jr|Sr|2nd|3rd))?")
_NO_ABSTRACT = re.compile(r"\[?(?:no )?abstract (?:not )?available.{0,40}", re.IGNORECASE)


def recognise(head: str) -> bool:
    """Whether the first line is a tag, and one of the first belongs to this format only."""
    lines = [line for line in head.lstrip().split("\n", 500)[:500] if line.strip()][:_LINES_AROUND]
    return bool(lines and _FIRST.match(lines[0]) and any(map(_KNOWN.match, lines)))


def read(source: TextSource) -> Iterator[Record | BadRecord]:
    """The records in the order of the file, each with the line where it begins."""
    for record in _records(source):
        if record.too_long:
            reason = f"a record of more than {MAX_RECORD_CHARS:,} characters"
            yield BadRecord(source.place(record.line), reason)
        else:
            yield record_from(_fields(record.values()), source, record.line)


@dataclass(slots=True)
class _Tags:
    """The lines of a record by tag, in their order; each value is a list of its lines."""

    line: int
    lines: dict[str, list[list[str]]] = field(default_factory=dict)
    too_long: bool = False
    _last: list[str] = field(default_factory=list)
    _size: int = 0

    def add(self, tag: str, text: str) -> None:
        """Take a tag in."""
        self._last = []
        if not self.too_long:
            self.lines.setdefault(tag, []).append(self._last)
        self.go_on(text)

    def go_on(self, text: str) -> None:
        """Take in what goes on with the last tag."""
        self._size += len(text) + 10
        if self._size > MAX_RECORD_CHARS:
            if not self.too_long:
                self.lines = {tag: [] for tag in self.lines}
            self.too_long = True
        elif text.strip():
            self._last.append(text.strip())

    def values(self) -> Mapping[str, list[str]]:
        """The values by tag, wrapped lines put together."""
        return {tag: [" ".join(lines) for lines in held] for tag, held in self.lines.items()}


def _records(source: TextSource) -> Iterator[_Tags]:
    record: _Tags | None = None
    after_gap = True
    try:
        for number, line in source.lines():
            tag = _TAG.fullmatch((line or "").removeprefix("\ufeff"))
            if record and (line is None or (tag and _begins(tag[1], record, after_gap=after_gap))):
                yield record
                record = None
            if line is None:
                yield _Tags(number, too_long=True)
            elif tag:
                record = record or _Tags(number)
                record.add(tag[1], tag[2])
            elif record and (not after_gap or line[:1].isspace()):
                record.go_on(line)
            after_gap = not (line and line.strip()) or (after_gap and not tag)
    except READ_ERRORS:
        if record and after_gap:
            yield record
        raise
    if record:
        yield record


def _begins(tag: str, record: _Tags, *, after_gap: bool) -> bool:
    """Whether the next record begins with this tag: PubMed Central's begin with PMC."""
    if tag == "PMID" and tag in record.lines:
        return True
    return after_gap and (tag in _STARTS or (tag in _ONCE and tag in record.lines))


def _fields(values: Mapping[str, list[str]]) -> dict[str, object]:
    stated = [*values.get("LID", []), *values.get("AID", [])]
    pii = next((found[1] for found in map(_PII.fullmatch, stated) if found), "")
    return {
        "title": " ".join(values.get("TI", [])).strip() or _first(values, "BTI", "CTI", "TT"),
        "abstract": _abstract(values),
        "authors": [*_authors(values), *({"family": group} for group in values.get("CN", []))],
        "year": _first(values, "DP"),
        "date": _first(values, "DEP", "EDAT", "CRDT"),
        "venue": _first(values, "JT", "TA", "CTI", "BTI"),
        "url": pubmed_url(_first(values, "PMID")),
        "doi": next((found[1] for found in map(_DOI.fullmatch, stated) if found), None),
        "arxiv_id": pii if pii.lower().startswith("arxiv:") else None,
    }


def _first(values: Mapping[str, list[str]], *tags: str) -> str:
    return next((text for tag in tags for text in values.get(tag, []) if text), "")


def _abstract(values: Mapping[str, list[str]]) -> str:
    """The abstract; where PubMed has another one beside or instead of it, only the first."""
    abstract = "\n".join(filter(None, values.get("AB", [])))
    if abstract and not _NO_ABSTRACT.fullmatch(abstract):
        return abstract
    others = (text.removeprefix("Publisher: ") for text in values.get("OAB", []))
    return next((text for text in others if text and not _NO_ABSTRACT.fullmatch(text)), "")


def _authors(values: Mapping[str, list[str]]) -> list[str | dict[str, str]]:
    """Full names where the file has them, else family names with initials, given first."""
    full = [name for name in values.get("FAU", []) if name]
    if full:
        return [*full]
    names: list[str | dict[str, str]] = []
    for name in filter(None, values.get("AU", [])):
        short = _INITIALS.fullmatch(name)
        if short:
            family = f"{short['family']}{short['suffix'] or ''}"
            names.append({"given": short["initials"], "family": family})
        else:
            names.append({"family": name})
    return names


FORMAT = Format("MEDLINE or NBIB (PubMed's text format)", recognise, read)
