"""CSL-JSON: what Zotero, Mendeley and pandoc exchange."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rag.ingest.formats.json_format import json_format, names, texts

_ARXIV = re.compile(r"\barXiv:\s*\S+", re.IGNORECASE)


def fields(item: Mapping[str, object]) -> Mapping[str, object]:
    """The fields of an item; the arXiv id of a preprint stands in its number or in a note."""
    known = dict(item)
    for text in texts(item.get("number"), item.get("note"), item.get("archive_location")):
        if found := _ARXIV.search(text):
            known.setdefault("arxiv_id", found[0])
    return known


FORMAT = json_format(
    "CSL-JSON (Zotero, Mendeley, pandoc)",
    names("container-title", "date-parts", "title-short", "citation-key", "family")
    + r'|"type"\s*:\s*"(?:article-journal|paper-conference|article-magazine|article-newspaper)"',
    fields,
)
