"""Plain text: what begins a paper, what separates two, and what is no paper at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.ingest.formats import plain_text, recognised
from tests.formats import read

ABSTRACT = (
    "We study a thing that is new. It works better than what was known before, by a wide margin."
    " On all tasks."
)


def titles(tmp_path: Path, text: str) -> list[str]:
    records, bad = read(tmp_path, text)
    assert not bad
    return [record.title for record in records]


def test_a_title_an_empty_line_and_an_abstract(tmp_path: Path) -> None:
    (record,), bad = read(tmp_path, f"\nA title\nin two lines\n\n{ABSTRACT}\nMore.\n\nAnd more.\n")
    assert not bad
    assert record.title == "A title in two lines"
    assert record.abstract == f"{ABSTRACT}\nMore.\n\nAnd more."
    assert record.place.line == 2


@pytest.mark.parametrize(
    "between", ["\n---\n", "\n\n---\n\n", "\n\n\n", "\n\n=====\n", "\n\n* * *\n", "\n\n"]
)
def test_what_separates_papers(tmp_path: Path, between: str) -> None:
    text = between.join(f"Title {name}\n\n{ABSTRACT}" for name in ("one", "two", "three"))
    if "* *" in between:  # three asterisks with spaces are prose
        assert titles(tmp_path, text) != ["Title one", "Title two", "Title three"]
    else:
        assert titles(tmp_path, text) == ["Title one", "Title two", "Title three"]


def test_headings_in_an_abstract_are_no_titles(tmp_path: Path) -> None:
    text = f"Title\n=====\n\nBackground\n{ABSTRACT}\n\nMethods and Results:\n\n{ABSTRACT}\n"
    (record,), _ = read(tmp_path, text)
    assert record.title == "Title"
    assert record.abstract.count(ABSTRACT) == 2
    assert "Methods and Results:" in record.abstract


@pytest.mark.parametrize(
    "text",
    [
        f"Title: T\nAuthor: Smith, A; Bo Jones\nYear: 2020\nDOI: 10.1000/X\n\nAbstract: {ABSTRACT}",
        f"T\nAuthors: Smith, A; Bo Jones\nYear: 2020\ndoi: 10.1000/X\n\nAbstract\n{ABSTRACT}",
        f"T\n\nAuthor: Smith, A; Bo Jones\nDate: May 2020\nDOI: 10.1000/X\n\nAbstract:\n{ABSTRACT}",
    ],
)
def test_what_is_labelled_is_taken(tmp_path: Path, text: str) -> None:
    (record,), bad = read(tmp_path, text)
    assert not bad
    assert (record.title, record.abstract) == ("T", ABSTRACT)
    assert (record.authors, record.year) == (("A Smith", "Bo Jones"), 2020)
    assert record.doi == "10.1000/x"


def test_a_paper_without_abstract_or_title_is_reported_with_its_line(tmp_path: Path) -> None:
    text = f"One\n\n{ABSTRACT}\n---\nTwo\n---\n---\n{ABSTRACT}\n\n\nThree\n\n{ABSTRACT}"
    records, bad = read(tmp_path, text)
    assert [record.title for record in records] == ["One", "Three"]
    assert [(item.place.line, item.reason[:22]) for item in bad] == [
        (5, 'no abstract for the ti'), (8, "no title for the abstr"),
    ]  # fmt: skip


def test_a_text_without_end_is_reported_and_the_next_paper_read(tmp_path: Path) -> None:
    long = "Some words of a book that has no end at all.\n" * 20_000
    records, bad = read(tmp_path, f"One\n\n{ABSTRACT}\n---\n{long}\n---\nTwo\n\n{ABSTRACT}\n")
    assert [record.title for record in records] == ["One", "Two"]
    assert [item.place.line for item in bad] == [5]
    assert "without a line of --- between" in bad[0].reason


@pytest.mark.parametrize(
    "text",
    [
        "Just some prose.\n\nAnd more of it.", "", "Title", f"{ABSTRACT}\n\n{ABSTRACT}",
        f"# A heading\n\n{ABSTRACT}", f"README\n\n{ABSTRACT}", f"Dear Sir,\n\n{ABSTRACT}",
        f"Copyright 2020 Ann\n\n{ABSTRACT}", f"MIT License\n\n{ABSTRACT}", f"<p>\n\n{ABSTRACT}",
        f"@article{{x,\n\n{ABSTRACT}", f"TY  - JOUR\n\n{ABSTRACT}", "import os\n\nprint('x')",
        f"Title\n{ABSTRACT}", "Title\n\n" + "x" * 5_000,
    ],
)  # fmt: skip
def test_other_text_is_no_paper(text: str) -> None:
    assert not plain_text.recognise(text)


@given(st.text(alphabet="aB \n-=.:#\u00e9", max_size=400))
@settings(deadline=None)
def test_any_text_is_recognised_or_not(text: str) -> None:
    plain_text.recognise(text)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=5))
@settings(deadline=None)
def test_papers_come_back(tmp_path_factory: pytest.TempPathFactory, sizes: list[int]) -> None:
    folder = tmp_path_factory.mktemp("text")
    papers = [(f"Title {n}", "\n\n".join([ABSTRACT] * size)) for n, size in enumerate(sizes)]
    text = "\n---\n".join(f"{title}\n\n{abstract}" for title, abstract in papers)
    records, bad = read(folder, text)
    assert [(record.title, record.abstract) for record in records] == papers
    assert not bad


def test_a_page_of_daily_papers_is_not_taken_for_plain_text() -> None:
    form = recognised(f"Daily Papers\n\nTitle\n\n{ABSTRACT}")
    assert form is not None
    assert form is not plain_text.FORMAT
