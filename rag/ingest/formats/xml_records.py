"""Records out of the elements of an XML file, for every format that has one element a paper."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from xml.etree.ElementTree import Element

from rag.ingest.formats.fields import record_from
from rag.ingest.formats.xml_stream import Damage, elements
from rag.ingest.text import TextSource
from rag.schema import BadRecord, Record


def records(
    source: TextSource,
    names: frozenset[str],
    skipped: frozenset[str],
    fields: Callable[[Element], Mapping[str, object]],
    *,
    nothing: str,
) -> Iterator[Record | BadRecord]:
    """A record for each element of these names, with the line where it begins.

    Args:
        source: The file.
        names: The elements, without prefixes.
        skipped: Elements inside these that are left out.
        fields: What an element holds, under the names that `record_from` knows.
        nothing: The report on a file without any such element.

    Raises:
        FileError: See `rag.ingest.formats.xml_stream.elements`.
    """
    empty = True
    for found in elements(source.chunks(), names, skipped):
        empty = False
        if isinstance(found, Damage):
            yield BadRecord(source.place(found.line), found.reason)
        else:
            yield record_from(fields(found.element), source, found.line)
    if empty:
        yield BadRecord(source.place(), nothing)
