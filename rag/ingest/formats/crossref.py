"""Crossref: works as its API and its yearly public file give them, with abstracts in JATS."""

from __future__ import annotations

from collections.abc import Mapping

from rag.ingest.formats.json_format import at, json_format, mappings, names, texts, with_values
from rag.ingest.formats.markup import abstract_text

_DATES = ("published", "issued", "published-print", "published-online", "posted")


def fields(work: Mapping[str, object]) -> Mapping[str, object]:
    """The fields of a work under their usual names.

    When it was deposited says nothing about its year. A preprint's venue is who posted it.
    """
    posted_by = [at(place, "name") for place in mappings(work.get("institution"))]
    if isinstance(work.get("institution"), Mapping):
        posted_by = [at(work, "institution", "name")]
    venue = texts(work.get("container-title"), posted_by, work.get("group-title"))
    dates = (work.get(name) for name in _DATES)
    return with_values(
        title=_title(work),
        abstract=abstract_text(" ".join(texts(work.get("abstract")))),
        authors=[_author(author) for author in mappings(work.get("author"))],
        date=next((date for date in dates if at(date, "date-parts") not in (None, [[None]])), None),
        venue=venue[0] if venue else None,
        doi=work.get("DOI"),
        url=at(work, "resource", "primary", "URL") or work.get("URL"),
    )


def _title(work: Mapping[str, object]) -> str:
    title = texts(work.get("title"))
    subtitle = [part for part in texts(work.get("subtitle")) if title and part not in title[0]]
    return ": ".join((*title, *subtitle))


def _author(author: Mapping[str, object]) -> Mapping[str, object]:
    """A person, or a group under its name as it stands."""
    return {"literal": author["name"]} if "name" in author else author


FORMAT = json_format(
    "Crossref (works as JSON or JSON lines)",
    names("message-type", "is-referenced-by-count", "content-domain", "reference-count"),
    fields,
)
