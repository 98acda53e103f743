"""From the fields of a record, under their usual names, to a `Record`.

Shared by every format that has named fields. Names are compared without regard to case, and
``publicationDate``, ``publication-date`` and ``Publication Date`` are the same name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from rag.ingest.formats.authors import authors_from
from rag.ingest.formats.identifiers import (
    arxiv_id_from,
    arxiv_id_in_url,
    doi_from,
    doi_in_url,
    year_of_arxiv_id,
)
from rag.ingest.formats.markup import abstract_text, title_text
from rag.ingest.latex import accented
from rag.ingest.text import TextSource
from rag.schema import BadRecord, Record

MAX_ABSTRACT_CHARS = 100_000
MAX_TITLE_CHARS = 1_000

# Each in order of preference: the first that is not blank is taken.
TITLE = ("title", "paper_title", "article_title", "document_title")
ABSTRACT = (
    "abstract", "abstract_text", "abstract_note", "paper_abstract", "summary", "description",
)  # fmt: skip
AUTHORS = ("authors_parsed", "authors", "author", "creators", "creator", "author_names")
YEAR = (
    "year", "publication_year", "published", "publish_time", "publication_date", "pub_date",
    "publicationdate", "published_date", "published_at", "date", "issued", "published_print",
    "published_online", "created",
)  # fmt: skip
UPDATED = ("update_date", "updated")
VENUE = (
    "venue", "journal", "conference", "booktitle", "journal_ref", "container_title",
    "journal_title", "publication", "publication_title", "source_title",
)  # fmt: skip
URL = ("url", "link", "paper_url", "arxiv_url", "html_url", "pdf_url", "site", "pdf")
DOI = ("doi",)
ARXIV_ID = ("arxiv_id", "arxiv", "arxivid", "ar_xiv_id", "ar_xiv", "eprint", "archive_id")

# What tables say where there is no abstract.
_MISSING = frozenset(
    ("n/a", "na", "nan", "none", "null", "-", "no abstract", "no abstract available",
     "[no abstract available]", "abstract not available", "not available")
)  # fmt: skip
# C0 controls but tab and newline, DEL, C1 controls, halves of surrogate pairs, and what Unicode
# leaves to programs for their own use (U+FDD0 to U+FDEF).
_UNSTORABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef]")
_YEAR = re.compile(r"(?<!\d)(?:1[5-9]\d\d|20\d\d|2100)(?!\d)")


def storable(text: str) -> str:
    """The text with one space for every character that cannot be stored or shown.

    These are control characters other than tab and newline, lone surrogates, and noncharacters
    (U+FDD0 to U+FDEF). The length stays the same, so offsets into the result are offsets into the
    text.
    """
    return _UNSTORABLE.sub(" ", text)


def one_line(text: str) -> str:
    """The storable text with white space collapsed to single spaces."""
    return " ".join(storable(text).split())


@lru_cache(maxsize=4096)
def field_name(name: str) -> str:
    """A field's name in the form that the tables above use: ``PublicationDate`` too."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[^0-9a-z]+", "_", split.lower()).strip("_")


def has_paper_fields(names: Iterable[str], *, both: bool) -> bool:
    """Whether there is a field for the title and (``both``) or for the abstract."""
    known = {field_name(name) for name in names}
    title, abstract = not known.isdisjoint(TITLE), not known.isdisjoint(ABSTRACT)
    return (title and abstract) if both else (title or abstract)


def record_from(
    fields: Mapping[str, object], source: TextSource, line: int | None
) -> Record | BadRecord:
    """A record from named fields as a file gives them: texts, numbers, lists, nested objects."""
    known: dict[str, object] = {}
    for name, value in fields.items():
        known.setdefault(field_name(name), value)
    found = checked(_title(known), _abstract(known), source, line)
    if isinstance(found, BadRecord):
        return found
    url = _url(known)
    doi = doi_from(_text(known, DOI)) or doi_in_url(url)
    arxiv_id = (
        arxiv_id_from(_text(known, ARXIV_ID))
        or arxiv_id_from(_text(known, ("id",)))
        or arxiv_id_in_url(url)
        or arxiv_id_from(doi)
    )
    venue = one_line(_text(known, VENUE) or "")
    # An arXiv id tells the year of the paper; "update_date" only that of its last version.
    year = _year(known, YEAR) or year_of_arxiv_id(arxiv_id) or _year(known, UPDATED)
    return Record(
        title=found.title,
        abstract=found.abstract,
        authors=_authors(known),
        year=year,
        venue=venue or None,
        url=url,
        doi=doi,
        arxiv_id=arxiv_id,
        source=found.source,
        place=found.place,
    )


def checked(title: str, abstract: str, source: TextSource, line: int | None) -> Record | BadRecord:
    """A record with title and abstract alone, both as they are stored; or why there is none.

    White space in the title is collapsed. The abstract is kept verbatim but for white space at
    its ends and for characters that are not `storable`.
    """
    place = source.place(line)
    title, abstract = one_line(title), storable(abstract).strip()
    if not title and not abstract:
        return BadRecord(place, "neither title nor abstract: a paper needs both")
    if not title:
        return BadRecord(place, f"no title for the abstract that begins {_start(abstract)}")
    if not abstract:
        return BadRecord(place, f"no abstract for the title {_start(title)}")
    if len(title) > MAX_TITLE_CHARS:
        reason = f"a title of {len(title):,} characters, at most {MAX_TITLE_CHARS:,} are taken"
        return BadRecord(place, f"{reason}: it begins {_start(title)}")
    if len(abstract) > MAX_ABSTRACT_CHARS:
        return BadRecord(
            place,
            f"an abstract of {len(abstract):,} characters, at most {MAX_ABSTRACT_CHARS:,} are "
            f"taken (a full text?), for the title {_start(title)}",
        )
    return Record(title=title, abstract=abstract, source=source.name, place=place)


def _start(text: str) -> str:
    """The beginning of a text in quotation marks, for a message."""
    line = " ".join(text.split())
    return f'"{line}"' if len(line) <= 80 else f'"{line[:79]}…"'


def _first(known: Mapping[str, object], names: tuple[str, ...]) -> Iterable[object]:
    return (known[name] for name in names if known.get(name) is not None)


def _text(known: Mapping[str, object], names: tuple[str, ...]) -> str | None:
    """The first of these fields that holds text."""
    texts = map(_as_text, _first(known, names))
    return next((text for text in texts if text and not text.isspace()), None)


def _as_text(value: object) -> str | None:
    """A value as text: numbers too, a list's parts joined by spaces, an object's name or date."""
    match value:
        case str():
            return value
        case bool():
            return None
        case int() | float():
            return str(value)
        case list():
            return " ".join(part.strip() for part in value if isinstance(part, str))
        case Mapping():
            names = ("name", "value", "raw", "literal", "date-parts", "date_parts")
            held = next((value[name] for name in names if value.get(name)), None)
            while isinstance(held, list):  # [[2021, 5]]
                held = held[0] if held else None
            return _as_text(held)
    return None


def _title(known: Mapping[str, object]) -> str:
    """The title without tags, entities and LaTeX's accents: one paper, however it was exported."""
    return accented(title_text(_text(known, TITLE) or ""))


def _abstract(known: Mapping[str, object]) -> str:
    """The abstract as it stands; of one in JATS the text."""
    abstract = _text(known, ABSTRACT) or ""
    if "<jats:" in abstract:
        return abstract_text(abstract)
    return "" if abstract.strip().lower() in _MISSING else abstract


def _authors(known: Mapping[str, object]) -> tuple[str, ...]:
    for value in _first(known, AUTHORS):
        names = tuple(filter(None, (one_line(accented(name)) for name in authors_from(value))))
        if names:
            return names
    return ()


def _year(known: Mapping[str, object], names: tuple[str, ...]) -> int | None:
    """The first four-digit year from 1500 to 2100 in these fields."""
    for name in names:
        found = _YEAR.search(_text(known, (name,)) or "")
        if found:
            return int(found[0])
    return None


def _url(known: Mapping[str, object]) -> str | None:
    """The first address of the web in these fields; of several in one, the first."""
    for name in URL:
        found = re.search(r"https?://[^\s<>\"]+", storable(_text(known, (name,)) or ""))
        if found:
            return found[0].rstrip(";,")
    return None
