"""Footnoted inside LlamaIndex: a retriever over a collection. Importing it imports LlamaIndex."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

if TYPE_CHECKING:
    from rag.assistant import Assistant
    from rag.schema import Filters, Hit


class FootnotedRetriever(BaseRetriever):
    """Retrieves passages as LlamaIndex nodes, best first.

    A node's text is the passage, verbatim; ``start_char_idx`` and ``end_char_idx`` are its
    offsets in the abstract; metadata names the paper (``paper_id``, ``title`` and what is known
    of authors, year, venue, link). Scores are those of the fused ranking: higher is better, with
    no fixed range.
    """

    def __init__(
        self,
        assistant: Assistant,
        *,
        limit: int = 10,
        per_paper: int = 2,
        filters: Filters | None = None,
    ) -> None:
        super().__init__()
        self._assistant = assistant
        self._limit = limit
        self._per_paper = per_paper
        self._filters = filters

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        hits = self._assistant.search(
            query_bundle.query_str,
            limit=self._limit,
            per_paper=self._per_paper,
            filters=self._filters,
        )
        return [NodeWithScore(node=_node(hit), score=hit.score) for hit in hits]


def _node(hit: Hit) -> TextNode:
    paper = hit.paper
    known = {
        "paper_id": paper.id,
        "title": paper.title,
        "authors": "; ".join(paper.authors) or None,
        "year": paper.year,
        "venue": paper.venue,
        "link": paper.link,
    }
    return TextNode(
        id_=f"{paper.id}:{hit.passage.start}-{hit.passage.end}",
        text=hit.text,
        start_char_idx=hit.passage.start,
        end_char_idx=hit.passage.end,
        metadata={key: value for key, value in known.items() if value is not None},
    )
