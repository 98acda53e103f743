"""JSON documents: an array of papers, an object that wraps one, or a single paper."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Mapping

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

# The usual names of the list in an object that wraps one, and of an object around that.
_LISTS = (
    "papers", "data", "results", "records", "items", "articles", "documents", "entries", "works",
    "recommended_papers",
)  # fmt: skip
_WRAPPERS = ("message", "response", "result", "data")
_NOT_LISTS = (*AUTHORS, "references", "citations")
MAX_DEPTH = 20
"""How many objects may stand one inside the other around a list of papers."""

# After a broken record reading goes on at an object that has one of these fields.
_SIGNS = frozenset((*TITLE, *ABSTRACT))
_BEGINNING = re.compile(r'\s*(?:\[\s*(?:[{\]]|null\b|$)|\{\s*(?:["}]|$))')

_Fields = Callable[[Mapping[str, object]], Mapping[str, object]]
_Items = Iterator[Record | BadRecord]
_Part = Generator[Record | BadRecord, None, bool]
"""The papers of a part of a document; True where reading can go on behind it."""


def recognise(head: str) -> bool:
    """Whether the text begins like an array of objects or like an object."""
    return _BEGINNING.match(head) is not None


def read(source: TextSource, fields: _Fields = lambda value: value) -> _Items:
    """The papers of a document, each with the line where it begins; several documents too.

    A broken record is reported with its line, and reading goes on at the next object that has a
    title or an abstract. ``fields`` gives an object's fields their usual names.
    """
    return _Document(source, fields).papers()


class _Document:
    """A text of JSON that is read from its beginning to its end."""

    def __init__(self, source: TextSource, fields: _Fields) -> None:
        self._source = source
        self._fields = fields
        self._stream = JsonStream(source.chunks())

    def papers(self) -> _Items:
        found = False
        while self._stream.peek():
            for item in self._next():
                found = True
                yield item
        if not found:
            yield self._bad("holds no object with a title and an abstract", None)

    def _next(self) -> _Part:
        if self._stream.take("["):
            return (yield from self._array())
        if self._stream.peek() != "{" or self._is_paper(self._stream.look()):
            return (yield from self._item())
        return (yield from self._object())

    def _array(self, *, may_end: bool = False) -> _Part:
        """The papers up to the end of a list that has begun. A missing comma is let pass.

        That the text ends before the list is said once: not if it was said of the last value.
        """
        while not self._stream.take("]"):
            if not self._stream.peek():
                if not may_end:
                    reason = "the list does not end, or what follows is unreadable"
                    yield self._bad(reason, self._stream.line)
                return False
            if not (yield from self._item()):
                return False
            self._stream.take(",")
        return True

    def _object(self, depth: int = 0) -> _Part:
        """The papers in an object: those of its lists and objects, or the paper that it is."""
        line, holds_more = self._stream.line, False
        known: dict[str, object] = {}
        self._stream.take("{")
        try:
            while not self._stream.take("}"):
                name = self._stream.name()
                part = self._inside(name, depth)
                if part is None:
                    known[name] = self._stream.value()
                else:
                    holds_more = True
                    if not (yield from part):
                        return False
                self._stream.take(",")
        except BrokenJsonError as error:
            yield self._bad(error.said_at(line), line)
            while self._stream.skip_to_object(_SIGNS):
                yield from self._array(may_end=True)
            return False
        named = self._fields(known)
        if has_paper_fields(named, both=False) and not holds_more:
            yield record_from(named, self._source, line)
        return True

    def _inside(self, name: str, depth: int) -> _Part | None:
        """The papers in the value that comes next in an object; None if it is not for papers."""
        beginning = self._stream.peek()
        if beginning == "[" and self._is_list_of_papers(name):
            self._stream.take("[")
            return self._array()
        if beginning == "{" and depth < MAX_DEPTH:
            if field_name(name) in _WRAPPERS:
                return self._object(depth + 1)
            if self._is_paper(self._stream.look()):
                return self._item()
        return None

    def _is_list_of_papers(self, name: str) -> bool:
        if field_name(name) in _NOT_LISTS:
            return False
        return field_name(name) in _LISTS or self._is_paper(self._stream.look_into_list())

    def _is_paper(self, value: object) -> bool:
        return isinstance(value, dict) and has_paper_fields(self._fields(value), both=True)

    def _item(self) -> _Part:
        """One value of a list: a paper, or why it is none."""
        line = self._stream.line
        try:
            value = self._stream.value()
        except BrokenJsonError as error:
            yield self._bad(error.said_at(line), line)
            return self._stream.skip_to_object(_SIGNS) or self._stream.gave_up
        if isinstance(value, dict):
            yield record_from(self._fields(value), self._source, line)
        else:
            reason = f"a JSON {kind_of(value)}, expected an object with title and abstract"
            yield self._bad(reason, line)
        return True

    def _bad(self, reason: str, line: int | None) -> BadRecord:
        return BadRecord(self._source.place(line), reason)


FORMAT = Format("JSON (an array of objects with title and abstract)", recognise, read)
