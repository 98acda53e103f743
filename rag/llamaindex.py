"""Footnoted inside LlamaIndex: a retriever and a query engine. Importing it imports LlamaIndex."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.response.schema import Response
from llama_index.core.prompts.mixin import PromptMixinType
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

if TYPE_CHECKING:
    from rag.assistant import Assistant
    from rag.schema import Answer, Citation, Claim, Filters, Hit, Paper


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

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await asyncio.to_thread(self._retrieve, query_bundle)


class FootnotedQueryEngine(BaseQueryEngine):
    """Answers questions with footnotes, as a LlamaIndex query engine.

    The response is the answer's text with ``[1]`` markers and the list of papers. Its source nodes
    are the cited sentences, verbatim, each with its offsets in the abstract, the footnote's
    ``number`` and the verdict on the sentence that cites it first; where the question was declined
    they are the retrieved passages. Metadata: ``claims`` with their ``verdict``, ``numbers`` and
    ``citations`` (ids of source nodes), ``declined`` (None or the reason), ``mode``, ``model``,
    ``question`` as searched for, ``notes``.
    """

    def __init__(
        self, assistant: Assistant, *, filters: Filters | None = None, strict: bool = False
    ) -> None:
        super().__init__(callback_manager=None)
        self._assistant = assistant
        self._filters = filters
        self._strict = strict

    def _get_prompt_modules(self) -> PromptMixinType:
        return {}

    def _query(self, query_bundle: QueryBundle) -> Response:
        answer = self._assistant.ask(
            query_bundle.query_str, filters=self._filters, strict=self._strict
        )
        return Response(str(answer), source_nodes=_sources(answer), metadata=_metadata(answer))

    async def _aquery(self, query_bundle: QueryBundle) -> Response:
        return await asyncio.to_thread(self._query, query_bundle)


def _sources(answer: Answer) -> list[NodeWithScore]:
    if answer.declined is not None:
        return [NodeWithScore(node=_node(hit), score=hit.score) for hit in answer.hits]
    first: dict[Citation, Claim] = {}
    for claim in answer.claims:
        for citation in claim.citations:
            first.setdefault(citation, claim)
    return [
        NodeWithScore(node=_cited(citation, claim), score=claim.verdict.probability)
        for citation, claim in first.items()
    ]


def _cited(citation: Citation, claim: Claim) -> TextNode:
    return TextNode(
        id_=_id(citation),
        text=citation.quote,
        start_char_idx=citation.start,
        end_char_idx=citation.end,
        metadata={
            **_known(citation.paper),
            "number": citation.number,
            "verdict": claim.verdict.status.value,
        },
    )


def _id(citation: Citation) -> str:
    return f"{citation.paper.id}:{citation.start}-{citation.end}"


def _metadata(answer: Answer) -> dict[str, Any]:
    claims = [
        {
            "text": claim.text,
            "numbers": list(claim.numbers),
            "citations": [_id(citation) for citation in claim.citations],
            "verdict": asdict(claim.verdict),
        }
        for claim in answer.claims
    ]
    return {
        "claims": claims,
        "declined": None if answer.declined is None else answer.declined.value,
        "mode": answer.mode,
        "model": answer.model,
        "question": answer.standalone_question,
        "notes": list(answer.notes),
    }


def _node(hit: Hit) -> TextNode:
    return TextNode(
        id_=f"{hit.paper.id}:{hit.passage.start}-{hit.passage.end}",
        text=hit.text,
        start_char_idx=hit.passage.start,
        end_char_idx=hit.passage.end,
        metadata=_known(hit.paper),
    )


def _known(paper: Paper) -> dict[str, Any]:
    known = {
        "paper_id": paper.id,
        "title": paper.title,
        "authors": "; ".join(paper.authors) or None,
        "year": paper.year,
        "venue": paper.venue,
        "link": paper.link,
    }
    return {key: value for key, value in known.items() if value is not None}
