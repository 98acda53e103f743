"""PubMed's XML: sets of articles and book entries, as efetch and the yearly files give them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from rag.ingest.formats.format import Format
from rag.ingest.formats.identifiers import pubmed_url
from rag.ingest.formats.xml_records import records
from rag.ingest.formats.xml_stream import root_name
from rag.ingest.formats.xml_text import inline_text, labelled
from rag.ingest.text import TextSource
from rag.schema import BadRecord, Record

ARTICLES = frozenset(("PubmedArticle", "PubmedBookArticle"))
# What holds the records where it is not a set of the above: older files, and parts of newer ones.
_RECORDS = {
    "PubmedArticleSet": ARTICLES,
    "PubmedBookArticleSet": ARTICLES,
    "PubmedArticle": ARTICLES,
    "PubmedBookArticle": ARTICLES,
    "MedlineCitationSet": frozenset(("MedlineCitation",)),
    "MedlineCitation": frozenset(("MedlineCitation",)),
    "BookDocumentSet": frozenset(("BookDocument",)),
    "BookDocument": frozenset(("BookDocument",)),
}
_SKIPPED = frozenset(
    ("AffiliationInfo", "Affiliation", "ChemicalList", "CitationSubset", "CommentsCorrectionsList",
     "DataBankList", "GeneSymbolList", "GrantList", "InvestigatorList", "KeywordList",
     "MeshHeadingList", "PersonalNameSubjectList", "PublicationTypeList", "ReferenceList",
     "Sections", "SupplMeshList", "Identifier", "CopyrightInformation")
)  # fmt: skip
_NO_TITLE = re.compile(r"\[?not available\]?\.?", re.IGNORECASE)
_NO_ABSTRACT = re.compile(r"abstract available from the publisher\.?", re.IGNORECASE)


def recognise(head: str) -> bool:
    """Whether the first element is one of PubMed's."""
    return root_name(head) in _RECORDS


def read(source: TextSource) -> Iterator[Record | BadRecord]:
    """The articles and book entries, each with the line where it begins.

    Raises:
        FileError: See `rag.ingest.formats.xml_records.records`.
    """
    names = _RECORDS.get(root_name(source.head) or "", ARTICLES)
    return records(source, names, _SKIPPED, _fields, nothing="holds no article of PubMed")


def _fields(record: Element) -> dict[str, object]:
    book = record if record.tag == "BookDocument" else record.find("BookDocument")
    fields = _article(record) if book is None else _book(book)
    pmid = inline_text(record.find(".//PMID"))
    return fields | {"url": _id(record, "url") or pubmed_url(pmid)}


def _article(record: Element) -> dict[str, object]:
    citation = record if record.tag == "MedlineCitation" else record.find("MedlineCitation")
    article = None if citation is None else citation.find("Article")
    if citation is None or article is None:
        return {}
    journal = article.find("Journal")
    located = {
        place.get("EIdType"): inline_text(place)
        for place in article.findall("ELocationID")
        if place.get("ValidYN") != "N"
    }
    pii = located.get("pii", "")
    return {
        "title": _title(article),
        "abstract": _abstract(article.find("Abstract"), citation.findall("OtherAbstract")),
        "authors": _authors(article.find("AuthorList")),
        "year": _first(
            _year(article.find("Journal/JournalIssue/PubDate")),
            _year(article.find("ArticleDate")),
            _year(record.find("PubmedData/History/PubMedPubDate")),
        ),
        "venue": _first(
            inline_text(journal.find("Title")) if journal is not None else "",
            inline_text(journal.find("ISOAbbreviation")) if journal is not None else "",
            inline_text(citation.find("MedlineJournalInfo/MedlineTA")),
        ),
        "doi": located.get("doi") or _id(record, "doi"),
        "arxiv_id": pii if pii.lower().startswith("arxiv:") else None,
    }


def _book(document: Element) -> dict[str, object]:
    """A book, or a chapter of one: its own title, date and authors go before the book's."""
    chapter = inline_text(document.find("ArticleTitle"))
    book = document.find("Book")
    if book is None:
        book = Element("Book")
    of_book = inline_text(book.find("BookTitle"))
    published = _year(book.find("PubDate"))
    written = _year(document.find("ContributionDate"))
    return {
        "title": chapter or of_book,
        "abstract": _abstract(document.find("Abstract"), []),
        "authors": _authors(*document.findall("AuthorList"), *book.findall("AuthorList")),
        "year": _first(written, published) if chapter else _first(published, written),
        "venue": _first(
            of_book if chapter else "",
            inline_text(book.find("CollectionTitle")),
            inline_text(book.find("Publisher/PublisherName")),
        ),
        "doi": _id(document, "doi"),
    }


def _title(article: Element) -> str:
    title = inline_text(article.find("ArticleTitle"))
    if not title or _NO_TITLE.fullmatch(title):
        return inline_text(article.find("VernacularTitle"))
    return title


def _abstract(main: Element | None, others: list[Element]) -> str:
    """The main abstract, else another one: in English if there is one.

    The sections of a structured one are labelled, each on its line.
    """
    ranked = sorted(others, key=lambda other: other.get("Language", "eng") != "eng")
    for abstract in (main, *ranked):
        sections = [] if abstract is None else abstract.findall("AbstractText")
        text = "\n".join(filter(None, map(_section, sections)))
        if text and not _NO_ABSTRACT.fullmatch(text):
            return text
    return ""


def _section(element: Element) -> str:
    label = element.get("Label", "")
    return labelled(None if label.upper() == "UNLABELLED" else label, inline_text(element))


def _authors(*lists: Element | None) -> list[dict[str, str]]:
    """The authors of the first list that has some; of a book without authors its editors."""
    given = [listed for listed in lists if listed is not None]
    for listed in sorted(given, key=lambda some: some.get("Type") == "editors"):
        names = [_name(author) for author in listed if author.get("ValidYN") != "N"]
        if any(names):
            return [name for name in names if name]
    return []


def _name(author: Element) -> dict[str, str]:
    if group := inline_text(author.find("CollectiveName")):
        return {"family": group}
    given = inline_text(author.find("ForeName")) or inline_text(author.find("Initials"))
    family = " ".join((inline_text(author.find("LastName")), inline_text(author.find("Suffix"))))
    return {"given": given, "family": family.strip()} if given or family.strip() else {}


def _year(date: Element | None) -> str:
    """Of a date, or of one in words such as "1998 Dec-1999 Jan", what says the year."""
    if date is None:
        return ""
    return inline_text(date.find("Year")) or inline_text(date.find("MedlineDate"))


def _id(record: Element, kind: str) -> str:
    """An identifier of the record itself, not of a work that it cites."""
    for path in ("PubmedData/ArticleIdList", "PubmedBookData/ArticleIdList", "ArticleIdList"):
        for found in record.findall(f"{path}/ArticleId"):
            if found.get("IdType") == kind and (text := inline_text(found)):
                return text
    return ""


def _first(*texts: str) -> str:
    return next(filter(None, texts), "")


FORMAT = Format("PubMed XML (articles and books)", recognise, read)
