"""What a question is answered with, where the collection changes meanwhile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from eval.standin import StandInEmbedder
from rag.errors import EmbedderMismatchError
from rag.schema import Hit
from rag.searching import Tools, _held, merged, search
from rag.store.collection import Collection
from tests.makers import PAPERS, fill, put

QUERY = "theory of mind and grokking"


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    collection = Collection(tmp_path, create=True)
    put(collection, *PAPERS)
    return Tools(collection, StandInEmbedder(), None)


def test_a_collection_that_another_embedder_made_anew_is_not_searched(tools: Tools) -> None:
    class Other(StandInEmbedder):
        name = "other"

    assert search(tools, QUERY, papers=3).hits
    elsewhere = Collection(tools.collection.directory, create=False)
    elsewhere.rebuild(Other(), embed=True)
    with elsewhere.writing(Other()) as writing:
        fill(writing, Other())
    elsewhere.close()
    with pytest.raises(EmbedderMismatchError, match="embedded with 'other'"):
        search(tools, QUERY, papers=3)


def test_hits_of_a_paper_that_changed_meanwhile_are_left_out(tools: Tools) -> None:
    hits = search(tools, QUERY, papers=3).hits
    first, *others = hits
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))

    def kept(changed: Hit) -> list[str]:
        found = _held(tools, [changed, *others])
        assert [hit.rank for hit in found.hits] == list(range(1, len(found.hits) + 1))
        assert {hit.paper.id for hit in found.hits} == {held.paper.id for held in found.held}
        return [hit.text for hit in found.hits]

    rest = [hit.text for hit in others]
    assert kept(first) == [first.text, *rest]
    paper, passage = first.paper, first.passage
    assert kept(replace(first, paper=replace(paper, abstract=f"Now {paper.abstract}"))) == rest
    assert kept(replace(first, paper=replace(paper, id="joined with another"))) == rest
    assert kept(replace(first, passage=replace(passage, first=7, last=8))) == rest
    assert kept(replace(first, passage=replace(passage, start=passage.end - 1, end=999))) == rest


def test_hits_of_one_question_do_not_meet_the_abstract_of_another(tools: Tools) -> None:
    found = search(tools, QUERY, papers=3)
    first = found.held[0]
    changed = replace(first, paper=replace(first.paper, abstract="It is another one."))
    other = replace(found, hits=(), held=(changed,))
    assert first.paper.id not in {hit.paper.id for hit in merged([found, other], 3).hits}
