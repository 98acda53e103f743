"""JATS, the XML of full texts at PubMed Central and at publishers: only the front is used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from rag.ingest.formats.format import Format
from rag.ingest.formats.identifiers import pubmed_url
from rag.ingest.formats.xml_records import records
from rag.ingest.formats.xml_stream import root_name
from rag.ingest.formats.xml_text import inline_text, sections_text
from rag.ingest.text import TextSource
from rag.schema import BadRecord, Record

# The fronts of articles; those of letters and translations inside one are <front-stub>.
_NAMES = frozenset(("front",))
_SKIPPED = frozenset(
    ("aff", "author-notes", "bio", "contrib-id", "custom-meta-group", "email", "funding-group",
     "history", "kwd-group", "notes", "permissions", "related-article", "role")
)  # fmt: skip
_FRONT = re.compile(r"<(?:[\w.-]+:)?(?:front|article-meta|journal-meta)[\s>]")
_DTD = re.compile(r"<!DOCTYPE\s+article\s[^>\[]{0,300}(?:JATS|NLM//DTD)", re.IGNORECASE)
# The dates of the issue go before that of the first appearance, as journals are cited.
_DATES = ("ppub", "collection", "pub", "epub-ppub", "epub", "preprint")
# An abstract of another kind is taken only where there is no plain one.
_KINDS = ("", "section", "structured", "summary", "executive-summary", "short", "precis")
_NOT_ABSTRACTS = frozenset(("graphical", "toc", "video", "key-points", "highlights", "teaser"))


def recognise(head: str) -> bool:
    """Whether it is an article, or a set of them, with a front or a document type of JATS."""
    root = root_name(head)
    if root == "article":
        return _FRONT.search(head) is not None or _DTD.search(head) is not None
    return root in ("pmc-articleset", "articles", "OAI-PMH") and _FRONT.search(head) is not None


def read(source: TextSource) -> Iterator[Record | BadRecord]:
    """The articles, each with the line where its front begins.

    Raises:
        FileError: See `rag.ingest.formats.xml_records.records`.
    """
    return records(source, _NAMES, _SKIPPED, _fields, nothing="holds no article with a <front>")


def _fields(front: Element) -> dict[str, object]:
    article = front.find("article-meta")
    journal = front.find("journal-meta")
    article = Element("article-meta") if article is None else article
    journal = Element("journal-meta") if journal is None else journal
    ids = {
        number.get("pub-id-type"): inline_text(number) for number in article.findall("article-id")
    }
    return {
        "title": _title(article),
        "abstract": _abstract(article),
        "authors": _authors(article),
        "year": _year(article),
        "venue": inline_text(journal.find(".//journal-title"))
        or inline_text(journal.find(".//abbrev-journal-title"))
        or inline_text(journal.find("journal-id[@journal-id-type='nlm-ta']")),
        "doi": ids.get("doi"),
        "arxiv_id": ids.get("arxiv"),
        "url": _url(article, ids),
    }


def _title(article: Element) -> str:
    group = article.find("title-group")
    if group is None:
        return ""
    title, subtitle = _heading(group.find("article-title")), _heading(group.find("subtitle"))
    if not title or not subtitle:
        return title or subtitle
    return f"{title} {subtitle}" if title.endswith((":", "?", "!")) else f"{title}: {subtitle}"


def _heading(element: Element | None) -> str:
    """A title without the marks of its footnotes."""
    for part in [] if element is None else element.iter():
        for mark in part.findall("xref"):
            if mark.get("ref-type") != "bibr":
                tail = mark.tail
                mark.clear()
                mark.tail = tail
    return inline_text(element)


def _abstract(article: Element) -> str:
    """The plain abstract, else one of another kind, else a translated one."""
    plain = [
        abstract
        for abstract in article.findall("abstract")
        if abstract.get("abstract-type") not in _NOT_ABSTRACTS
    ]
    plain.sort(key=lambda abstract: _rank(abstract.get("abstract-type", ""), _KINDS))
    texts = map(sections_text, [*plain, *article.findall("trans-abstract")])
    return next(filter(None, texts), "")


def _authors(article: Element) -> list[dict[str, str]]:
    names = []
    for group in article.findall("contrib-group"):
        editors = "editor" in (group.get("content-type") or "")
        for contributor in group.findall("contrib"):
            kind = contributor.get("contrib-type") or ("editor" if editors else "author")
            if "author" in kind and "non-byline" not in kind:
                names.append(_name(contributor))
    return list(filter(None, names))


def _name(contributor: Element) -> dict[str, str]:
    """A person, or a group without its members."""
    for tag in ("name", "string-name"):
        name = contributor.find(tag)
        if name is None:
            name = contributor.find(f"name-alternatives/{tag}")
        if name is None:
            continue
        family = inline_text(name.find("surname"))
        if not family:
            return {"family": inline_text(name)}
        suffix = inline_text(name.find("suffix"))
        given = inline_text(name.find("given-names"))
        return {"given": given, "family": f"{family} {suffix}".strip()}
    group = contributor.find("collab")
    if group is None:
        group = contributor.find("collab-alternatives/collab")
    if group is None:
        return {}
    for members in group.findall("contrib-group"):
        members.clear()
    return {"family": inline_text(group)}


def _year(article: Element) -> str:
    dates = article.findall("pub-date")
    dates.sort(key=lambda date: _rank(date.get("pub-type") or date.get("date-type"), _DATES))
    return next(filter(None, (inline_text(date.find("year")) for date in dates)), "")


def _url(article: Element, ids: dict[str | None, str]) -> str:
    """The page at PubMed Central or PubMed, else the one that the article names for itself."""
    pmc = (ids.get("pmcid") or ids.get("pmc") or "").upper().removeprefix("PMC")
    if re.fullmatch(r"[0-9]+", pmc):
        return f"https://www.ncbi.nlm.nih.gov/pmc/articles/PMC{pmc}/"
    stated = (uri.get("href", "") for uri in article.findall("self-uri"))
    return pubmed_url(ids.get("pmid", "")) or next(stated, "")


def _rank(kind: str | None, order: tuple[str, ...]) -> int:
    return order.index(kind) if kind in order else len(order)


FORMAT = Format("JATS (articles of PubMed Central and publishers, .nxml)", recognise, read)
