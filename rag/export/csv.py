"""Papers as CSV, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator

from rag.export.bibliography import web_address
from rag.export.format import Format
from rag.schema import Paper

HEADER = (
    *("id", "title", "abstract", "authors", "year", "venue", "doi", "arxiv_id", "url"),
    "sources",
)
# What a spreadsheet takes for a formula, which may send the sheet elsewhere or run a program.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def write(papers: Iterable[Paper]) -> Iterator[str]:
    """A header, then one row for each paper, in order; UTF-8 without a mark, every cell quoted.

    Authors and sources are parted by semicolons. A cell that a spreadsheet would take for a
    formula (it begins with ``= + - @`` or a tab) gets an apostrophe before it, as
    https://owasp.org/www-community/attacks/CSV_Injection advises; so does one that begins with
    apostrophes before such a sign. Taking one of these away gives the text back.
    """
    yield _row(HEADER)
    for paper in papers:
        yield _row(
            (
                paper.id,
                paper.title,
                paper.abstract,
                _listed(paper.authors),
                str(paper.year or ""),
                paper.venue or "",
                paper.doi or "",
                paper.arxiv_id or "",
                web_address(paper) or "",
                _listed(paper.sources),
            )
        )


def _listed(items: tuple[str, ...]) -> str:
    """Items parted by semicolons; one that could be taken for several has one behind it."""
    parts = [item.replace(";", ",") for item in items]
    several = len(parts) == 1 and re.search(r",|&|\band\b", parts[0], re.IGNORECASE)
    return parts[0] + ";" if several else "; ".join(parts)


def _row(cells: Iterable[str]) -> str:
    row = io.StringIO()
    csv.writer(row, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(map(_safe, cells))
    return row.getvalue()


def _safe(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell


FORMAT = Format("csv", "CSV", "text/csv; charset=utf-8", "csv", write)
