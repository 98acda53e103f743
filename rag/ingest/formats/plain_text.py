"""Plain text: a title, an empty line, an abstract; and so on.

Papers are separated by a line of three or more hyphens (or equals signs, asterisks, underscores)
or by two or more empty lines. An abstract may have several paragraphs. Without separators a short
paragraph that ends no sentence, between two long ones, is the title of the next paper, unless it
is a heading ("Methods"). ``Title:``, ``Authors:``, ``Year:``, ``Venue:``, ``DOI:``, ``arXiv:``,
``URL:`` and ``Abstract:`` may stand before what they name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rag.ingest.formats.fields import MAX_ABSTRACT_CHARS, record_from
from rag.ingest.formats.format import Format
from rag.ingest.text import TextSource
from rag.schema import BadRecord, Record

MAX_TITLE_CHARS = 300
MAX_TITLE_LINES = 3
MIN_ABSTRACT_CHARS = 100
"""How long the first paragraph of an abstract is at least; a shorter text may be anything."""

LONG_CHARS = 300
"""A paragraph this long is prose even where its sentence goes on."""

MAX_SECTION_CHARS = 4 * MAX_ABSTRACT_CHARS
"""A text without separators that is longer was never meant as abstracts."""

_Paragraph = tuple[int, list[str]]
"""The number of its first line (from 1), and its lines."""

_SEPARATOR = re.compile(r"\s*(?:-{3,}|={3,}|\*{3,}|_{3,})\s*")
_LABELLED = re.compile(
    r"(title|authors?|year|date|venue|journal|doi|arxiv|url|abstract)\s*:\s*(.*)", re.IGNORECASE
)
# What a title does not begin with, and names of files that are no papers.
_NO_TITLE = re.compile(
    r"[@<{\[%#\\|>*+-]|[A-Z][A-Z0-9]{1,3}\s{1,3}-\s|(?:readme|licen[cs]e|changelog|change log"
    r"|contributing|notice|table of contents|contents|abstract)\b\W*$|copyright\b|.*\blicen[cs]e\b",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"(?:\d\.?\s*)?(?:abstract|summary|background|introduction|motivation|objectives?|aims?"
    r"|purpose|materials?|methods?|methodology|design|setting|participants|interventions?"
    r"|measurements|main outcome measures|results?|findings|discussion|limitations"
    r"|conclusions?|interpretation|significance|implications|availability|funding|keywords"
    r"|and|[&,/ ])+:?",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?…][\"'”’)\]]*$")


def recognise(head: str) -> bool:
    """Whether the text begins with a title, an empty line, and an abstract in sentences."""
    lines = enumerate(head.split("\n"), 1)
    section = next(_sections(lines), None)
    if not isinstance(section, list):
        return False
    fields, rest = _header(section)
    return "title" in fields and bool(rest) and _is_prose(rest[0][1])


def has_title(head: str) -> bool:
    """Whether the text begins with a title and an empty line, and more words follow."""
    section = next(_sections(enumerate(head.split("\n"), 1)), None)
    if not isinstance(section, list):
        return False
    fields, rest = _header(section)
    return "title" in fields and bool(rest) and any(map(str.isalpha, " ".join(rest[0][1])))


def read(source: TextSource) -> Iterator[Record | BadRecord]:
    """A record for each paper, with the line where its title stands."""
    for section in _sections(source.lines()):
        if isinstance(section, int):
            reason = f"more than {MAX_SECTION_CHARS:,} characters without a line of --- between"
            yield BadRecord(source.place(section), reason)
        else:
            for paper in _papers(section):
                yield _record(paper, source)


def _record(paper: list[_Paragraph], source: TextSource) -> Record | BadRecord:
    fields, rest = _header(paper)
    if "abstract" not in fields:
        fields["abstract"] = "\n\n".join("\n".join(lines) for _, lines in rest)
    elif rest:
        fields["abstract"] += "\n\n" + "\n\n".join("\n".join(lines) for _, lines in rest)
    return record_from(fields, source, paper[0][0])


def _sections(lines: Iterator[tuple[int, str | None]]) -> Iterator[list[_Paragraph] | int]:
    """The paragraphs between separators; the line of a section that is too long in its place."""
    section: list[_Paragraph] = []
    size, first = 0, 1
    gap = after_empty = True  # whether a paragraph begins; whether an empty line is a second one
    for number, line in lines:
        size += MAX_SECTION_CHARS + 1 if line is None else len(line)
        line = "x" if line is None else line.strip()
        separates = _SEPARATOR.fullmatch(line[:200]) is not None
        if separates and not gap and [len(lines) for _, lines in section] == [1]:
            gap = True  # a title with a line under it
            continue
        if separates or (not line and after_empty):
            if size > MAX_SECTION_CHARS:
                yield first
            elif section:
                yield section
            section, size, gap = [], 0, True
        elif not line:
            gap = True
        elif size <= MAX_SECTION_CHARS:
            first = first if section else number
            if gap:
                section.append((number, []))
            section[-1][1].append(line)
            gap = False
        else:
            first = section[0][0] if section else number
            gap = False
        after_empty = not line
    if size > MAX_SECTION_CHARS:
        yield first
    elif section:
        yield section


def _papers(section: list[_Paragraph]) -> Iterator[list[_Paragraph]]:
    """The papers of a section: more than one where titles stand between long paragraphs."""
    paper: list[_Paragraph] = []
    for place, (number, lines) in enumerate(section):
        following = section[place + 1][1] if place + 1 < len(section) else []
        between = bool(paper) and _is_prose(paper[-1][1]) and _is_prose(following)
        if between and _is_title(lines):
            yield paper
            paper = []
        paper.append((number, lines))
    yield paper


def _header(paper: list[_Paragraph]) -> tuple[dict[str, str], list[_Paragraph]]:
    """The title and what is labelled, and the paragraphs after them: the abstract."""
    fields: dict[str, str] = {}
    for place, (number, lines) in enumerate(paper):
        for at, line in enumerate(lines):
            label = _LABELLED.fullmatch(line)
            if label and label[1].lower() == "abstract":
                lines = [label[2], *lines[at + 1 :]] if label[2] else lines[at + 1 :]
                return fields, [*([(number + at, lines)] if lines else []), *paper[place + 1 :]]
            if label:
                fields.setdefault(label[1].lower(), label[2])
            elif place == 0 and not at and _is_title(_unlabelled(lines)):
                fields["title"] = " ".join(_unlabelled(lines))
            elif place or "title" not in fields:
                starts = 1 if line.lower().rstrip(":") == "abstract" else 0
                kept = (
                    [(number + at + starts, lines[at + starts :])] if lines[at + starts :] else []
                )
                return fields, [*kept, *paper[place + 1 :]]
    return fields, []


def _unlabelled(lines: Sequence[str]) -> list[str]:
    """The lines before the first that is labelled."""
    found = next((at for at, line in enumerate(lines) if _LABELLED.fullmatch(line)), len(lines))
    return list(lines[:found])


def _is_title(lines: Sequence[str]) -> bool:
    text = " ".join(lines)
    return (
        0 < len(lines) <= MAX_TITLE_LINES
        and len(text) <= MAX_TITLE_CHARS
        and not text.endswith((".", ",", ";", ":"))
        and not _NO_TITLE.match(text)
        and not _HEADING.fullmatch(text)
        and any(letter.isalpha() for letter in text)
    )


def _is_prose(lines: Sequence[str]) -> bool:
    text = " ".join(lines)
    ends = _SENTENCE_END.search(text) is not None
    return len(text) >= (MIN_ABSTRACT_CHARS if ends else LONG_CHARS) and text.count(" ") > 10


FORMAT = Format("plain text (title, empty line, abstract)", recognise, read)
