"""CSL-JSON: items as Zotero, Mendeley and pandoc write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rag.ingest.formats import csl_json
from tests.formats import format_of, only, read

ITEM: dict[str, object] = {
    "id": "smith2020",
    "type": "article-journal",
    "title": "On $x$ and Erd\\H{o}s",
    "abstract": "We show\nit.",
    "container-title": "J. of X",
    "author": [
        {"family": "Gogh", "given": "Vincent", "non-dropping-particle": "van"},
        {"family": "King", "given": "Martin", "suffix": "Jr."},
        {"literal": "The Group, of All"},
    ],
    "issued": {"date-parts": [["2020", 5, 1]]},
    "DOI": "10.1000/ABC",
    "URL": "https://x.org/1",
}


def test_an_item_becomes_a_record(tmp_path: Path) -> None:
    for document in ([ITEM], {"items": [ITEM]}, ITEM):
        record = only(tmp_path, document)
        assert record.title == "On $x$ and Erdős"
        assert record.abstract == "We show\nit."
        assert record.authors == ("Vincent van Gogh", "Martin King Jr.", "The Group, of All")
        assert (record.year, record.venue) == (2020, "J. of X")
        assert (record.doi, record.url) == ("10.1000/abc", "https://x.org/1")
        assert format_of(document) == csl_json.FORMAT.name


@pytest.mark.parametrize(
    ("issued", "year"),
    [({"date-parts": [[2020]]}, 2020), ({"raw": "May 2019"}, 2019), ({"literal": "1999"}, 1999),
     ({"date-parts": [[]]}, None), ({"date-parts": []}, None), ({"date-parts": [[None]]}, None),
     ({}, None), ("2018-01", 2018), ({"date-parts": [[2021, 1], [2022, 2]]}, 2021)],
)  # fmt: skip
def test_a_year_is_read_however_it_is_written(
    tmp_path: Path, issued: object, year: int | None
) -> None:
    assert only(tmp_path, [ITEM | {"issued": issued}]).year == year


def test_the_arxiv_id_of_a_preprint_stands_in_its_number_or_a_note(tmp_path: Path) -> None:
    for field in ({"number": "arXiv:2301.00001"}, {"note": "PMID: 7\narXiv:2301.00001v2 [cs]"}):
        assert only(tmp_path, [ITEM | field]).arxiv_id == "2301.00001"
    assert only(tmp_path, [ITEM | {"number": "7"}]).arxiv_id is None


def test_items_without_abstract_and_broken_ones_are_reported(tmp_path: Path) -> None:
    bare = {name: value for name, value in ITEM.items() if name != "abstract"}
    text = json.dumps([ITEM, bare, ITEM, ITEM], indent=1)
    records, bad = read(tmp_path, text.replace('"type": "article-journal"', '"type": "a', 1))
    assert len(records) == 2
    assert [item.reason.partition(":")[0] for item in bad] == [
        "not valid JSON", 'no abstract for the title "On $x$ and Erdős"',
    ]  # fmt: skip
