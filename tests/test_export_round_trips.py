"""What is written is read back: papers as our own reader gives them, out and in again."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rag.export import FORMATS, export_papers
from rag.ingest.formats import recognised
from rag.ingest.reading import read_papers
from rag.schema import Paper, Record

READ_BACK = [form.name for form in FORMATS if form.name != "markdown"]

# What means something to a format, or looks as if it did.
SIGNS = (
    *("{", "}", "{}", "\\{", "\\}", "\\", "\\\\", "$", "$x_1$", "$\\alpha$", "$5", "%", "&", "#"),
    *("_", "~", "^", '"', "'", "``", "''", "--", "---", ",", ";", "@", "@article{x,", "=1+1", "+"),
    *("\\textbackslash{}", "\\'e", "ER  - ", "TY  - JOUR", "AB  - ", "and", "é", "ß", "漢字", "🙂"),
    *("<i>", "&amp;", "[1]", "(2)", "title = {x}", "\\%", "\\input{x}", "|", "\u00a0", "\u200b"),
)


def fields_of(words: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, object]]:
    """The fields of a paper as JSON lines name them; only title and abstract are always there."""
    lines = st.lists(words, min_size=1, max_size=8).map(" ".join)
    return st.fixed_dictionaries(
        {
            "title": lines,
            "abstract": st.lists(lines, min_size=1, max_size=3).map("\n".join),
            "authors": st.lists(names, max_size=4),
        },
        optional={
            "year": st.integers(1500, 2100),
            "venue": st.sampled_from(("Nature", "Proc. of X & Y", "NeurIPS", "5% #_")) | lines,
            "doi": st.from_regex(r"10\.[0-9]{4}/[a-z0-9._()/-]{1,12}", fullmatch=True),
            "arxiv_id": st.sampled_from(("2301.00001", "cs/0112017", "math.GT/0309136")),
            "url": st.from_regex(
                r"https?://[a-z]{1,9}\.org/[a-zA-Z0-9%_~&?=#/-]{0,20}", fullmatch=True
            ),
        },
    )


names = st.sampled_from(
    ("Ann Lee", "Jan van der Berg", "Ludwig van Beethoven", "OpenAI", "Jörg Müller-Lüdenscheidt",
     "J. R. R. Tolkien", "Rand and Sons", "ATLAS Collaboration", "Seán O'Brien", "李 雷", "Plato",
     "Institute of Physics", "Ł. Kaiser", "Erdős Pál", "A & B Group", "bell hooks", "50% Nobody",
     "(Oggi)", "Ann (Oggi) Lee", "Ann Lee (Oggi)", "=Ann Lee", "-", "'+x", "@ann", "Ann {Lee}")
)  # fmt: skip
any_word = st.sampled_from(SIGNS) | st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
papers = st.lists(fields_of(any_word), max_size=8)


def records_of(text: str) -> list[Record]:
    """The records of a file that holds the text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "papers"
        path.write_text(text, encoding="utf-8", newline="")
        found = list(read_papers(path))
    assert all(isinstance(item, Record) for item in found), found
    return [item for item in found if isinstance(item, Record)]


def paper_of(record: Record) -> Paper:
    return Paper(
        "a" * 16,
        record.title,
        record.abstract,
        record.authors,
        record.year,
        record.venue,
        record.url,
        record.doi,
        record.arxiv_id,
        ("papers.jsonl",),
    )


def said(paper: Paper | Record, name: str) -> dict[str, object]:
    """What a paper says; in BibTeX and RIS a line break in an abstract is a space."""
    return {
        "title": paper.title,
        "abstract": (
            " ".join(paper.abstract.split()) if name in ("bibtex", "ris") else paper.abstract
        ),
        "authors": paper.authors,
        "year": paper.year,
        "venue": paper.venue,
        "doi": paper.doi,
        "arxiv_id": paper.arxiv_id,
        "url": paper.url,
    }


def readable(given_: list[dict[str, object]]) -> list[Paper]:
    """Those of the papers that can be held at all, as they are then held."""
    text = "".join(json.dumps(item) + "\n" for item in given_)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "papers.jsonl"
        path.write_text(text + '{"title": "End", "abstract": "The end."}\n' * 2, encoding="utf-8")
        found = list(read_papers(path))
    return [paper_of(item) for item in found if isinstance(item, Record)]


@pytest.mark.parametrize("name", READ_BACK)
@settings(deadline=None)
@example(given_=[{"title": "T", "abstract": "{ \\} }"}, {"title": "T", "abstract": "{a} {b}"}])
@given(given_=papers)
def test_what_is_written_is_read_back_the_same(name: str, given_: list[dict[str, object]]) -> None:
    held = readable(given_)
    back = records_of("".join(export_papers(held, name))) if held else []
    assert [said(item, name) for item in back] == [said(paper, name) for paper in held]


@pytest.mark.parametrize("name", READ_BACK)
def test_a_format_is_known_by_what_is_written_of_a_bare_paper(name: str) -> None:
    form = recognised("".join(export_papers([Paper("a" * 16, "A title", "An abstract.")], name)))
    begins = {"csl-json": "CSL-JSON", "jsonl": "JSON", "bibtex": "BibTeX"}.get(name, name.upper())
    assert form is not None
    assert form.name.startswith(begins)
