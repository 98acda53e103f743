from __future__ import annotations

import csv
import io
import json
import tracemalloc
from collections.abc import Iterator

import pytest

from rag.errors import InputError
from rag.export import FORMATS, export_papers
from rag.schema import Paper
from tests.hostile import HOSTILE, hostile_paper

FULL = Paper(
    "a" * 16,
    "On things",
    "First line.\nER  - second line.",
    ("Jan van der Berg", "OpenAI", "Sammy Davis Jr."),
    2024,
    "NeurIPS",
    "https://e.org/a",
    "10.1000/x",
    "2301.00001",
    ("a.bib", "b.csv"),
)
BARE = Paper("b" * 16, "Only a title", "An abstract.")


def written(name: str, *papers: Paper) -> str:
    return "".join(export_papers(papers, name))


def test_ris_has_a_line_for_everything_that_is_known() -> None:
    assert written("ris", FULL, BARE).split("\n") == [
        "TY  - CPAPER",
        "ID  - vanderberg2024things",
        "TI  - On things",
        "AU  - van der Berg, Jan",
        "AU  - OpenAI",
        "AU  - Davis, Sammy, Jr.",
        "PY  - 2024",
        "T2  - NeurIPS",
        "AB  - First line. ER - second line.",
        "DO  - 10.1000/x",
        "AN  - arXiv:2301.00001",
        "UR  - https://e.org/a",
        "ER  - ",
        "",
        "TY  - GEN",
        "ID  - onlytitle",
        "TI  - Only a title",
        "AB  - An abstract.",
        "ER  - ",
        "",
    ]


def test_csl_json_has_names_in_parts_and_the_keys_of_bibtex() -> None:
    full, bare = json.loads(written("csl-json", FULL, BARE))
    assert full["id"] == full["citation-key"] == "vanderberg2024things"
    assert f"{{{full['id']}," in written("bibtex", FULL)
    assert full["type"] == "paper-conference"
    assert full["issued"] == {"date-parts": [[2024]]}
    assert full["author"] == [
        {"family": "van der Berg", "given": "Jan"},
        {"literal": "OpenAI"},
        {"family": "Davis", "given": "Sammy", "suffix": "Jr."},
    ]
    assert full["abstract"] == FULL.abstract
    assert bare.keys() == {"id", "citation-key", "type", "title", "abstract"}


def test_a_preprint_in_csl_json_has_its_arxiv_id_as_number() -> None:
    [item] = json.loads(written("csl-json", Paper("a", "T", "A.", arxiv_id="2301.00001")))
    assert (item["type"], item["number"], item["publisher"]) == (
        "article",
        "arXiv:2301.00001",
        "arXiv",
    )


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "'=", "''+"])
def test_no_cell_of_csv_is_a_formula_and_the_text_comes_back(start: str) -> None:
    text = f'{start}HYPERLINK("https://evil.example";A1)'
    paper = Paper("a" * 16, text, f"{text},\n{text}", (text,), venue=text)
    [row] = csv.DictReader(io.StringIO(written("csv", paper)))
    for name in ("title", "abstract", "authors", "venue"):
        assert row[name].startswith("'")
    assert row["title"][1:] == paper.title
    assert row["abstract"][1:] == paper.abstract


def test_csv_parts_authors_by_semicolons() -> None:
    full, alone = csv.DictReader(
        io.StringIO(written("csv", FULL, Paper("c", "T", "A.", ("Rand and Sons",))))
    )
    assert full["authors"] == "Jan van der Berg; OpenAI; Sammy Davis Jr."
    assert full["sources"] == "a.bib; b.csv"
    assert alone["authors"] == "Rand and Sons;"


def test_markdown_has_a_section_for_each_paper_and_no_markup_of_theirs() -> None:
    assert written("markdown", FULL, BARE).split("\n") == [
        "## On things",
        "",
        "Jan van der Berg; OpenAI; Sammy Davis Jr.",
        "",
        "NeurIPS, 2024, <https://arxiv.org/abs/2301.00001>",
        "",
        "First line. ER - second line.",
        "",
        "## Only a title",
        "",
        "An abstract.",
        "",
    ]
    for text in HOSTILE:
        section = written("markdown", hostile_paper(text))
        assert section.count("\n## ") == 0
        assert "<script" not in section.replace("\\<", "")


@pytest.mark.parametrize("name", [form.name for form in FORMATS])
def test_an_address_that_is_not_of_the_web_is_not_written(name: str) -> None:
    paper = Paper("a" * 16, "T", "A.", url="javascript:alert(1)")
    assert ("javascript" in written(name, paper)) == (name == "jsonl")


@pytest.mark.parametrize("name", [form.name for form in FORMATS])
def test_no_papers_make_a_document_too(name: str) -> None:
    text = written(name)
    assert text == {"csl-json": "[]\n", "csv": text}.get(name, "")
    assert text.count("\n") <= 1


@pytest.mark.parametrize("name", [form.name for form in FORMATS])
def test_papers_are_written_one_at_a_time(name: str) -> None:
    taken = 0

    def endless() -> Iterator[Paper]:
        nonlocal taken
        while True:
            taken += 1
            yield Paper("a" * 16, f"Title {taken % 100}", "Abstract. " * 1_000)

    pieces = export_papers(endless(), name)
    tracemalloc.start()
    try:
        for _ in range(500):
            next(pieces)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken <= 501
    assert peak < 1_000_000  # the abstracts have 5 MB


def test_an_unknown_format_is_named_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"'docx'; expected one of bibtex, ris, csl-json"):
        export_papers([], "docx")
