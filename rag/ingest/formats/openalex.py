"""OpenAlex: works as its API and its snapshot give them, with abstracts as inverted indexes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rag.ingest.formats.json_format import at, json_format, mappings, names, texts, with_values

# The heading of the abstract, taken for its first word: "Abstract We show".
_HEADING = re.compile(r"(?:Abstract|ABSTRACT)[:.]?\s+(?=[A-Z\d])")


def fields(work: Mapping[str, object]) -> Mapping[str, object]:
    """The fields of a work under their usual names."""
    place = at(work, "primary_location")
    addresses = [at(location, "landing_page_url") for location in mappings(work.get("locations"))]
    address = texts(at(place, "landing_page_url"), work.get("doi"), work.get("id"))
    return with_values(
        title=next(iter(texts(work.get("title"), work.get("display_name"))), None),
        abstract=_abstract(work),
        authors=[_author(item) for item in mappings(work.get("authorships"))],
        year=work.get("publication_year"),
        date=work.get("publication_date"),
        venue=at(place, "source", "display_name") or at(work, "host_venue", "display_name"),
        doi=work.get("doi") or at(work, "ids", "doi"),
        arxiv_id=next((url for url in texts(*addresses) if "arxiv.org/" in url), None),
        url=address[0] if address else None,
    )


def _abstract(work: Mapping[str, object]) -> str | None:
    plain = texts(work.get("abstract"))
    return plain[0] if plain else _uninverted(work.get("abstract_inverted_index"))


def _uninverted(index: object) -> str | None:
    """The text of ``{"We": [0, 7], "show": [1]}``; positions that no word has leave no gap."""
    if not isinstance(index, Mapping):
        return None
    if isinstance(inner := index.get("InvertedIndex"), Mapping):  # as Microsoft's graph gave it
        index = inner
    placed = [
        (position, str(word))
        for word, positions in index.items()
        for position in (positions if isinstance(positions, list) else ())
        if isinstance(position, int)
    ]
    return _HEADING.sub("", " ".join(word for _, word in sorted(placed))) or None


def _author(authorship: Mapping[str, object]) -> object:
    """The name that OpenAlex settled on, else the one that the paper gives."""
    return at(authorship, "author", "display_name") or authorship.get("raw_author_name")


FORMAT = json_format(
    "OpenAlex (works as JSON or JSON lines)",
    rf"{names('abstract_inverted_index', 'authorships')}|https://openalex\.org/W\d",
    fields,
)
