"""Crossref: works with abstracts in JATS, alone, in a page, and in the yearly file."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.ingest.formats import crossref
from rag.ingest.formats.markup import abstract_text, title_text
from tests.formats import format_of, only, read, real_files, split

WORK: dict[str, object] = {
    "DOI": "10.1000/ABC",
    "URL": "https://doi.org/10.1000/abc",
    "is-referenced-by-count": 9,
    "title": ["On <i>E. coli</i>"],
    "subtitle": ["A study"],
    "container-title": ["Lecture Notes", "ECCV"],
    "abstract": "<jats:title>Abstract</jats:title><jats:p>We show it.</jats:p>",
    "author": [
        {"given": "Ann", "family": "Smith", "affiliation": [{"name": "X"}]},
        {"name": "The Group, of All", "sequence": "additional"},
    ],
    "created": {"date-parts": [[2003, 1, 1]]},
    "issued": {"date-parts": [[1999, 5]]},
    "reference": [{"article-title": "Other", "DOI": "10.1/x"}],
}


def page(*works: object) -> dict[str, object]:
    message = {"facets": {}, "total-results": 9, "items": works, "query": {"search-terms": None}}
    return {"status": "ok", "message-type": "work-list", "message": message}


def test_a_work_becomes_a_record(tmp_path: Path) -> None:
    for document in (
        {"status": "ok", "message-type": "work", "message": WORK},
        page(WORK),
        {"items": [WORK]},
        [WORK],
        WORK,
    ):
        record = only(tmp_path, document)
        assert record.title == "On E. coli: A study"
        assert record.abstract == "We show it."
        assert record.authors == ("Ann Smith", "The Group, of All")
        assert (record.year, record.venue, record.doi) == (1999, "Lecture Notes", "10.1000/abc")
        assert format_of(document) == crossref.FORMAT.name


def test_when_a_work_was_deposited_is_not_its_year(tmp_path: Path) -> None:
    assert only(tmp_path, [WORK | {"issued": {"date-parts": [[None]]}}]).year is None
    published = {"published": {"date-parts": [[1998]]}}
    assert only(tmp_path, [WORK | published]).year == 1998


def test_a_preprints_venue_is_who_posted_it(tmp_path: Path) -> None:
    preprint = WORK | {"container-title": [], "institution": [{"name": "bioRxiv"}]}
    assert only(tmp_path, [preprint]).venue == "bioRxiv"


def test_a_large_page_streams_and_a_broken_work_costs_itself(tmp_path: Path) -> None:
    works = [WORK | {"title": [f"T{n}"], "subtitle": []} for n in range(30)]
    text = json.dumps(page(*works), indent=1)
    records, bad = read(tmp_path, text.replace('"T7"', '"T7'))
    titles = [record.title for record in records]
    assert titles == [f"T{n}" for n in range(30) if n != 7]
    assert len(bad) == 1
    records, bad = read(tmp_path, text[: text.index('"T20"')])
    assert [record.title for record in records] == [f"T{n}" for n in range(20)]
    assert bad


SECTIONS = (
    "<jats:sec><jats:title>Aims:</jats:title><jats:p>To.</jats:p></jats:sec>"
    "<jats:sec><jats:title>RESULTS</jats:title><jats:p>Seen.</jats:p></jats:sec>"
)
FORMULA = (
    "in <jats:inline-formula><jats:alternatives><jats:tex-math>$x$</jats:tex-math>"
    "<mml:math><mml:mi>x</mml:mi></mml:math></jats:alternatives></jats:inline-formula> we"
)


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("plain &amp; simple", "plain & simple"),
        ("<jats:p>p &amp;lt; 0.05</jats:p>", "p < 0.05"),
        ("<jats:p>One.</jats:p>\n  <jats:p>Two  is\n here.</jats:p>", "One.\nTwo is here."),
        (
            SECTIONS,
            "Aims: To.\nRESULTS: Seen.",
        ),
        ("<jats:title>Summary</jats:title>Text.", "Text."),
        ("<p>H<sub>2</sub>O at 10<sup>-3</sup> m<sup>2</sup></p>", "H2O at 10^-3 m2"),
        ("5<jats:sup>th</jats:sup> place", "5th place"),
        (
            FORMULA,
            "in $x$ we",
        ),
        (
            r"<jats:tex-math>\documentclass{a}\begin{document}$y$\end{document}</jats:tex-math>",
            "$y$",
        ),
        ("targeting<jats:italic>MLH1</jats:italic>for all", "targeting MLH1 for all"),
        ("the <jats:italic>SNP</jats:italic>s", "the SNPs"),
        ("a <unknown> b and x<5, y>3", "a <unknown> b and x<5, y>3"),
        ("<jats:p>open", "open"),
        ("<jats:sec><jats:title>End</jats:title></jats:sec>", "End"),
        ("<!-- no -->yes", "yes"),
        ("", ""),
    ],
)
def test_markup_becomes_text(markup: str, text: str) -> None:
    assert abstract_text(markup) == text


def test_jats_is_read_whatever_file_it_stands_in(tmp_path: Path) -> None:
    records, _ = read(tmp_path, "title,abstract\nT,<jats:p>We show it.</jats:p>\n")
    assert records[0].abstract == "We show it."


PIECES = st.sampled_from(
    ["<jats:p>", "</jats:p>", "<jats:title>", "</jats:title>", "<sup>", "</sup>", "<mml:math>",
     "</mml:math>", "<jats:alternatives>", "</jats:alternatives>", "&amp;", "&lt;", "<", ">", "5",
     "word ", "<i a='b'>", "</i>", "\\documentclass", "<!--", "-->", "\n"]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join)))
def test_whatever_the_markup_text_comes_of_it(markup: str) -> None:
    for line in abstract_text(markup).split("\n"):
        assert line == " ".join(line.split())
    title_text(markup)


def test_hostile_markup_is_read_in_time() -> None:
    for markup in ("<jats:p " * 50_000, "<!--" * 50_000, "<sup>1" * 20_000, "&amp;" * 50_000):
        abstract_text(markup)


def test_real_files_give_every_work_with_an_abstract() -> None:
    for path in real_files("crossref"):
        text = path.read_text(encoding="utf-8")
        message = json.loads(text)["message"]
        works = message.get("items", [message])
        records, bad = split(path)
        assert format_of(json.loads(text)) == crossref.FORMAT.name
        raw = re.findall(r'"abstract"\s*:\s*"((?:[^"\\]|\\.)*)"', text)
        assert len(records) == len(raw), path.name
        assert len(bad) == max(1 - len(records), len(works) - len(records)), path.name
        for record, markup in zip(records, raw, strict=True):
            words = re.findall(r"\w+", html.unescape(html.unescape(_without_tags(markup))))
            got = re.findall(r"\w+", record.abstract)
            assert [word for word in words if word not in ("Abstract", "ABSTRACT")] == got
            assert not re.search(
                r"<|&\w+;|\s\s", record.abstract.replace("<75", "").replace("<5%", "")
            )


def _without_tags(raw: str) -> str:
    text = str(json.loads(f'"{raw}"'))
    # This server glues names in italics to the words around them.
    return re.sub(r"<[^<>]*>", " ", re.sub(r"(?<=\d)<jats:su[bp]>|</jats:su[bp]>", "", text))
