"""DOIs and arXiv ids as files write them, in one form."""

from __future__ import annotations

import re
from urllib.parse import unquote

_DOI = re.compile(r"10\.\d{4,9}/[^\s\"<>]+")
_DOI_PREFIX = re.compile(r"(?:(?:https?://)?(?:dx\.|www\.)?doi\.org/|doi:?\s*)", re.IGNORECASE)
# Four digits up to 2014, five since: a table that took the id for a number has lost its zeros.
_NEW_ID = (
    r"(?:0[7-9]|1[0-4])(?:0[1-9]|1[0-2])\.\d{4}(?!\d)"
    r"|(?:1[5-9]|[2-8]\d)(?:0[1-9]|1[0-2])\.\d{5}(?!\d)"
)
_ARCHIVES = (
    r"astro-ph|cond-mat|gr-qc|hep-(?:ex|lat|ph|th)|math-ph|nucl-(?:ex|th)|quant-ph|math|physics"
    r"|nlin|cs|q-bio|q-alg|cmp-lg|alg-geom|dg-ga|funct-an|solv-int|chao-dyn|patt-sol|adap-org"
    r"|comp-gas|acc-phys|ao-sci|atom-ph|bayes-an|chem-ph|mtrl-th|plasm-ph|supr-con"
)
_OLD_ID = rf"(?:{_ARCHIVES})(?:\.[a-z]{{2}})?/\d{{2}}(?:0[1-9]|1[0-2])\d{{3}}(?!\d)"
_ARXIV = re.compile(
    rf"(?:arxiv:\s*|10\.48550/arxiv\.)?({_NEW_ID}|{_OLD_ID})(?:v\d+)?(?:\s*\[[\w.-]+\])?",
    re.IGNORECASE,
)
_ARXIV_URL = re.compile(
    rf"arxiv\.org/(?:abs|pdf|html|format)/({_NEW_ID}|{_OLD_ID})(?:v\d+)?", re.IGNORECASE
)


def doi_from(text: str | None) -> str | None:
    """A DOI in lower case without ``https://doi.org/`` or ``doi:``; None if it is not one."""
    if not text:
        return None
    bare = _DOI_PREFIX.sub("", text.strip(), count=1)
    return bare.lower() if _DOI.fullmatch(bare) else None


def doi_in_url(url: str | None) -> str | None:
    """The DOI that an address of doi.org holds."""
    if not url or not re.match(r"https?://(?:dx\.|www\.)?doi\.org/", url, re.IGNORECASE):
        return None
    return doi_from(unquote(url))


def arxiv_id_from(text: str | None) -> str | None:
    """An arXiv id without version, as in ``2212.11867`` and ``cs/0112017``; None if it is not one.

    Taken are ``arXiv:2212.11867v2``, the DOIs that arXiv gives, and addresses at arXiv.
    """
    if not text:
        return None
    found = _ARXIV.fullmatch(text.strip())
    return _canonical(found[1]) if found else arxiv_id_in_url(text)


def arxiv_id_in_url(url: str | None) -> str | None:
    """The arXiv id that an address of arxiv.org holds."""
    found = _ARXIV_URL.search(url or "")
    return _canonical(found[1]) if found else None


def year_of_arxiv_id(arxiv_id: str | None) -> int | None:
    """The year in which a paper got its arXiv id: its first four digits are year and month."""
    if not arxiv_id:
        return None
    digits = arxiv_id.rpartition("/")[2]
    year = int(digits[:2])
    return 1900 + year if year >= 91 and "/" in arxiv_id else 2000 + year


def pubmed_url(pmid: str) -> str | None:
    """The address of the paper with this number at PubMed; None if it is no number."""
    number = pmid.isascii() and pmid.isdecimal()
    return f"https://pubmed.ncbi.nlm.nih.gov/{pmid}/" if number else None


def _canonical(arxiv_id: str) -> str:
    """Archives in small letters, subject classes in capitals: ``math.GT/0309136``."""
    archive, slash, number = arxiv_id.lower().rpartition("/")
    name, dot, subject = archive.partition(".")
    return f"{name}{dot}{subject.upper()}{slash}{number}"
