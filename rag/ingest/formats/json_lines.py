"""JSON lines: one object a line, with the fields under their usual names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

from rag.ingest.formats.fields import record_from
from rag.ingest.formats.format import Format
from rag.ingest.formats.json_stream import kind_of
from rag.ingest.text import MAX_LINE_CHARS, TextSource
from rag.schema import BadRecord, Record

_Fields = Callable[[Mapping[str, object]], Mapping[str, object]]


def recognise(head: str) -> bool:
    """Whether one of the first two lines is an object, and there is more than one line."""
    lines = [line for line in head.lstrip().split("\n", 10)[:10] if line.strip()]
    if len(lines) < 2 or not lines[0].startswith("{"):
        return False
    return _is_object(lines[1]) or (_is_object(lines[0]) and lines[1].lstrip().startswith("{"))


def read(source: TextSource, fields: _Fields | None = None) -> Iterator[Record | BadRecord]:
    """Every line that is not blank is a record, line by line in bounded memory.

    ``fields`` gives an object's fields their usual names.
    """
    for number, line in source.lines():
        if line is None:
            reason = f"a line of more than {MAX_LINE_CHARS:,} characters: is it one JSON array?"
            yield BadRecord(source.place(number), reason)
        elif line.strip():
            yield _record(line, source, number, fields)


def _record(
    line: str, source: TextSource, number: int, fields: _Fields | None
) -> Record | BadRecord:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        reason = f"not valid JSON: {error.msg.removesuffix(' at')} at column {error.colno}"
        return BadRecord(source.place(number), reason)
    except (ValueError, RecursionError) as error:
        return BadRecord(source.place(number), f"not valid JSON: {error}")
    if not isinstance(value, dict):
        reason = f"a JSON {kind_of(value)}, expected an object with title and abstract"
        return BadRecord(source.place(number), reason)
    return record_from(fields(value) if fields else value, source, number)


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


FORMAT = Format("JSON lines (an object with title and abstract a line)", recognise, read)
