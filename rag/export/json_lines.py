"""Papers and search results as JSON: every field, under the names that the schema has."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from rag.export.format import Format
from rag.schema import Hit, Paper


def write(papers: Iterable[Paper]) -> Iterator[str]:
    """One object a line for each paper, in order: what ``footnoted papers --json`` prints."""
    for paper in papers:
        yield json.dumps(asdict(paper), ensure_ascii=False) + "\n"


def hit_record(hit: Hit) -> dict[str, Any]:
    """A search result as plain values for JSON."""
    return {
        "rank": hit.rank,
        "score": hit.score,
        "scores": dict(hit.scores),
        "paper": hit.paper.id,
        "title": hit.paper.title,
        "year": hit.paper.year,
        "start": hit.passage.start,
        "end": hit.passage.end,
        "text": hit.text,
    }


FORMAT = Format("jsonl", "JSON lines", "application/x-ndjson", "jsonl", write)
