"""The real files beside the repository: every record comes in as it is stated, or is reported."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import pytest

from eval.bench.formats import compare, formats, real_files
from rag.ingest.formats import (
    FORMATS,
    Format,
    arxiv_atom,
    bibtex,
    crossref,
    csl_json,
    delimited,
    jats,
    json_array,
    json_lines,
    medline,
    openalex,
    pubmed_xml,
    pubmedqa,
    recognised,
    ris,
    semantic_scholar,
)
from rag.ingest.text import open_text
from tests.formats import REAL

KINDS: dict[str, Format] = {
    "arxiv_atom": arxiv_atom.FORMAT,
    "arxiv_jsonl": json_lines.FORMAT,
    "bibtex": bibtex.FORMAT,
    "crossref": crossref.FORMAT,
    "csv": delimited.FORMAT,
    "jats_nxml": jats.FORMAT,
    "medline_txt": medline.FORMAT,
    "nbib": medline.FORMAT,
    "openalex": openalex.FORMAT,
    "paperlists_json": json_array.FORMAT,
    "pubmed_xml": pubmed_xml.FORMAT,
    "pubmedqa_json": pubmedqa.FORMAT,
    "ris": ris.FORMAT,
    "semantic_scholar": semantic_scholar.FORMAT,
}
# JSON of any source, and a form of JSON that Crossref's works are nearly in: they come later.
GENERAL = (csl_json.FORMAT, json_lines.FORMAT, json_array.FORMAT)
# No papers in them, so nothing that tells the source: an error's body, lists of data sets.
OF_NO_SOURCE = {"rec_352596b9.json", "Dataset.json", "rec_a5062ba2.json", "rec_a83a9035.json"}

needs_real_files = pytest.mark.skipif(
    not REAL.is_dir(), reason="the real files are not beside the repository"
)
FILES = real_files(REAL)


@needs_real_files
def test_all_145_files_are_there() -> None:
    with (REAL / "SOURCES.tsv").open(encoding="utf-8", newline="") as table:
        named = sorted(row["file"] for row in csv.DictReader(table, delimiter="\t"))
    assert [path.relative_to(REAL).as_posix() for path in FILES] == named
    assert len(FILES) == 145


@needs_real_files
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_real_file_is_in_one_format_and_comes_in_as_it_is_stated(path: Path) -> None:
    head = open_text(path, path.name).head
    kind = bibtex.FORMAT if path.suffix == ".bib" else KINDS[path.parent.name]
    expected = json_array.FORMAT if path.name in OF_NO_SOURCE else kind
    assert recognised(head) is expected
    takers = [form for form in FORMATS if form.recognise(head)]
    assert [form.name for form in takers if form not in GENERAL] == [
        form.name for form in (expected,) if form not in GENERAL
    ]
    read = compare(path)
    assert read.wrong == ()
    assert read.came_in == read.whole
    assert read.came_in + read.reported == max(read.stated, 1)


@needs_real_files
def test_the_bench_counts_every_file_once(capsys: pytest.CaptureFixture[str]) -> None:
    formats(argparse.Namespace(data=REAL.parent))
    *_, whole = capsys.readouterr().out.splitlines()
    assert whole.startswith("| all | 145 | 5,360 | 411 | 411 | 4,956 | ")


RIS = "TY  - JOUR\nTI  - T\nAB  - A.\nAU  - Roe, Ann\nPY  - 2001\nER  - \n"


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (RIS, ()),
        (RIS.replace("AU", "A1") * 2, ()),
        (RIS.replace("ER  -", "ER -") + RIS, ("x: 1 records are stated, 2 came in or",)),
        (RIS.replace("TI", "T2"), ()),
        (RIS + RIS.replace("TI", "ST"), ()),
        (RIS.replace("- T\n", "- <i>T</i>\n"), ("x:1: title is not as stated",)),
        (RIS.replace("- A.\n", "- N/A\n"), ("x:1: is reported",)),
        (RIS.replace("PY", "Y1  - 1999//\nPY  - \nDA"), ()),
    ],
)
def test_what_is_not_as_stated_is_told(tmp_path: Path, content: str, wrong: tuple[str]) -> None:
    path = tmp_path / "ris" / "x"
    path.parent.mkdir()
    path.write_text(content)
    found = compare(path).wrong
    assert [told.removeprefix("ris/")[: len(w)] for told, w in zip(found, wrong, strict=True)] == [
        *wrong
    ]
