"""What real files state, read without Footnoted's parsers: the other side of a comparison.

Each reading is a few lines over `re`, `json`, `csv` or `xml.etree` that fit the files at hand and
nothing else. They share no code with `rag.ingest`.
"""

from __future__ import annotations

import csv
import html
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

_MARKUP = re.compile(r"<[^<>]*>")


@dataclass(frozen=True, slots=True)
class Stated:
    """A record as its file states it.

    Attributes:
        title: Blank where there is none.
        abstract: Blank where there is none.
        authors: How many; None where the reading does not tell.
        year: Of the paper; None where the reading does not tell.
        doi: In small letters, blank where there is none; None where the reading does not tell.
        line: Where it begins; None where the reading does not tell.
    """

    title: str
    abstract: str
    authors: int | None = None
    year: int | None = None
    doi: str | None = None
    line: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it has both title and abstract, and so must come in."""
        return bool(self.title.strip() and self.abstract.strip())


def letters(text: str) -> str:
    """The letters and digits of a text in their order, without accents, case and LaTeX's signs."""
    bare = re.sub(r"\\[^A-Za-z\s]|\\[cvuHk](?=[\s{])", "", text)
    bare = unicodedata.normalize("NFKD", bare.replace("ı", "i"))
    return "".join(re.findall(r"[^\W_]", bare)).casefold()


def stated_in(path: Path) -> list[Stated]:
    """The records that a real file states, in its order; the kind is told by its folder.

    A file without any (a list of data sets, an error's body) states none.
    """
    kind = "bibtex" if path.suffix == ".bib" else path.parent.name
    return list(READINGS[kind](_text(path)))


def _text(path: Path) -> str:
    data = path.read_bytes()
    if b"\0" in data[:10]:
        return data.decode("utf-16-be" if data[:1] == b"\0" else "utf-16-le")
    return data.decode("utf-8-sig")


def _year(text: str) -> int | None:
    found = re.search(r"\b(?:1[5-9]|20)\d\d\b", text)
    return int(found[0]) if found else None


def _doi(text: str) -> str:
    found = re.search(r"10\.\d{4,}/\S+", text)
    return found[0].lower() if found else ""


def _bibtex(text: str) -> Iterator[Stated]:
    begins = list(re.finditer(r"(?mi)^\s*@(?!comment|string|preamble)\w+\s*\{", text))
    for found, following in zip(begins, [*begins[1:], None], strict=True):
        entry = text[found.start() : following.start() if following else len(text)]
        names = re.split(r"(?i)\s+and\s+", _braced(entry, "author"))
        named = [name for name in names if name.strip(" {}") not in ("", "others")]
        yield Stated(
            title=_braced(entry, "title"),
            abstract=_braced(entry, "abstract"),
            authors=len(named) if ";" not in _braced(entry, "author") else None,
            year=_year(_braced(entry, "year") or _braced(entry, "date")),
            doi=_doi(_braced(entry, "doi")) or _doi(_braced(entry, "url").partition("doi.org/")[2]),
            line=text.count("\n", 0, found.end()) + 1,
        )


def _braced(entry: str, name: str) -> str:
    """The value of a field in braces or quotation marks, or a bare number."""
    found = re.search(rf"(?mi)^\s*{name}\s*=\s*(?:([{{\"])|(\d+))", entry)
    if not found:
        return ""
    if found[2]:
        return found[2]
    depth, at = 0, found.end()
    while at < len(entry) and (depth > 0 or entry[at] != {"{": "}", '"': '"'}[found[1]]):
        depth += {"{": 1, "}": -1}.get(entry[at], 0)
        at += 1
    return " ".join(entry[found.end() : at].split())


def _ris(text: str) -> Iterator[Stated]:
    for block in re.split(r"(?m)^ER  -.*$", text):
        fields = _tagged(block, r"([A-Z][A-Z0-9])  -(.*)")
        if fields:
            yield Stated(
                title=_one(fields, "TI", "T1"),
                abstract=_one(fields, "AB", "N2"),
                authors=sum(len(fields.get(tag, ())) for tag in ("AU", "A1")),
                year=_year(_one(fields, "PY", "Y1")),
                doi=_doi(_one(fields, "DO")),
            )


def _medline(text: str) -> Iterator[Stated]:
    for block in re.split(r"\n\s*\n", text):
        fields = _tagged(block, r"([A-Z]{2,4}) *-(.*)")
        if fields:
            named = fields.get("FAU") or fields.get("AU") or []
            yield Stated(
                title=_one(fields, "TI"),
                abstract=" ".join(fields.get("AB", ())),
                authors=len(named) + len(fields.get("CN", ())),
                year=_year(_one(fields, "DP")),
                doi=_doi(" ".join(v for v in fields.get("AID", ()) if v.endswith("[doi]"))),
            )


def _tagged(block: str, line: str) -> dict[str, list[str]]:
    """The values of each tag; a line without one goes on with the value before."""
    fields: dict[str, list[str]] = {}
    last: list[str] = []
    for written in block.splitlines():
        found = re.fullmatch(line, written)
        if found:
            last = fields.setdefault(found[1], [])
            last.append(found[2].strip())
        elif last and written.strip():
            last[-1] = f"{last[-1]} {written.strip()}"
    return {tag: kept for tag, values in fields.items() if (kept := [v for v in values if v])}


def _one(fields: Mapping[str, list[str]], *tags: str) -> str:
    return next((fields[tag][0] for tag in tags if tag in fields), "")


def _pubmed_xml(text: str) -> Iterator[Stated]:
    tree = ET.fromstring(text.encode())  # noqa: S314 (known files)
    for record in [tree] if tree.tag.endswith("Article") else list(tree):
        for root in record.findall(".//{*}mroot"):  # the text has it as a power
            root[1].text = f"1/{root[1].text}"
        titles = [*record.iter("ArticleTitle"), *record.iter("BookTitle")]
        sections = record.findall(".//Abstract/AbstractText")
        labelled = (f"{each.get('Label', '')} {''.join(each.itertext())}" for each in sections)
        yield Stated(
            title="".join(titles[0].itertext()) if titles else "",
            abstract=" ".join(labelled),
            authors=len(record.findall(".//AuthorList/Author")),
            doi=record.findtext(".//Article/ELocationID[@EIdType='doi']", "").lower(),
        )


def _arxiv_atom(text: str) -> Iterator[Stated]:
    for entry in re.findall(r"<entry>(.*?)</entry>", text, re.DOTALL):
        fields = dict(re.findall(r"<([\w:]+)>([^<]*)</", entry))
        yield Stated(
            title=html.unescape(fields["title"]),
            abstract=html.unescape(fields["summary"]),
            authors=entry.count("<name>"),
            year=int(fields["published"][:4]),
            doi=fields.get("arxiv:doi", "").split(" ")[0].lower(),
        )


def _jats(text: str) -> Iterator[Stated]:
    front = text[: text.index("</front>")]
    [title] = re.findall(r"<article-title>(.*?)</article-title>", front)
    [abstract] = re.findall(r"<abstract>(.*?)</abstract>", front, re.DOTALL)
    yield Stated(
        title=html.unescape(_MARKUP.sub("", title)),
        abstract=html.unescape(_MARKUP.sub("", abstract)),
        authors=front.count('contrib-type="author"'),
        doi=re.findall(r'pub-id-type="doi">([^<]*)', front)[0].lower(),
    )


def _crossref(text: str) -> Iterator[Stated]:
    message = json.loads(text)["message"]
    works = message.get("items", [message])
    for work in works if isinstance(works, list) else []:
        if "DOI" not in work:
            continue
        markup = re.sub(
            r"(?i)<jats:title>(abstract|summary)</jats:title>", "", _of(work, "abstract")
        )
        titles = [*work.get("title", []), *work.get("subtitle", [])]
        yield Stated(
            title=_bare(" ".join(titles)),
            abstract=_bare(markup),
            authors=len(work.get("author", ())),
            year=work["issued"]["date-parts"][0][0] if "issued" in work else None,
            doi=work["DOI"].lower(),
        )


def _bare(markup: str) -> str:
    return html.unescape(html.unescape(_MARKUP.sub(" ", markup)))


def _openalex(text: str) -> Iterator[Stated]:
    document = json.loads(text)
    for work in document.get("results", [document]):
        if "authorships" in work:
            index = work.get("abstract_inverted_index") or {}
            placed = sorted((at, word) for word, places in index.items() for at in places)
            said = [word for _, word in placed]
            yield Stated(
                title=_bare(_of(work, "title")),
                abstract=" ".join(said[1:] if said[:1] == ["Abstract"] else said),
                authors=len(work["authorships"]),
                year=work["publication_year"],
                doi=_of(work, "doi").removeprefix("https://doi.org/").lower(),
            )


def _semantic_scholar(text: str) -> Iterator[Stated]:
    document = json.loads(text)
    names = ("data", "papers", "recommendedPapers")
    if isinstance(document, dict):
        is_paper = "paperId" in document or "citedPaper" in document  # or it is of a data set
        alone = [document] if is_paper else []
        document = next((document[name] for name in names if name in document), alone)
    for item in document:
        paper = (item or {}).get("citedPaper", item) or {}
        whole = bool(paper.get("abstract"))
        yield Stated(
            title=_of(paper, "title"),
            abstract=_of(paper, "abstract"),
            authors=len(paper["authors"]) if whole else None,
            year=paper["year"] if whole else None,
            doi=_of(paper["externalIds"], "DOI").lower() if whole else None,
        )


def _of(fields: Mapping[str, Any], name: str) -> str:
    return str(fields.get(name) or "")


def _arxiv_jsonl(text: str) -> Iterator[Stated]:
    for paper in map(json.loads, text.splitlines()):
        yield Stated(
            title=paper["title"],
            abstract=paper["abstract"],
            authors=len(paper["authors_parsed"]),
            year=2000 + int(paper["id"][:2]),
            doi=_of(paper, "doi").lower(),
        )


def _paperlists(text: str) -> Iterator[Stated]:
    for paper in json.loads(text):
        yield Stated(paper["title"], paper["abstract"], len(paper["author"].split(";")))


def _pubmedqa(text: str) -> Iterator[Stated]:
    for item in json.loads(text).values():
        yield Stated("", " ".join(item["CONTEXTS"]))


def _cord19(text: str) -> Iterator[Stated]:
    for row in csv.DictReader(text.splitlines(keepends=True)):
        yield Stated(
            title=row["title"],
            abstract=row["abstract"],
            authors=len(row["authors"].split(";")),
            year=_year(row["publish_time"]),
            doi=row["doi"].lower(),
        )


READINGS: Mapping[str, Callable[[str], Iterable[Stated]]] = {
    "arxiv_atom": _arxiv_atom,
    "arxiv_jsonl": _arxiv_jsonl,
    "bibtex": _bibtex,
    "crossref": _crossref,
    "csv": _cord19,
    "jats_nxml": _jats,
    "medline_txt": _medline,
    "nbib": _medline,
    "openalex": _openalex,
    "paperlists_json": _paperlists,
    "pubmed_xml": _pubmed_xml,
    "pubmedqa_json": _pubmedqa,
    "ris": _ris,
    "semantic_scholar": _semantic_scholar,
}
"""A reading for each folder of the real files."""
