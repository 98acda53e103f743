"""Formats whose papers are JSON objects: in a list, wrapped, alone, or one a line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from rag.ingest.formats import json_array, json_lines
from rag.ingest.formats.format import Format
from rag.ingest.text import TextSource
from rag.schema import BadRecord, Record

Fields = Callable[[Mapping[str, object]], Mapping[str, object]]
"""From an object as a source lays it out to the fields that `record_from` knows.

What an object does not have is left out: `with_values`. It never raises.
"""


def json_format(name: str, signs: str, fields: Fields) -> Format:
    """A format of JSON that only differs in what its objects are like.

    Args:
        name: As people call it.
        signs: A regular expression that is found in the beginning of such files only.
        fields: See `Fields`.
    """
    sign = re.compile(signs)

    def recognise(head: str) -> bool:
        is_json = json_array.recognise(head) or json_lines.recognise(head)
        return is_json and sign.search(head) is not None

    def read(source: TextSource) -> Iterator[Record | BadRecord]:
        if json_lines.recognise(source.head):
            return json_lines.read(source, fields)
        return json_array.read(source, fields)

    return Format(name, recognise, read)


def with_values(**fields: object) -> Mapping[str, object]:
    """Those of the fields that have a value."""
    return {name: value for name, value in fields.items() if value not in (None, "", [])}


def names(*keys: str) -> str:
    """A regular expression for any of these as the name of a field."""
    return rf'(?<!\\)"(?:{"|".join(keys)})"\s*:'


def at(value: object, *path: str) -> object:
    """What stands under these names, one inside the other; None where there is nothing."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def mappings(value: object) -> Iterator[Mapping[str, object]]:
    """The objects of a list; none of anything else."""
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, Mapping))


def texts(*values: object) -> list[str]:
    """Those of the values that are text and not blank; the first such of each list."""
    found = []
    for value in values:
        held = value if isinstance(value, list) else [value]
        found += [item for item in held if isinstance(item, str) and item.strip()][:1]
    return found
