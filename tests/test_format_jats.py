"""JATS: the fronts of articles, whatever stands behind them."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import FileError
from rag.ingest.formats import jats
from rag.ingest.reading import read_papers
from rag.schema import BadRecord, Record
from tests.held_text import HeldText
from tests.makers import SHARED

REAL = SHARED / "bench" / "formats"

needs_real_files = pytest.mark.skipif(
    not REAL.is_dir(), reason="the real files are not in this checkout"
)

DOCTYPE = (
    '<!DOCTYPE article PUBLIC "-//NLM//DTD JATS (Z39.96) Journal Archiving and Interchange DTD '
    'v1.0 20120330//EN" "JATS-archivearticle1.dtd">\n'
)
TITLE = "<title-group><article-title>T</article-title></title-group>"
ABSTRACT = "<abstract><p>A.</p></abstract>"


def article(meta: str = TITLE + ABSTRACT, journal: str = "", body: str = "<body/>") -> str:
    return (
        f'<article xmlns:xlink="http://www.w3.org/1999/xlink"><?properties open_access?><front>'
        f"<journal-meta>{journal}</journal-meta><article-meta>{meta}</article-meta></front>{body}"
        "</article>\n"
    )


def read(text: str) -> list[str]:
    """Titles, and reports as "line: reason"."""
    return [
        item.title if isinstance(item, Record) else f"{item.place.line}: {item.reason}"
        for item in jats.read(HeldText(text))
    ]


def one(*parts: str) -> Record:
    (record,) = jats.read(HeldText(DOCTYPE + article(*parts)))
    assert isinstance(record, Record), record
    return record


# Fields


def test_a_front_gives_every_field() -> None:
    people = (
        "<contrib-group><contrib contrib-type='author'><name><surname>Tjønneland</surname>"
        "<given-names>A B</given-names><suffix>Jr</suffix></name><xref ref-type='aff'>1</xref>"
        "</contrib><contrib contrib-type='author'><collab>The Group, Ltd<contrib-group><contrib>"
        "<name><surname>Member</surname></name></contrib></contrib-group></collab></contrib>"
        "<contrib contrib-type='editor'><name><surname>Ed</surname></name></contrib>"
        "<contrib><string-name>Ann Smith</string-name></contrib>"
        "<contrib contrib-type='author non-byline'><name><surname>No</surname></name></contrib>"
        "<contrib><name-alternatives><name><surname>Li</surname><given-names>Na</given-names>"
        "</name><string-name>李娜</string-name></name-alternatives></contrib></contrib-group>"
        "<contrib-group content-type='editors'><contrib><name><surname>Ed</surname></name>"
        "</contrib></contrib-group>"
    )
    ids = (
        "<article-id pub-id-type='pmid'>5</article-id><article-id pub-id-type='pmc'>77</article-id>"
        "<article-id pub-id-type='doi'>10.1000/ABC</article-id>"
    )
    journal = (
        "<journal-title-group><journal-title>The journal</journal-title></journal-title-group>"
    )
    record = one(ids + TITLE + people + ABSTRACT, journal)
    assert (record.title, record.abstract) == ("T", "A.")
    assert record.authors == ("A B Tjønneland Jr", "The Group, Ltd", "Ann Smith", "Na Li")
    assert (record.venue, record.doi) == ("The journal", "10.1000/abc")
    assert record.url == "https://www.ncbi.nlm.nih.gov/pmc/articles/PMC77/"
    assert record.place.line == 2


@pytest.mark.parametrize(
    ("ids", "url"),
    [
        ("<article-id pub-id-type='pmcid'>PMC7</article-id>", "pmc/articles/PMC7/"),
        ("<article-id pub-id-type='pmid'>5</article-id>", "pubmed.ncbi.nlm.nih.gov/5/"),
        ("<self-uri xlink:href='https://a.org/b'/>", "https://a.org/b"),
        ("<self-uri xlink:href='file.pdf'/>", None),
        ("", None),
    ],
)
def test_the_address_is_the_best_that_is_stated(ids: str, url: str | None) -> None:
    found = one(ids + TITLE + ABSTRACT).url
    assert found is None if url is None else (found or "").endswith(url)


@pytest.mark.parametrize(
    ("kinds", "year"),
    [
        (("pub-type='epub'", "pub-type='ppub'"), 2002),
        (("pub-type='pmc-release'", "date-type='pub'"), 2002),
        (("pub-type='epub'", "pub-type='pmc-release'"), 2001),
        ((), None),
    ],
)
def test_the_year_is_that_of_the_issue_if_it_is_stated(
    kinds: tuple[str, ...], year: int | None
) -> None:
    stated = (f"<pub-date {kind}><year>{n}</year></pub-date>" for n, kind in enumerate(kinds, 2001))
    dates = f"<pub-date pub-type='ppub'><month>1</month></pub-date>{''.join(stated)}"
    assert one(dates + TITLE + ABSTRACT).year == year


def test_a_title_has_its_subtitle_and_no_marks_of_footnotes() -> None:
    title = (
        "<title-group><article-title>On <italic>E. coli</italic><xref ref-type='fn'>*</xref>"
        "<sup><xref ref-type='fn'>†</xref></sup> now<fn><p>note</p></fn></article-title>"
        "<subtitle>A study</subtitle><alt-title>Short</alt-title></title-group>"
    )
    assert one(title + ABSTRACT).title == "On E. coli now: A study"


# Abstracts


def test_a_structured_abstract_has_a_labelled_line_for_each_section() -> None:
    abstract = (
        "<abstract><title>Abstract</title><sec><title>Background:</title><p>One<xref>1</xref> "
        "H<sub>2</sub>O.</p></sec>\n<sec><title>Methods</title><p>Two.</p><p>Three.</p></sec>"
        "</abstract>"
    )
    assert one(TITLE + abstract).abstract == "Background: One1 H2O.\nMethods: Two.\nThree."


def test_of_several_abstracts_the_plain_one_is_taken() -> None:
    graphical = "<abstract abstract-type='graphical'><p><graphic/>Figure.</p></abstract>"
    author = "<abstract abstract-type='author-summary'><p>Simple.</p></abstract>"
    french = "<trans-abstract xml:lang='fr'><p>Un.</p></trans-abstract>"
    assert one(TITLE + graphical + author + ABSTRACT + french).abstract == "A."
    assert one(TITLE + graphical + author + french).abstract == "Simple."
    assert one(TITLE + graphical + french).abstract == "Un."
    assert read(article(TITLE + graphical)) == ['1: no abstract for the title "T"']


# Files


def test_only_the_front_is_read_and_not_those_of_letters_inside() -> None:
    body = (
        "<body><sec><title>Front</title><p>text</p></sec></body><sub-article><front-stub>"
        "<title-group><article-title>Letter</article-title></title-group></front-stub>"
        "</sub-article>"
    )
    assert read(article(body=body)) == ["T"]


def test_a_set_and_files_that_follow_each_other_give_every_article() -> None:
    two = article() + article(TITLE.replace("T", "U") + ABSTRACT)
    assert read(f"<pmc-articleset>{two}</pmc-articleset>") == ["T", "U"]
    assert read(f"<?xml version='1.0'?>{DOCTYPE}{article()}{DOCTYPE}{article()}") == ["T", "T"]


def test_damage_in_a_body_is_told_and_costs_no_paper() -> None:
    text = f"<pmc-articleset>{article(body='<p>a & b</p>')}{article()}</pmc-articleset>"
    assert read(text) == ["T", "1: not valid XML: not well-formed (invalid token)", "T"]
    assert read(article(body="<body><p>cut")[:-20]) == ["T", "1: the XML is cut off here"]


def test_damage_in_a_front_costs_that_article_alone() -> None:
    broken = article(TITLE.replace("T", "a & b") + ABSTRACT)
    assert read(f"<pmc-articleset>\n{article()}{broken}{article()}</pmc-articleset>") == [
        "T",
        "3: not valid XML: not well-formed (invalid token)",
        "T",
    ]


def test_an_article_without_a_front_says_so() -> None:
    assert read("<article><body/></article>") == ["None: holds no article with a <front>"]
    assert read("<article><front/></article>") == [
        "1: neither title nor abstract: a paper needs both"
    ]


def test_declared_entities_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.nxml"
    path.write_text(f"<!DOCTYPE article [<!ENTITY a SYSTEM 'http://127.0.0.1:9/'>]>{article()}")
    with pytest.raises(FileError, match="refused: its DOCTYPE holds declarations"):
        list(read_papers(path))


def test_an_article_of_docbook_is_not_taken_for_jats() -> None:
    assert not jats.recognise("<article><title>T</title><para>text</para></article>")
    assert jats.recognise(DOCTYPE)
    assert jats.recognise("<OAI-PMH><record><metadata><article><front>")


@given(st.text())
def test_nothing_in_a_text_makes_reading_fail(text: str) -> None:
    assert all(isinstance(item, BadRecord) for item in jats.read(HeldText(text)))


@given(st.lists(st.sampled_from(["<p>", "</p>", "<sec>", "</sec>", "<title>", "</title>", "x. "])))
def test_no_markup_in_an_abstract_makes_reading_fail(parts: list[str]) -> None:
    text = article(f"{TITLE}<abstract>{''.join(parts)}</abstract>")
    assert all(isinstance(item, Record | BadRecord) for item in jats.read(HeldText(text)))


# Real files


@needs_real_files
def test_every_real_article_is_read_as_it_stands_in_the_file() -> None:
    paths = sorted((REAL / "jats_nxml").iterdir())
    for path in paths:
        raw = path.read_text(encoding="utf-8")
        (record,) = read_papers(path)
        assert isinstance(record, Record)
        front = raw[: raw.index("</front>")]
        abstract = re.search(r"<abstract>(.*?)</abstract>", front, re.DOTALL)
        title = re.search(r"<article-title>(.*?)</article-title>", front)
        assert abstract
        assert title
        assert record.title == unescape(re.sub("<[^>]*>", "", title[1]))
        labels = re.sub(r":?</title><p>", ": ", abstract[1])
        lines = re.sub(r"</p>(?=.)", "\n", labels)
        assert record.abstract == unescape(re.sub("<[^>]*>", "", lines)).strip()
        assert len(record.authors) == front.count('contrib-type="author"')
        years = re.findall(r"<pub-date[^>]*>.*?<year>(\d+)", front)
        assert str(record.year) in years
        assert record.doi == re.findall(r'pub-id-type="doi">([^<]*)', front)[0].lower()
    assert len(paths) == 2
