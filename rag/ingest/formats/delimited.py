"""CSV and TSV with a header that names a column for the title and one for the abstract.

A table that Footnoted wrote is known by its header, and read back as it was before it was written.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator

from rag.ingest.formats.fields import has_paper_fields, record_from
from rag.ingest.formats.format import Format
from rag.ingest.text import MAX_LINE_CHARS, TextSource
from rag.schema import BadRecord, Record

OWN_HEADER = (
    *("id", "title", "abstract", "authors", "year", "venue", "doi", "arxiv_id", "url"),
    "sources",
)
"""The columns of a table that `rag.export` writes."""

# What a spreadsheet takes for a formula, which may send the sheet elsewhere or run a program.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")

DELIMITERS = (",", "\t", ";", "|")
MAX_ROW_CHARS = 1_000_000
"""A quoted field that is still open after so much text was never meant to go on."""

# The module's limit is one for the whole process; its 131,072 would refuse long rows.
csv.field_size_limit(max(csv.field_size_limit(), MAX_ROW_CHARS + MAX_LINE_CHARS))


def recognise(head: str) -> bool:
    """Whether the first line is a header with a title and an abstract, by any delimiter."""
    return _delimiter(_first_line(head)) is not None


def read(source: TextSource) -> Iterator[Record | BadRecord]:
    """The rows as records, each with the line where it begins.

    A row whose quotation marks do not match is read without them if the number of its fields is
    right then; if not, its first line is reported, and reading goes on at the next.
    """
    delimiter = _delimiter(_first_line(source.head)) or ","
    header: list[str] | None = None
    for line, row in _Rows(source, delimiter):
        if isinstance(row, BadRecord):
            yield row
        elif header is None:
            header = row
        elif len(row) > len(header) and any(field.strip() for field in row[len(header) :]):
            reason = f"{len(row)} fields, but the header names {len(header)}: quote the fields"
            yield BadRecord(source.place(line), reason)
        elif any(field.strip() for field in row):
            yield record_from(_fields(header, row), source, line)


def guarded(cell: str) -> str:
    """The cell with an apostrophe before it where a spreadsheet would take it for a formula.

    Such a cell begins with ``= + - @``, a tab or a carriage return; see
    https://owasp.org/www-community/attacks/CSV_Injection. One that begins with apostrophes before
    such a sign gets another, so that `unguarded` gives every text back.
    """
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """A cell as it was before `guarded`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _fields(header: list[str], row: list[str]) -> dict[str, object]:
    if header != [*OWN_HEADER]:
        return dict(zip(header, row, strict=False))
    fields: dict[str, object] = dict(zip(header, map(unguarded, row), strict=False))
    names = str(fields.get("authors", "")).split(";")
    return fields | {"authors": [{"literal": name} for name in names]}


class _Rows:
    """The rows of a file with the line where each begins; a `BadRecord` for one that fails."""

    def __init__(self, source: TextSource, delimiter: str) -> None:
        self._source = source
        self._delimiter = delimiter
        self._lines = source.lines()
        self._waiting: deque[tuple[int, str | None]] = deque()
        self._width = 0

    def __iter__(self) -> Iterator[tuple[int, list[str] | BadRecord]]:
        while (first := self._next_line()) is not None:
            number, line = first
            if line is None:
                reason = f"a line of more than {MAX_LINE_CHARS:,} characters"
                yield number, BadRecord(self._source.place(number), reason)
            elif line.strip():
                row = self._row(number, line)
                self._width = self._width or (len(row) if isinstance(row, list) else 0)
                yield number, row

    def _next_line(self) -> tuple[int, str | None] | None:
        return self._waiting.popleft() if self._waiting else next(self._lines, None)

    def _row(self, number: int, line: str) -> list[str] | BadRecord:
        """The row that begins with this line and goes on where a quoted field does."""
        used: list[tuple[int, str | None]] = []
        try:
            return next(csv.reader(self._feed(line, used), delimiter=self._delimiter, strict=True))
        except csv.Error as error:
            self._waiting.extendleft(reversed(used))
            return self._without_quotes(line) or BadRecord(
                self._source.place(number),
                f"a row that cannot be read: {error}; check its quotation marks",
            )

    def _feed(self, line: str, used: list[tuple[int, str | None]]) -> Iterator[str]:
        yield f"{line}\n"
        size = len(line)
        while (following := self._next_line()) is not None:
            used.append(following)
            size += len(following[1] or "")
            if following[1] is None or size > MAX_ROW_CHARS:
                raise csv.Error("a quoted field does not end")
            yield f"{following[1]}\n"

    def _without_quotes(self, line: str) -> list[str] | None:
        """The fields of a single line when that gives as many as the header has."""
        for quoting in (csv.QUOTE_NONE, csv.QUOTE_MINIMAL):
            try:
                row = next(csv.reader([line], delimiter=self._delimiter, quoting=quoting))
            except csv.Error:
                continue
            if len(row) == self._width:
                return row
        return None


def _first_line(text: str) -> str:
    return next((line for line in text.split("\n") if line.strip()), "")


def _delimiter(line: str) -> str | None:
    """The delimiter by which a header names both a title and an abstract."""
    for delimiter in DELIMITERS:
        try:
            header = next(csv.reader([line], delimiter=delimiter), [])
        except csv.Error:
            continue
        if has_paper_fields(header, both=True):
            return delimiter
    return None


FORMAT = Format("CSV or TSV (a header with title and abstract)", recognise, read)
