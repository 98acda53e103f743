"""Finding the papers that a question is answered from."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING

from rag.answering.grounding import Checker
from rag.answering.question import checked
from rag.answering.scoring import ReadingScorer, SentenceScorer, SimilarityScorer
from rag.answering.support import WRITTEN_FROM, SupportChecker
from rag.reranking import DEPTH, Found, rerank
from rag.retrieval import Fusion, retrieve
from rag.schema import Filters, Hit, Passage
from rag.store.catalog import StoredPaper

if TYPE_CHECKING:
    from rag.models.crossencoder import CrossEncoder
    from rag.models.embedder import Embedder
    from rag.models.llm import LanguageModel
    from rag.store.collection import Collection
    from rag.store.history import History


@dataclass(frozen=True, slots=True)
class Tools:
    """What questions are answered with; without ``history`` answers are not kept."""

    collection: Collection
    embedder: Embedder
    crossencoder: CrossEncoder | None
    llm: LanguageModel | None = None
    history: History | None = None

    @property
    def scorer(self) -> SentenceScorer:
        """The sentence scorer that these tools allow."""
        similarity = SimilarityScorer(self.embedder, self.collection.catalog)
        return ReadingScorer(self.crossencoder, similarity) if self.crossencoder else similarity

    @property
    def checkers(self) -> tuple[Checker, ...]:
        """What written claims are checked with beyond the rules."""
        if self.crossencoder is None:
            return ()
        return (SupportChecker(self.crossencoder, supported_from=WRITTEN_FROM),)


def search(
    tools: Tools,
    query: str,
    *,
    papers: int,
    per_paper: int = 2,
    filters: Filters | None = None,
    fusion: Fusion | None = None,
    reread: bool = True,
    also: Sequence[str] = (),
) -> Found:
    """The best ``papers`` papers and their passages, read by the cross-encoder where there is one.

    The papers with the ids ``also`` are considered too, however far from the query they are.

    Raises:
        EmbedderMismatchError: the collection was embedded with another embedder, perhaps since it
            was opened.
        QuestionError: the query is empty, holds no word, or is too long.
    """
    tools.collection.check_embedder(tools.embedder)
    depth = max(papers, DEPTH) if reread else papers
    known = _known(tools, also)
    hits = retrieve(
        tools.collection,
        tools.embedder,
        checked(query),
        limit=depth * per_paper,
        per_paper=per_paper,
        filters=filters,
        fusion=fusion,
        also={held.number for held in known},
    )
    found = _held(tools, hits)
    if reread and tools.crossencoder is not None:
        found = rerank(query, found, tools.crossencoder, also=[held.paper.id for held in known])
    return best(found, papers)


def _held(tools: Tools, hits: Sequence[Hit]) -> Found:
    """The hits with their papers; without those whose paper has changed since it was searched."""
    held = {item.paper.id: item for item in _known(tools, [hit.paper.id for hit in hits])}
    # Passages go with the text they were cut from: one that is there after a paper was read is one
    # of what was read.
    passages = tools.collection.catalog.passages([hit.passage.id for hit in hits])
    there = {passage for _, passage in passages}
    same = [hit for hit in hits if hit.paper.id in held and _fits(hit, held[hit.paper.id], there)]
    kept = dict.fromkeys(hit.paper.id for hit in same)
    return Found(
        tuple(
            replace(hit, paper=held[hit.paper.id].paper, rank=rank)
            for rank, hit in enumerate(same, start=1)
        ),
        tuple(held[id_] for id_ in kept),
    )


def _fits(hit: Hit, held: StoredPaper, there: Set[Passage]) -> bool:
    """Whether a hit is one of this very abstract: passage and paper were read one by one."""
    passage, abstract = hit.passage, held.paper.abstract
    waits = not passage.id and (passage.start, passage.end) == (0, len(abstract))
    return hit.paper.abstract == abstract and (waits or passage in there)


def _known(tools: Tools, ids: Sequence[str]) -> tuple[StoredPaper, ...]:
    """The papers with these ids, each once; without those that are held no more."""
    found = (tools.collection.catalog.find(id_) for id_ in dict.fromkeys(ids))
    return tuple(held for held in found if held is not None)


def best(found: Found, papers: int) -> Found:
    """The best papers of what was found, with their passages."""
    held = found.held[:papers]
    kept = {item.paper.id for item in held}
    return Found(tuple(hit for hit in found.hits if hit.paper.id in kept), held)


def merged(parts: Sequence[Found], papers: int) -> Found:
    """What several questions found, as one: the best of each, then the second of each, and so on.

    A passage that several found keeps the scores of the first.
    """
    if len(parts) == 1:
        return best(parts[0], papers)
    held = {
        item.paper.id: item
        for row in zip_longest(*(part.held for part in parts))
        for item in row
        if item is not None
    }
    hits: dict[int, Hit] = {}
    for part in parts:
        for hit in part.hits:
            if hit.paper == held[hit.paper.id].paper:  # it may have changed between two searches
                hits.setdefault(hit.passage.id, hit)
    places = {id_: place for place, id_ in enumerate(held)}
    ordered = sorted(hits.values(), key=lambda hit: (places[hit.paper.id], hit.rank))
    ranked = tuple(replace(hit, rank=rank) for rank, hit in enumerate(ordered, start=1))
    return best(Found(ranked, tuple(held.values())), papers)
