"""PubMedQA: questions with the abstracts that answer them, but without the papers' titles."""

from __future__ import annotations

from collections.abc import Mapping

from rag.ingest.formats.json_format import json_format, names


def fields(item: Mapping[str, object]) -> Mapping[str, object]:
    """Nothing but the abstract's parts, so that each item is reported: a question is no title."""
    if "CONTEXTS" not in item:
        return {}
    return {"title": None, "abstract": item["CONTEXTS"]}


FORMAT = json_format("PubMedQA (read, but without titles)", names("CONTEXTS"), fields)
