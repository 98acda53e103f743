"""Footnoted's library: questions over paper abstracts, answered with footnotes.

Importing it loads no third-party package; each is imported where it is first needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag.assistant import AddReport, Assistant, Conversation
    from rag.errors import FetchError, RagError
    from rag.export import export_papers
    from rag.fetch.arxiv import ArxivQuery
    from rag.fetch.daily_papers import DailyPapers
    from rag.schema import Answer, Citation, Claim, Filters, Hit, Paper, Verdict

__all__ = [
    "AddReport",
    "Answer",
    "ArxivQuery",
    "Assistant",
    "Citation",
    "Claim",
    "Conversation",
    "DailyPapers",
    "FetchError",
    "Filters",
    "Hit",
    "Paper",
    "RagError",
    "Verdict",
    "export_papers",
]

_HOMES = {
    "AddReport": "rag.assistant",
    "ArxivQuery": "rag.fetch.arxiv",
    "Assistant": "rag.assistant",
    "Conversation": "rag.assistant",
    "DailyPapers": "rag.fetch.daily_papers",
    "FetchError": "rag.errors",
    "RagError": "rag.errors",
    "export_papers": "rag.export",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'rag' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES.get(name, "rag.schema")), name)


def __dir__() -> list[str]:
    return sorted(__all__)
