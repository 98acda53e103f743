"""Hugging Face Daily Papers pages saved as text: titles and abstracts in turn, and page chrome."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from rag.ingest.formats.fields import checked
from rag.ingest.formats.format import Format
from rag.ingest.text import MAX_LINE_CHARS, TextSource
from rag.schema import BadRecord, Record

LONG_CHARS = 300
"""A longer paragraph is an abstract; titles go up to about 150 characters."""

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]*\.?"
# What the page says around its papers; compared with a whole paragraph.
_COUNTED = (
    r"upvotes?|comments?|replies|authors?|stars?|likes?|views?|models?|datasets?|spaces?"
    r"|collections?|days?\ ago|hours?\ ago"
)
# What the page says around its papers; compared with a whole paragraph.
_CHROME = re.compile(
    rf"""
      new | subscribe | daily\ papers | trending\ papers | papers | hugging\ face | models
    | datasets | spaces | buckets | docs | enterprise | pricing | community | posts | collections
    | log\ in | sign\ up | logout | inbox | settings | previous | next | today | yesterday | daily
    | weekly | monthly | view\ all.* | view\ (?:paper|pdf|arxiv\ page) | read\ more | show\ more
    | company | website | tos | terms(?:\ of\ service)? | privacy | about | careers | jobs
    | system\ theme | light | dark | search.{{0,60}} | upvotes? | comments?
    | github(?:\ repo)? | project(?:\ page)? | arxiv(?:\ page)? | pdf | ai\ summary | abstract
    | paper | get\ trending\ papers\ in\ your\ email\ inbox!?
    | by\ ?(?:@?ak|_?akhaliq)(?:\ and\ the\ (?:research\ )?community)?.{{0,20}}
    | submitted\ by(?:\ \S+(?:\ \S+)?)? | published\ on\ .{{1,40}} | uploaded\ by.{{0,40}}
    | (?:·|•|\+)?\s*[\d.,]+\s?[kKmM]?(?:\s*(?:{_COUNTED}))?
    | (?:upvotes?|github|comments?|stars?|⭐|★|▲|👍|❤️?|💬)\s*[·:]?\s*[\d.,]+\s?[kKmM]?
    | [\W_]+
    | (?:(?:mon|tues?|wed(?:nes)?|thur?s?|fri|sat(?:ur)?|sun)(?:day)?,?\ )?
        (?:{_MONTH}\ \d{{1,2}}|\d{{1,2}}\ {_MONTH})(?:st|nd|rd|th)?(?:,?\ \d{{4}})?
    | {_MONTH}\ \d{{4}} | \d{{4}}-\d\d-\d\d | week\ \d{{1,2}}(?:,?\ \d{{4}})?
    """,
    re.IGNORECASE | re.VERBOSE,
)
# One of these near the beginning says what the page is.
_SIGN = re.compile(
    r"get trending papers in your email inbox|daily papers|by ?@?_?ak(?:haliq)?(?: and the .*)?",
    re.IGNORECASE,
)
_SUBMITTED_BY = re.compile(r"submitted by|uploaded by", re.IGNORECASE)
_SIGN_LINES = 60


def recognise(head: str) -> bool:
    """Whether one of the first lines is one that only such a page has."""
    lines = filter(None, map(str.strip, head.split("\n")))
    return any(_SIGN.match(line) and is_chrome(line) for line in islice(lines, _SIGN_LINES))


def is_chrome(paragraph: str) -> bool:
    """Whether a paragraph belongs to the page and not to a paper: a date, a counter, a menu."""
    line = " ".join(paragraph[:LONG_CHARS].split())
    return len(paragraph) < LONG_CHARS and _CHROME.fullmatch(line) is not None


def read(source: TextSource) -> Iterator[Record | BadRecord]:
    """A record for each title with the abstract that follows it, with the line of the title."""
    title: tuple[int, str] | None = None
    for line, paragraph in _papers_only(source):
        if paragraph is None:
            reason = f"a paragraph of more than {MAX_LINE_CHARS:,} characters"
            yield BadRecord(source.place(line), reason)
        elif not _is_abstract(paragraph, after_title=title is not None):
            if title:
                yield checked(title[1], "", source, title[0])
            title = (line, paragraph)
        elif title:
            yield checked(title[1], paragraph, source, title[0])
            title = None
        else:
            yield checked("", paragraph, source, line)
    if title:
        yield checked(title[1], "", source, title[0])


def _is_abstract(paragraph: str, *, after_title: bool) -> bool:
    """Abstracts are long; after a title a shorter paragraph counts too if it ends a sentence."""
    if len(paragraph) > LONG_CHARS:
        return True
    return after_title and len(paragraph) >= LONG_CHARS / 3 and paragraph.endswith((".", ".)"))


def _papers_only(source: TextSource) -> Iterator[tuple[int, str | None]]:
    """Paragraphs with their first lines, without the page's own; None for one far too long."""
    name_follows = False
    for line, paragraph in _paragraphs(source):
        if paragraph is None:
            yield line, None
        elif name_follows and len(paragraph) <= 40 and " " not in paragraph:
            name_follows = False
        elif is_chrome(paragraph):
            name_follows = _SUBMITTED_BY.fullmatch(paragraph) is not None
        else:
            name_follows = False
            yield line, paragraph


def _paragraphs(source: TextSource) -> Iterator[tuple[int, str | None]]:
    """Blocks between empty lines.

    In a block that has a long line every line is a paragraph: the page was saved without empty
    lines between a title and its abstract.
    """
    block: list[tuple[int, str]] = []
    size = 0
    for number, line in source.lines():
        size += len(line or "")
        if line is None or size > MAX_LINE_CHARS:
            yield from _joined(block)
            yield number, None
            block, size = [], 0
        elif line.strip():
            block.append((number, line.strip()))
        else:
            yield from _joined(block)
            block, size = [], 0
    yield from _joined(block)


def _joined(block: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    if any(len(line) > LONG_CHARS for _, line in block):
        yield from block
    elif block:
        yield block[0][0], "\n".join(line for _, line in block)


FORMAT = Format("a saved page of Hugging Face Daily Papers (text)", recognise, read)
