"""OpenAlex: works with inverted abstracts, alone, in a page of results, and one a line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.ingest.formats import openalex
from rag.ingest.text import MAX_LINE_CHARS
from tests.formats import format_of, objects_in, only, read, real_files, split

WORK: dict[str, object] = {
    "id": "https://openalex.org/W1",
    "doi": "https://doi.org/10.1000/ABC",
    "title": "On <i>E. coli</i> &amp; CO<sub>2</sub>",
    "publication_year": 2014,
    "publication_date": "2013-10-27",
    "primary_location": {
        "landing_page_url": "https://doi.org/10.1000/abc",
        "source": {"display_name": "PNAS"},
    },
    "locations": [{"landing_page_url": "http://arxiv.org/abs/1401.0001v2"}, None],
    "authorships": [
        {"author": {"display_name": "Ann Smith"}, "raw_author_name": "SMITH A."},
        {"author": {"display_name": None}, "raw_author_name": "Bo Jones"},
    ],
    "abstract_inverted_index": {"We": [0, 3], "show": [1], "it.": [2], "know.": [9]},
}


def test_a_work_becomes_a_record(tmp_path: Path) -> None:
    record = only(tmp_path, WORK)
    assert record.title == "On E. coli & CO2"
    assert record.abstract == "We show it. We know."
    assert record.authors == ("Ann Smith", "Bo Jones")
    assert (record.year, record.venue) == (2014, "PNAS")
    assert (record.doi, record.arxiv_id) == ("10.1000/abc", "1401.0001")
    assert record.url == "https://doi.org/10.1000/abc"


def test_a_page_of_results_and_lines_read_alike(tmp_path: Path) -> None:
    works = [WORK | {"title": f"T{n}"} for n in range(3)]
    page = json.dumps({"meta": {"count": 3}, "results": works, "group_by": []})
    lines = "\n".join(map(json.dumps, works))
    for content in (page, lines, json.dumps(works)):
        records, bad = read(tmp_path, content)
        assert [record.title for record in records] == ["T0", "T1", "T2"]
        assert not bad


def test_a_work_without_abstract_is_reported_by_its_title(tmp_path: Path) -> None:
    indexes: list[object] = [None, {}, [], {"a": "x"}]
    works = [WORK | {"abstract_inverted_index": index} for index in indexes]
    for document in (works[0], {"results": works}):
        records, bad = read(tmp_path, json.dumps(document))
        assert not records
        assert {item.reason for item in bad} == {'no abstract for the title "On E. coli & CO2"'}


@pytest.mark.parametrize(
    ("words", "abstract"),
    [
        (["Abstract", "We", "show."], "We show."),
        (["Abstract", "interpretation", "is."], "Abstract interpretation is."),
        (["Abstract"], "Abstract"),
    ],
)
def test_the_heading_of_an_abstract_goes(tmp_path: Path, words: list[str], abstract: str) -> None:
    index: object = {word: [place] for place, word in enumerate(words)}
    assert only(tmp_path, WORK | {"abstract_inverted_index": index}).abstract == abstract


def test_a_position_far_away_takes_no_memory(tmp_path: Path) -> None:
    index = {"far": [10**15], "near": [0]}
    record = only(tmp_path, WORK | {"abstract_inverted_index": index})
    assert record.abstract == "near far"


def test_the_index_of_microsofts_graph_is_read(tmp_path: Path) -> None:
    index = {"IndexLength": 2, "InvertedIndex": {"a": [0], "b.": [1]}}
    assert only(tmp_path, WORK | {"abstract_inverted_index": index}).abstract == "a b."


@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=40))
def test_an_inverted_abstract_comes_back(words: list[str]) -> None:
    words = ["the", *words]
    index: dict[str, list[int]] = {}
    for place, word in enumerate(words):
        index.setdefault(word, []).append(place)
    fields = openalex.fields({"abstract_inverted_index": index})
    assert fields["abstract"] == " ".join(words)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from([*WORK, "author", "source", "InvertedIndex"]), inner)
        ),
        max_leaves=12,
    )
)
def test_whatever_a_work_holds_its_fields_are_read(value: object) -> None:
    if isinstance(value, dict):
        assert isinstance(openalex.fields(value), dict)


def test_a_work_longer_than_a_line_may_be_costs_itself(tmp_path: Path) -> None:
    long = WORK | {"title": "Long", "related_works": ["x" * MAX_LINE_CHARS]}
    records, bad = read(tmp_path, "\n".join(map(json.dumps, (WORK, long, WORK))))
    assert len(records) == 2
    assert [item.place.line for item in bad] == [2]


def test_real_files_give_every_work_with_an_abstract(tmp_path: Path) -> None:
    for path in real_files("openalex"):
        document = json.loads(path.read_text(encoding="utf-8"))
        works = [each for each in objects_in(document) if "authorships" in each]
        whole = [each for each in works if each.get("abstract_inverted_index")]
        records, bad = split(path)
        assert [record.doi for record in records] == [
            str(each["doi"]).removeprefix("https://doi.org/") for each in whole
        ], path.name
        assert len(bad) == (len(works) - len(whole) or (not works)), path.name
        for record, work in zip(records, whole, strict=True):
            index = work["abstract_inverted_index"]
            assert isinstance(index, dict)
            words = record.abstract.split()
            for word, places in index.items():
                shift = 1 if index.get("Abstract") == [0] else 0
                assert all(words[place - shift] == word for place in places if place >= shift)
        if works:
            assert format_of(document) == openalex.FORMAT.name
