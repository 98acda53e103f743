"""Papers as BibTeX."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from rag.schema import Paper

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
_SMALL = {"a", "an", "the", "on", "of", "in", "for", "to", "is", "are"}


def bibtex(papers: Iterable[Paper]) -> str:
    """One entry for each paper, in order; every text as TeX prints it, unknown fields left out.

    Keys are the first author's name, the year and a word of the title; a number tells
    equal ones apart.
    """
    taken: set[str] = set()
    entries = []
    for paper in papers:
        key = _free(_key(paper), taken)
        taken.add(key)
        entries.append(_entry(key, paper))
    return "\n".join(entries)


def _entry(key: str, paper: Paper) -> str:
    kind = "article" if paper.venue else "misc"
    fields = {
        "title": f"{{{_tex(paper.title)}}}",  # braced twice: styles leave its capitals alone
        "author": " and ".join(map(_author, paper.authors)),
        "year": str(paper.year or ""),
        "journal": _tex(paper.venue or ""),
        "doi": _tex(paper.doi or ""),
        "eprint": _tex(paper.arxiv_id or ""),
        "archiveprefix": "arXiv" if paper.arxiv_id else "",
        "url": paper.link or "",
    }
    width = max(map(len, fields))
    lines = [f"  {name:<{width}} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{kind}{{{key},", *lines, "}", ""])


def _author(name: str) -> str:
    """A name in which a word "and" does not part two authors."""
    text = _tex(name)
    return f"{{{text}}}" if re.search(r"\band\b", name, re.IGNORECASE) else text


def _tex(text: str) -> str:
    plain = "".join(c if c.isprintable() else " " for c in text)
    return "".join(_SPECIAL.get(c, c) for c in " ".join(plain.split()))


def _key(paper: Paper) -> str:
    first = paper.authors[0] if paper.authors else ""
    family = first.split(",")[0] if "," in first else first.split()[-1] if first.split() else ""
    words = [_ascii(word) for word in paper.title.split()]
    word = next((w for w in words if w and w not in _SMALL), "")
    return f"{_ascii(family)}{paper.year or ''}{word}" or "paper"


def _ascii(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return re.sub(r"[^a-z0-9]", "", decomposed)


def _free(key: str, taken: set[str]) -> str:
    number = 2
    free = key
    while free in taken:
        free = f"{key}-{number}"
        number += 1
    return free
