"""RIS, as reference managers and publishers export it: read by rispy, record by record.

The lines of a record are put together here, so that memory stays bounded and a record without
its end (``ER``) or its beginning (``TY``) costs nothing but itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rag.ingest.formats.fields import record_from
from rag.ingest.formats.format import Format
from rag.ingest.text import TextSource
from rag.schema import BadRecord, Record

MAX_RECORD_CHARS = 1_000_000
"""A longer record is reported and skipped: its end is missing, or it holds a full text."""

_TOO_LONG = f"a record of more than {MAX_RECORD_CHARS:,} characters: is its end (ER) missing?"
# An ER with text after it is not an end, and no tag either ("ER - positive tumours").
_TAG = re.compile(r"((?!ER)[A-Z][A-Z0-9])\s{2}-(?:\s(.*)|(\S.*))?", re.DOTALL)
# Some write one space; then all their tags are taken so, which text might look like.
_LOOSE_TAG = re.compile(r"((?!ER)[A-Z][A-Z0-9])\s{1,3}-(?:\s(.*)|(\S.*))?", re.DOTALL)
_BEGINNING = re.compile(r"TY\s{1,3}-\s*[A-Za-z]")
_END = re.compile(r"ER\s{1,3}-\s*")
_LINES_AROUND = 40
_TITLES = ("TI", "T1", "CT", "BT")
_ABSTRACTS = ("AB", "N2")
_AUTHORS = ("AU", "A1")
_YEARS = ("PY", "Y1", "DA")
_VENUES = ("JF", "JO", "T2", "JA", "J2", "J1", "BT", "T3")
_ADDRESSES = ("UR", "LK", "L1", "L2")
_ARXIV = re.compile(r"arxiv:\s*[^\s,;]+", re.IGNORECASE)


def recognise(head: str) -> bool:
    """Whether the first line or one before a tag is a TY, or the first a tag and one an ER."""
    lines = [line for line in head.lstrip().split("\n", 500)[:500] if line.strip()]
    for number, line in enumerate(lines[:_LINES_AROUND]):
        if _BEGINNING.match(line):
            following = lines[number + 1 : number + 2]
            return not number or bool(following and _LOOSE_TAG.fullmatch(following[0]))
    return bool(
        lines and _TAG.fullmatch(lines[0]) and any(map(_END.fullmatch, lines[1:_LINES_AROUND]))
    )


def read(source: TextSource) -> Iterator[Record | BadRecord]:
    """The records in the order of the file, each with the line where it begins."""
    for found in _records(source):
        if isinstance(found, BadRecord):
            yield found
        else:
            yield record_from(_fields(_parsed(found.joined())), source, found.line)


@dataclass(slots=True)
class _Lines:
    """The lines of a record, by tags: each with those that go on with it."""

    line: int
    loose: bool = False
    tags: list[list[str]] = field(default_factory=list)
    size: int = 0

    def add(self, line: str) -> None:
        """Take a tag in, or what goes on with the last."""
        self.size += len(line) + 10
        if self.size > MAX_RECORD_CHARS:
            self.tags = []
            return
        tag = (_LOOSE_TAG if self.loose else _TAG).fullmatch(line)
        if tag:
            self.tags.append([f"{tag[1]}  - {(tag[2] or tag[3] or '').strip()}"])
        elif line.strip() and self.tags:
            self.tags[-1].append(line.strip())

    def joined(self) -> list[str]:
        """The tags, each on one line whatever it took in the file."""
        return [" ".join(lines) for lines in self.tags]


def _records(source: TextSource) -> Iterator[_Lines | BadRecord]:
    record: _Lines | None = None
    for number, read_line in source.lines():
        # Files that were put together have the mark of the byte order in the middle.
        line = read_line and read_line.removeprefix("\ufeff")
        begins = bool(line and _BEGINNING.match(line))
        if record and (begins or line is None):
            yield _whole(record, source)
            record = None
        if line is None:
            yield BadRecord(source.place(number), _TOO_LONG)
        elif begins:
            record = _Lines(number, loose=not _TAG.fullmatch(line))
            record.add(line)
        elif _END.fullmatch(line):
            if record:
                yield _whole(record, source)
            record = None
        elif record or _TAG.fullmatch(line):
            record = record or _Lines(number)
            record.add(line)
    if record:
        yield _whole(record, source)


def _whole(record: _Lines, source: TextSource) -> _Lines | BadRecord:
    if record.size > MAX_RECORD_CHARS:
        return BadRecord(source.place(record.line), _TOO_LONG)
    return record


def _parsed(lines: Sequence[str]) -> Mapping[str, list[str]]:
    """The values of a record by tag, in their order."""
    from rispy import RisParser  # type: ignore[import-untyped]
    from rispy.config import TAG_KEY_MAPPING  # type: ignore[import-untyped]

    tags = {line[:2] for line in lines} | set(TAG_KEY_MAPPING)
    parser = RisParser(
        mapping={tag: tag for tag in tags}, list_tags=list(tags), delimiter_tags_mapping={}
    )
    start = [] if lines[0].startswith("TY") else ["TY  - GEN"]
    [record] = parser.parse_lines(iter([*start, *lines, "ER  - "]))
    return {tag: value for tag, value in record.items() if isinstance(value, list)}


def _fields(values: Mapping[str, list[str]]) -> dict[str, object]:
    stated = " ".join(values.get("AN", []) + values.get("JO", []) + values.get("T2", []))
    preprint = _ARXIV.search(stated)
    return {
        "title": _first(values, _TITLES),
        "abstract": " ".join(dict.fromkeys(next(_held(values, _ABSTRACTS), []))),
        "authors": [_name(name) for name in next(_held(values, _AUTHORS), [])],
        "year": next((y for y in map(_year, _held(values, _YEARS)) if y), None),
        "venue": _first(values, _VENUES),
        "url": next((text for text in _each(values, _ADDRESSES) if "://" in text), None),
        "doi": next((text for text in _each(values, ("DO", "M3", "N1")) if "10." in text), None),
        "arxiv_id": preprint[0] if preprint else None,
    }


def _held(values: Mapping[str, list[str]], tags: Sequence[str]) -> Iterator[list[str]]:
    """What each of these tags holds, without the blank."""
    for tag in tags:
        held = [text for text in values.get(tag, []) if text.strip()]
        if held:
            yield held


def _each(values: Mapping[str, list[str]], tags: Sequence[str]) -> Iterator[str]:
    for held in _held(values, tags):
        yield from held


def _first(values: Mapping[str, list[str]], tags: Sequence[str]) -> str:
    return next(_each(values, tags), "")


def _year(dates: Sequence[str]) -> str | None:
    """The year of the first date that has one: ``2014//``, ``2005/07/15``."""
    return next((found[0] for found in map(re.compile(r"\d{4}").search, dates) if found), None)


def _name(name: str) -> Mapping[str, str]:
    """``Last, First, Suffix``; a name without commas stands as it is meant."""
    family, _, others = name.partition(",")
    given, _, suffix = others.partition(",")
    return {"given": given.strip(), "family": f"{family.strip()} {suffix.strip()}".strip()}


FORMAT = Format("RIS (records from TY to ER)", recognise, read)
