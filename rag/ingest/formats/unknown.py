"""What is said of a text that no format recognises: what it looks like, and what is missing."""

from __future__ import annotations

import csv
from collections import deque
from itertools import islice

from rag.errors import FileError
from rag.ingest.formats import plain_text
from rag.ingest.formats.delimited import DELIMITERS
from rag.ingest.formats.xml_stream import elements, root_name

_MAX_NAME_CHARS = 60
_MAX_COLUMNS_CHARS = 200


def unknown(head: str) -> str:
    """Why a text that begins like this is not read, in words that follow the name of its file."""
    if refusal := _refused(head):
        return f"is {refusal}"
    return f"is in no format that is read{_lacks(head)}; see README, 'What it reads'"


def _refused(head: str) -> str | None:
    """Why XML is refused whatever it holds: for declarations of its own."""
    root, begin = root_name(head), head.find("<!DOCTYPE")
    end = head.find("[", begin)
    if root is None or begin < 0 or end < 0 or ">" in head[begin:end]:
        return None
    try:
        deque(elements([head[begin : end + 1]], frozenset((root,))), maxlen=0)
    except FileError as error:
        return str(error)
    return None


def _lacks(head: str) -> str:
    """What plain text or a table that it looks like lacks; empty if it looks like neither."""
    if plain_text.has_title(head):
        least = f"{plain_text.MIN_ABSTRACT_CHARS} characters or more in sentences"
        return f": plain text needs a title, an empty line, and {least}"
    if columns := ", ".join(_columns(head))[:_MAX_COLUMNS_CHARS]:
        return f": it needs a column named title and one named abstract, and has {columns}"
    return ""


def _columns(head: str) -> list[str]:
    """The columns that the first line names, if the next one has as many; else none."""
    lines = list(islice((line for line in head.split("\n") if line.strip()), 2))
    for delimiter in DELIMITERS:
        try:
            names, *rows = csv.reader(lines, delimiter=delimiter, strict=True)
        except (csv.Error, ValueError):
            continue
        names = [" ".join(name.split()) for name in names]
        alike = len(rows) == 1 and len(rows[0]) == len(names) > 1
        if alike and all(0 < len(name) <= _MAX_NAME_CHARS for name in names):
            return names
    return []
