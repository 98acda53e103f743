"""Papers as CSV, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator

from rag.export.bibliography import web_address
from rag.export.format import Format
from rag.ingest.formats.delimited import OWN_HEADER, guarded
from rag.schema import Paper


def write(papers: Iterable[Paper]) -> Iterator[str]:
    """A header, then one row for each paper, in order; UTF-8 without a mark, every cell quoted.

    Authors and sources are parted by semicolons. A cell that a spreadsheet would take for a
    formula is `guarded`.
    """
    yield _row(OWN_HEADER)
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
    csv.writer(row, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(map(guarded, cells))
    return row.getvalue()


FORMAT = Format("csv", "CSV", "text/csv; charset=utf-8", "csv", write)
