"""Sources whose JSON needs little: Daily Papers' API, arXiv's dump, PubMedQA, paperlists; CSVs."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

from rag.ingest.formats import daily_papers_api, pubmedqa
from tests.formats import format_of, only, read, real_files, split

DAILY = {
    "paper": {
        "id": "2503.12345",
        "authors": [{"_id": "1", "name": "Ann Smith", "hidden": False}],
        "publishedAt": "2025-03-14T00:00:00.000Z",
        "title": "A title\nin two lines",
        "summary": "We show it.",
        "upvotes": 7,
    },
    "publishedAt": "2025-03-17T01:00:00.000Z",
    "title": "Outer",
    "summary": "Outer.",
    "submittedBy": {"fullname": "Bo"},
}

ARXIV = {
    "id": "math/0309136",
    "authors": "J\\'an A. B. and C. D",
    "title": "On Poincar\\'e\n  maps",
    "journal-ref": "J. X 1 (2003)",
    "doi": None,
    "abstract": "  We show\nthat $\\alpha$ holds.\n",
    "update_date": "2019-12-23",
    "authors_parsed": [["B.", "J\\'an A.", ""], ["D", "C.", "Jr."]],
}


def test_a_paper_of_the_daily_papers_api(tmp_path: Path) -> None:
    for document in ([DAILY], [DAILY["paper"] | {"submittedOnDailyAt": "x"}]):  # type: ignore[operator]
        record = only(tmp_path, document)
        assert (record.title, record.abstract) == ("A title in two lines", "We show it.")
        assert (record.authors, record.arxiv_id) == (("Ann Smith",), "2503.12345")
        assert record.year == 2025
        assert format_of(document) == daily_papers_api.FORMAT.name


def test_a_line_of_arxivs_dump(tmp_path: Path) -> None:
    records, bad = read(tmp_path, "\n".join([json.dumps(ARXIV)] * 2))
    assert not bad
    record = records[0]
    assert record.title == "On Poincaré maps"
    assert record.abstract == "We show\nthat $\\alpha$ holds."
    assert record.authors == ("Ján A. B.", "C. D Jr.")
    assert (record.year, record.venue, record.arxiv_id) == (2003, "J. X 1 (2003)", "math/0309136")


def test_objects_under_their_ids_are_read(tmp_path: Path) -> None:
    document = {"a1": {"title": "T", "abstract": "A."}, "a2": {"title": "U", "abstract": "B."}}
    records, bad = read(tmp_path, json.dumps(document, indent=1))
    assert [(record.title, record.place.line) for record in records] == [("T", 2), ("U", 6)]
    assert not bad


def test_wrappers_without_end_are_no_trap(tmp_path: Path) -> None:
    records, _ = read(tmp_path, '{"data": ' * 900 + "1" + "}" * 900)
    assert not records


def test_zoteros_csv(tmp_path: Path) -> None:
    header = ["Key", "Item Type", "Publication Year", "Author", "Title", "Publication Title",
              "DOI", "Url", "Abstract Note", "Date", "Extra"]  # fmt: skip
    row = ["A1", "preprint", "2023", "Gogh, Vincent van; Smith, Ann", "T", "J. of X", "10.1000/X",
           "http://arxiv.org/abs/2301.00001", 'We "show",\nit.', "2023-01-05", ""]  # fmt: skip
    path = tmp_path / "zotero.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerows([header, row, [*row[:8], "", *row[9:]]])
    (record,), (bad,) = split(path)
    assert record.abstract == 'We "show",\nit.'
    assert record.authors == ("Vincent van Gogh", "Ann Smith")
    assert (record.year, record.venue, record.doi) == (2023, "J. of X", "10.1000/x")
    assert record.arxiv_id == "2301.00001"
    assert str(bad) == 'zotero.csv:4: no abstract for the title "T"'


def test_real_arxiv_lines() -> None:
    for path in real_files("arxiv_jsonl"):
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        records, bad = split(path)
        assert not bad
        assert [r.abstract for r in records] == [line["abstract"].strip() for line in lines]
        assert [r.arxiv_id for r in records] == [line["id"] for line in lines]
        assert [len(r.authors) for r in records] == [len(x["authors_parsed"]) for x in lines]
        assert [r.year for r in records] == [2000 + int(line["id"][:2]) for line in lines]
        assert not any("\\" in name for r in records for name in r.authors)


def test_real_paperlists() -> None:
    for path in real_files("paperlists_json"):
        papers = json.loads(path.read_text(encoding="utf-8"))
        records, bad = split(path)
        assert not bad
        assert [(r.abstract, len(r.authors)) for r in records] == [
            (p["abstract"].strip(), len(p["author"].split(";"))) for p in papers
        ]


def test_real_pubmedqa_items_are_reported_one_by_one() -> None:
    for path in real_files("pubmedqa_json"):
        text = path.read_text(encoding="utf-8")
        records, bad = split(path)
        assert not records
        assert len(bad) == len(re.findall(r'"QUESTION"', text))
        assert all(item.reason.startswith("no title for the abstract") for item in bad)
        assert len({item.place.line for item in bad}) == len(bad)
        assert format_of(json.loads(text)) == pubmedqa.FORMAT.name


def test_real_cord19_rows() -> None:
    for path in real_files("csv"):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        records, bad = split(path)
        assert [r.doi for r in records] == [row["doi"].lower() for row in rows if row["abstract"]]
        assert len(bad) == sum(not row["abstract"] for row in rows)
        assert records[0].authors[0] == "Theodore A Myatt"
        assert (records[0].year, records[0].venue) == (2003, "BMC Public Health")
