from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from eval.standin import StandInEmbedder
from rag.assistant import Assistant
from rag.retrieval import Fusion, retrieve
from rag.schema import Filters, Record
from rag.store.collection import Collection
from tests.makers import GROKKING, MINDS, PAPERS, SIGHT, put


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    collection = Collection(tmp_path / "papers", create=True)
    put(collection, *PAPERS)
    return collection


def titles(collection: Collection, query: str, **options: object) -> list[str]:
    hits = retrieve(collection, StandInEmbedder(), query, limit=10, **options)  # type: ignore[arg-type]
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    return [hit.paper.title for hit in hits]


def test_both_searches_count(collection: Collection) -> None:
    assert titles(collection, "theory of mind")[0] == MINDS.title
    assert titles(collection, "captions for vision", fusion=Fusion(0.0, 1.0))[0] == SIGHT.title
    assert titles(collection, "captions for vision", fusion=Fusion(1.0, 0.0))[0] == SIGHT.title


@pytest.mark.parametrize("most", [1, 2])
def test_no_paper_gives_more_than_its_share_of_passages(collection: Collection, most: int) -> None:
    found = titles(collection, "networks grokking modular addition", per_paper=most)
    assert max(found.count(title) for title in found) == most


def test_a_paper_that_waits_for_its_vectors_is_found_by_its_words(collection: Collection) -> None:
    with collection.writing(StandInEmbedder()) as writing:
        writing.catalog.put([Record("Waiting", "Neutrinos shower the ice.", source="w")])
    [first, *_] = retrieve(collection, StandInEmbedder(), "neutrinos ice", limit=5)
    assert first.paper.title == "Waiting"
    assert first.text == "Neutrinos shower the ice."
    assert set(first.scores) == {"lexical"}


def test_filters_leave_only_what_they_let_through(collection: Collection) -> None:
    put(
        collection,
        replace(GROKKING, title="Grokking again", year=2024, abstract="Grokking, later."),
    )
    assert titles(collection, "grokking", filters=Filters(year_from=2024)) == ["Grokking again"]
    assert titles(collection, "grokking", filters=Filters(author="nobody")) == []


def test_named_papers_are_among_the_hits_beyond_the_limit(collection: Collection) -> None:
    known = [held.number for held in collection.catalog.all_papers()]
    query, options = "grokking", {"limit": 1, "per_paper": 1}
    assert len(retrieve(collection, StandInEmbedder(), query, **options)) == 1  # type: ignore[arg-type]
    hits = retrieve(collection, StandInEmbedder(), query, also=known, **options)  # type: ignore[arg-type]
    assert {hit.paper.title for hit in hits} == {paper.title for paper in PAPERS}
    kept = Filters(author="nobody")
    assert retrieve(collection, StandInEmbedder(), query, also=known, filters=kept, limit=9) == ()


def test_an_empty_collection_gives_nothing(tmp_path: Path) -> None:
    assert titles(Collection(tmp_path / "none", create=True), "anything") == []


def test_a_query_of_unknown_words_still_finds_what_is_nearest(collection: Collection) -> None:
    hits = retrieve(collection, StandInEmbedder(), "xyzzy plugh", limit=3)
    assert len(hits) == 3
    assert all(math.isfinite(hit.score) for hit in hits)


def test_the_llamaindex_retriever_gives_exact_slices(tmp_path: Path) -> None:
    (tmp_path / "papers.jsonl").write_text(
        "\n".join(json.dumps({"title": p.title, "abstract": p.abstract}) for p in PAPERS)
    )
    assistant = Assistant.open(tmp_path / "c", embedder=StandInEmbedder())
    assistant.add(tmp_path / "papers.jsonl")
    nodes = assistant.as_retriever(limit=2).retrieve("theory of mind")
    assert len(nodes) == 2
    best = nodes[0]
    paper = assistant.paper(best.node.metadata["paper_id"])
    assert paper.title == MINDS.title
    start, end = best.node.start_char_idx, best.node.end_char_idx  # type: ignore[attr-defined]
    assert best.node.get_content() == paper.abstract[start:end]
    assert nodes[0].score is not None
    assert nodes[1].score is not None
    assert nodes[0].score >= nodes[1].score
