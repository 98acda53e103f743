"""An answer of the arXiv API: one page of its Atom feed, whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass

from rag.errors import FileError, RefusedError
from rag.fetch.http import UnusableError
from rag.ingest.formats import arxiv_atom
from rag.ingest.formats.arxiv_atom import Refusal, Total
from rag.ingest.formats.xml_stream import Damage
from rag.models.remote import one_line, quoted, server_message
from rag.schema import BadRecord, Place, Record

SOURCE = "arxiv.org"
"""What papers from arXiv have as their source, whatever query found them."""

MANUAL = "https://info.arxiv.org/help/api/user-manual.html"


@dataclass(frozen=True, slots=True)
class Feed:
    """A page: its entries as papers, and how many papers the query has in all."""

    items: tuple[Record | BadRecord, ...]
    total: int


def read_feed(body: bytes) -> Feed:
    """The papers of a page.

    Raises:
        UnusableError: it is no feed, or not a whole one.
        RefusedError: it is a feed that says what is wrong with the query.
    """
    text = body.decode("utf-8", "replace")
    if not arxiv_atom.recognise(text):
        said = server_message(text)  # "Rate exceeded." comes with status 200 now and then
        raise UnusableError(f"no Atom feed{quoted(said, None)}")
    total: int | None = None
    items: list[Record | BadRecord] = []
    try:
        for item in arxiv_atom.entries([text], SOURCE):
            match item:
                case Total():
                    total = item.results
                case Refusal():
                    said = one_line(item.reason, None)
                    raise RefusedError(f"arXiv says: {said} (how to write a query: {MANUAL})")
                case Damage():
                    raise UnusableError(f"a damaged feed: {item.reason}")
                case BadRecord():  # a line of a page that nobody has says nothing
                    items.append(BadRecord(Place(SOURCE), item.reason))
                case Record():
                    items.append(item)
    except FileError as error:
        raise UnusableError(f"a damaged feed: {error}") from error
    if total is None:
        raise UnusableError("a feed that does not say how many papers there are")
    return Feed(tuple(items), total)
