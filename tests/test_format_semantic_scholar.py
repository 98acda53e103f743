"""Semantic Scholar: answers of its API and records of its data sets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from rag.ingest.formats import semantic_scholar
from rag.ingest.formats.fields import storable
from tests.formats import format_of, only, read, real_files, split

PAPER: dict[str, object] = {
    "paperId": "331f",
    "externalIds": {"ArXiv": "1402.0030", "DOI": "10.1000/ABC", "CorpusId": 7},
    "url": "https://www.semanticscholar.org/paper/331f",
    "title": "T",
    "abstract": "A.",
    "venue": "",
    "journal": {"name": "J. of X", "pages": "1-2"},
    "year": 2014,
    "publicationDate": "2014-01-31",
    "authors": [{"authorId": "1", "name": "A. Mnih"}],
    "citations": [{"title": "Other", "abstract": "B."}],
}


@pytest.mark.parametrize(
    "document",
    [
        PAPER,
        [PAPER],
        {"total": 1, "offset": 0, "data": [PAPER]},
        {"offset": 0, "data": [{"isInfluential": False, "citedPaper": PAPER}]},
        {"contexts": [], "citingPaper": PAPER},
        {"recommendedPapers": [PAPER]},
        {"authorId": "1", "name": "A. Mnih", "papers": [PAPER]},
    ],
)
def test_a_paper_is_read_wherever_it_stands(tmp_path: Path, document: object) -> None:
    record = only(tmp_path, document)
    assert (record.title, record.abstract, record.authors) == ("T", "A.", ("A. Mnih",))
    assert (record.year, record.venue) == (2014, "J. of X")
    assert (record.doi, record.arxiv_id) == ("10.1000/abc", "1402.0030")
    assert record.url == PAPER["url"]
    assert format_of(document) == semantic_scholar.FORMAT.name


def test_a_record_of_the_data_sets_is_read(tmp_path: Path) -> None:
    row = {"corpusid": 1, "externalids": {"ArXiv": None, "DOI": "10.1000/x"}, "title": "T",
           "publicationdate": "2011-02-03", "journal": {"name": "J"}, "abstract": "A."}  # fmt: skip
    records, bad = read(tmp_path, "\n".join([json.dumps(row)] * 2))
    assert not bad
    assert {(r.doi, r.year, r.venue) for r in records} == {("10.1000/x", 2011, "J")}
    row = {"corpusid": 1, "openaccessinfo": {"externalids": {"DOI": "10.1/x"}}, "abstract": "A."}
    records, bad = read(tmp_path, "\n".join([json.dumps(row)] * 2))
    assert not records
    assert [str(item.place.line) for item in bad] == ["1", "2"]
    assert bad[0].reason == 'no title for the abstract that begins "A."'


def test_null_and_papers_without_abstract_are_reported(tmp_path: Path) -> None:
    document = [PAPER, None, PAPER | {"abstract": None}, {"paperId": "1", "citationCount": 3}]
    records, bad = read(tmp_path, json.dumps(document, indent=1))
    assert len(records) == 1
    assert [item.reason for item in bad] == [
        "a JSON null, expected an object with title and abstract",
        'no abstract for the title "T"',
        "neither title nor abstract: a paper needs both",
    ]


def test_real_files_give_every_paper_with_an_abstract() -> None:
    for path in real_files("semantic_scholar"):
        document = json.loads(path.read_text(encoding="utf-8"))
        listed = _listed(document)
        papers = [p for each in listed if isinstance(p := _inner(each), Mapping)]
        whole = [paper for paper in papers if paper.get("title") and paper.get("abstract")]
        records, bad = split(path)
        assert [record.abstract for record in records] == [
            storable(str(paper["abstract"])).strip() for paper in whole
        ], path.name
        assert len(bad) == len(listed) - len(whole), path.name
        assert all(item.reason for item in bad)
        for record, paper in zip(records, whole, strict=True):
            ids = paper["externalIds"]
            assert isinstance(ids, dict)
            assert record.year == paper["year"]
            assert record.doi == (ids["DOI"].lower() if "DOI" in ids else record.doi)
            assert len(record.authors) == len(paper["authors"])


def _listed(document: object) -> list[object]:
    """What the API lists; a description of a data set counts as one that is no paper."""
    if isinstance(document, list):
        return document
    assert isinstance(document, dict)
    for name in ("data", "papers", "recommendedPapers"):
        if name in document:
            return list(document[name])
    return [document]


def _inner(value: object) -> object:
    return value.get("citedPaper", value) if isinstance(value, dict) else value
