"""What makes two records the same paper: ids, aliases and hashes. Pure."""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from hashlib import blake2b

from rag.schema import Record

# Two abstracts under one title that share fewer of their words than this are two papers
# ("Introduction", "Editorial" …); revisions of one abstract share far more.
SAME_PAPER_OVERLAP = 0.3

_WORD = re.compile(r"[^\W_]+")
_ASCII = "".join(chr(code) if chr(code).isalnum() else " " for code in range(128))


def normalise(text: str) -> str:
    """Letters and digits, case-folded (NFKC), everything else one space each."""
    if text.isascii():  # nine abstracts in ten; the same, in half the time
        return " ".join(text.lower().translate(_ASCII).split())
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def paper_id(title: str, abstract: str) -> str:
    """The id a paper gets at first sight: 16 characters, the same on every machine."""
    digest = blake2b(f"{normalise(title)}\0{normalise(abstract)}".encode(), digest_size=10)
    return base64.b32encode(digest.digest()).decode().lower()


def record_hash(record: Record) -> bytes:
    """16 bytes over everything a record says, so that an unchanged one is skipped unread."""
    fields = [
        record.title,
        record.abstract,
        record.authors,
        record.year,
        record.venue,
        record.url,
        record.doi,
        record.arxiv_id,
    ]
    return blake2b(json.dumps(fields).encode(), digest_size=16).digest()


def paper_hash(paper_id: str, title: str, abstract: str) -> int:
    """A 128-bit number for a paper's text; their sum modulo 2**128 fingerprints a collection."""
    text = f"{paper_id}\0{title}\0{abstract}"
    return int.from_bytes(blake2b(text.encode(), digest_size=16).digest(), "big")


def strong_aliases(record: Record) -> tuple[str, ...]:
    """Names that belong to one paper only: its DOI and its arXiv id without version."""
    aliases = []
    if record.doi:
        aliases.append(f"doi:{record.doi.casefold()}")
    if record.arxiv_id:
        aliases.append(f"arxiv:{record.arxiv_id.casefold()}")
    return tuple(aliases)


def title_alias(title: str) -> str | None:
    """A name that nearly always belongs to one paper; None for a title without letters."""
    normal = normalise(title)
    if not normal:
        return None
    return f"title:{blake2b(normal.encode(), digest_size=16).hexdigest()}"


def word_overlap(a: str, b: str) -> float:
    """Jaccard similarity of two texts' sets of words, from 0 to 1; 1 when both have none."""
    words_a, words_b = set(normalise(a).split()), set(normalise(b).split())
    union = words_a | words_b
    return len(words_a & words_b) / len(union) if union else 1.0
