"""Hugging Face Daily Papers as its API gives them: ``https://huggingface.co/api/daily_papers``."""

from __future__ import annotations

from collections.abc import Mapping

from rag.ingest.formats.json_format import json_format


def fields(item: Mapping[str, object]) -> Mapping[str, object]:
    """The fields of the paper; around it stands who submitted it and when."""
    paper = item.get("paper")
    return paper if isinstance(paper, Mapping) else item


FORMAT = json_format(
    "Hugging Face Daily Papers (JSON of the API)",
    r'(?<!\\)"paper"\s*:\s*\{|(?<!\\)"(?:submittedOnDailyBy|submittedOnDailyAt)"\s*:',
    fields,
)
