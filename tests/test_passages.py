from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.ingest.passages import PassageParser, cut_passages, embedded_text
from rag.ingest.reading import read_papers
from rag.ingest.sentences import split_sentences
from rag.models.embedder import BundledEmbedder
from rag.schema import Paper, Passage, Record
from tests.makers import SAMPLE

EMBEDDER = BundledEmbedder()
PARSER = PassageParser(max_tokens=EMBEDDER.max_tokens, count=EMBEDDER.count_tokens)


def cut(title: str, abstract: str) -> list[tuple[Passage, str]]:
    spans = split_sentences(abstract)
    [passages] = cut_passages(PARSER, [(Paper("p", title, abstract), spans)])
    for passage, text in passages:
        assert EMBEDDER.count_tokens(text) <= EMBEDDER.max_tokens
        assert text.endswith(abstract[passage.start : passage.end])
        assert spans[passage.first][0] <= passage.start < passage.end <= spans[passage.last - 1][1]
    covered = "".join(abstract[passage.start : passage.end] for passage, _ in passages)
    assert "".join(covered.split()) == "".join(abstract.split()), "something was left out"
    return passages


def test_no_abstract_of_the_sample_is_truncated_and_nearly_all_take_two_passages() -> None:
    records = {r.title: r for r in read_papers(SAMPLE) if isinstance(r, Record)}
    counts = [len(cut(record.title, record.abstract)) for record in records.values()]
    assert len(counts) == 306
    assert max(counts) <= 4
    assert sum(count == 2 for count in counts) > 250


def test_passages_are_of_about_equal_length() -> None:
    abstract = " ".join(f"Sentence number {n} says the same as every other one." for n in range(40))
    lengths = [passage.end - passage.start for passage, _ in cut("A title", abstract)]
    assert len(lengths) > 1
    assert min(lengths) > 0.7 * max(lengths)


@settings(max_examples=60, deadline=None)
@given(
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=300),
    st.text(
        alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]),
        min_size=1,
        max_size=3000,
    ).filter(str.strip),
)
def test_nothing_is_truncated_whatever_the_text(title: str, abstract: str) -> None:
    cut(title, abstract)


@pytest.mark.parametrize(
    "abstract",
    ["研究" * 2000, "a" * 5000, "x1 " * 4000, "🙂" * 900, "One. " * 900],
    ids=["cjk", "one word", "short words", "emoji", "short sentences"],
)
def test_hard_texts_fit_too(abstract: str) -> None:
    cut("A title", abstract)


def test_a_title_that_would_crowd_out_the_sentences_is_not_repeated() -> None:
    title = "A very long title indeed " * 30
    passages = cut(title, "One short sentence.")
    assert [text for _, text in passages] == ["One short sentence."]
    assert embedded_text("T", "x") == "T\nx"


def test_papers_cut_together_get_the_passages_that_each_gets_alone() -> None:
    records = {r.title: r for r in read_papers(SAMPLE) if isinstance(r, Record)}
    papers = [
        (Paper(str(n), record.title, record.abstract), split_sentences(record.abstract))
        for n, record in enumerate(list(records.values())[:20])
    ]
    together = cut_passages(PARSER, papers)
    assert together == [passages for paper in papers for passages in cut_passages(PARSER, [paper])]
    assert [{p.paper_id for p, _ in passages} for passages in together] == [
        {paper.id} for paper, _ in papers
    ]
