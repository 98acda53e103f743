"""JSON documents: an array of papers, an object that wraps one, or a single paper."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator

from rag.ingest.formats.fields import (
    ABSTRACT,
    AUTHORS,
    TITLE,
    field_name,
    has_paper_fields,
    record_from,
)
from rag.ingest.formats.format import Format
from rag.ingest.formats.json_stream import BrokenJsonError, JsonStream, kind_of
from rag.ingest.text import TextSource
from rag.schema import BadRecord, Record

# The usual names of the list in an object that wraps one.
_LISTS = ("papers", "data", "results", "records", "items", "articles", "documents", "entries")
_NOT_LISTS = (*AUTHORS, "references", "citations")
# After a broken record reading goes on at an object that has one of these fields.
_SIGNS = frozenset((*TITLE, *ABSTRACT))
_BEGINNING = re.compile(r'\s*(?:\[\s*(?:[{\]]|null\b|$)|\{\s*(?:["}]|$))')

_Items = Iterator[Record | BadRecord]
_Part = Generator[Record | BadRecord, None, bool]
"""The papers of a part of a document; True where reading can go on behind it."""


def recognise(head: str) -> bool:
    """Whether the text begins like an array of objects or like an object."""
    return _BEGINNING.match(head) is not None


def read(source: TextSource) -> _Items:
    """The papers of a document, each with the line where it begins; several documents too.

    A broken record is reported with its line, and reading goes on at the next object that has a
    title or an abstract.
    """
    stream = JsonStream(source.chunks())
    found = False
    while stream.peek():
        for item in _document(stream, source):
            found = True
            yield item
    if not found:
        yield BadRecord(source.place(), "holds no object with a title and an abstract")


def _document(stream: JsonStream, source: TextSource) -> _Items:
    if stream.take("["):
        yield from _array(stream, source)
    elif stream.peek() != "{" or _is_paper(stream.look()):
        yield from _item(stream, source)
    else:
        stream.take("{")
        yield from _object(stream, source)


def _array(stream: JsonStream, source: TextSource, *, may_end: bool = False) -> _Part:
    """The papers up to the end of a list that has begun. A missing comma is let pass.

    That the text ends before the list is said once: not if it was said of the last value.
    """
    while not stream.take("]"):
        if not stream.peek():
            if not may_end:
                yield BadRecord(
                    source.place(stream.line),
                    "the list does not end, or what follows is unreadable",
                )
            return False
        if not (yield from _item(stream, source)):
            return False
        stream.take(",")
    return True


def _object(stream: JsonStream, source: TextSource) -> _Items:
    """The papers of the lists in an object that has begun, or the paper that it is."""
    line, lists = stream.line, 0
    fields: dict[str, object] = {}
    try:
        while not stream.take("}"):
            name = stream.name()
            if _holds_papers(name, stream):
                lists += 1
                stream.take("[")
                if not (yield from _array(stream, source)):
                    return
            else:
                fields[name] = stream.value()
            stream.take(",")
    except BrokenJsonError as error:
        yield BadRecord(source.place(line), error.said_at(line))
        while stream.skip_to_object(_SIGNS):
            yield from _array(stream, source, may_end=True)
        return
    if has_paper_fields(fields, both=False) and not lists:
        yield record_from(fields, source, line)


def _holds_papers(name: str, stream: JsonStream) -> bool:
    """Whether the value that comes next in an object is its list of papers."""
    if stream.peek() != "[" or field_name(name) in _NOT_LISTS:
        return False
    if field_name(name) in _LISTS:
        return True
    return _is_paper(stream.look_into_list())


def _is_paper(value: object) -> bool:
    return isinstance(value, dict) and has_paper_fields(map(str, value), both=True)


def _item(stream: JsonStream, source: TextSource) -> _Part:
    """One value of a list: a paper, or why it is none."""
    line = stream.line
    try:
        value = stream.value()
    except BrokenJsonError as error:
        yield BadRecord(source.place(line), error.said_at(line))
        return stream.skip_to_object(_SIGNS) or stream.gave_up
    if isinstance(value, dict):
        yield record_from(value, source, line)
    else:
        reason = f"a JSON {kind_of(value)}, expected an object with title and abstract"
        yield BadRecord(source.place(line), reason)
    return True


FORMAT = Format("JSON (an array of objects with title and abstract)", recognise, read)
