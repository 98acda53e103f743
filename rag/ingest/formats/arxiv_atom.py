"""The Atom feeds that arXiv's API answers with: saved ones, and as they arrive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from xml.etree.ElementTree import Element

from rag.ingest.formats.fields import record_from
from rag.ingest.formats.format import Format
from rag.ingest.formats.identifiers import arxiv_id_in_url
from rag.ingest.formats.xml_stream import Damage, elements, root_name
from rag.ingest.formats.xml_text import inline_text
from rag.ingest.text import TextSource
from rag.schema import BadRecord, Record

_NAMES = frozenset(("entry", "totalResults"))


@dataclass(frozen=True, slots=True)
class Total:
    """How many papers match a query, of which a feed holds a part; 1 where it holds an error."""

    results: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """What arXiv says is wrong with a query, in place of an entry; ``line`` is from 1."""

    line: int
    reason: str


Item = Total | Refusal | Damage | Record | BadRecord
"""What a feed holds: a `BadRecord` is an entry without title or abstract."""


def recognise(head: str) -> bool:
    """Whether it is an Atom feed, or an entry of one, that names arXiv."""
    return root_name(head) in ("feed", "entry") and "arxiv.org/" in head


def read(source: TextSource) -> Iterator[Record | BadRecord]:
    """The entries of a saved feed, each with the line where it begins.

    Raises:
        FileError: See `rag.ingest.formats.xml_stream.elements`.
    """
    empty = True
    for item in _items(source.chunks(), source):
        if isinstance(item, Total):
            continue
        empty = False
        if isinstance(item, Refusal):
            yield BadRecord(source.place(item.line), f"arXiv says: {item.reason}")
        elif isinstance(item, Damage):
            yield BadRecord(source.place(item.line), item.reason)
        else:
            yield item
    if empty:
        yield BadRecord(source.place(), "the feed holds no entries: arXiv found nothing")


def entries(chunks: Iterable[str], name: str) -> Iterator[Item]:
    """What a feed holds, in its order, as it arrives: its total, then its entries.

    A `Damage` says that it is not whole, or no XML: then there may be more entries than came.

    Args:
        chunks: The decoded text in pieces of any size.
        name: The source of the records, and the file in their places.

    Raises:
        FileError: See `rag.ingest.formats.xml_stream.elements`.
    """
    return _items(chunks, TextSource(BytesIO, name, "utf-8", gzipped=False, head=""))


def _items(chunks: Iterable[str], source: TextSource) -> Iterator[Item]:
    for found in elements(chunks, _NAMES):
        if isinstance(found, Damage):
            yield found
        elif found.element.tag == "entry":
            yield _entry(found.element, source, found.line)
        elif (number := inline_text(found.element)).isdecimal():
            yield Total(int(number))


def _entry(entry: Element, source: TextSource, line: int) -> Refusal | Record | BadRecord:
    title = "".join(_texts(entry, "title"))
    abstract = "".join(_texts(entry, "summary"))
    address = inline_text(entry.find("id"))
    links = {link.get("rel"): link.get("href") for link in entry.findall("link")}
    if "/api/errors" in address or (title.strip() == "Error" and not arxiv_id_in_url(address)):
        reason = " ".join(abstract.split()) or "there was an error, but not which"
        return Refusal(line, reason)
    fields = {
        "title": title,
        "abstract": abstract,
        # In parts, so that a comma in the name of a collaboration stays where it is.
        "authors": [{"family": inline_text(name)} for name in entry.findall("author/name")],
        "year": inline_text(entry.find("published")),
        "venue": inline_text(entry.find("journal_ref")),
        # Of several DOIs in one field the first.
        "doi": inline_text(entry.find("doi")).partition(" ")[0],
        "arxiv_id": address,
        "url": links.get("alternate") or address,
    }
    return record_from(fields, source, line)


def _texts(entry: Element, name: str) -> Iterator[str]:
    """The text of a field as it stands: abstracts keep their lines and their LaTeX."""
    found = entry.find(name)
    return iter(()) if found is None else found.itertext()


FORMAT = Format("an Atom feed of arXiv's API", recognise, read)
