"""Words, stems and clauses: what the rules share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rag.ingest.cleaning import display


def vocabulary(listed: str) -> frozenset[str]:
    """The words of a list that is written with blanks between."""
    return frozenset(listed.split())


_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)?|[,;:.!?()\[\]–—]")
_BREAKS = vocabulary(
    "but while whereas although though however which because since yet unlike despite"
)
_VOWEL = re.compile(r"[aeiouy]")

STOPWORDS = vocabulary(
    """a about after again all also although am an and any are as at be because been before being
    between both but by can could did do does doing done during each either else even ever every
    for from further furthermore had has have having he her here his how however i if in into is it
    its itself just may might more moreover most much must my nor of off on once one only or other
    our out over own per same several shall she should since so some such than that the their them
    then there therefore these they this those though through thus to too under until up upon us
    use used uses using very via was we well were what when where whether which while who whom
    whose why will with within would you your show shows showed shown find finds found propose
    proposes proposed paper approach approaches method methods new result results demonstrate
    demonstrates demonstrated work however called two three"""
)
"""Words that say nothing of what a sentence is about, with the stock phrases of abstracts."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text: as written, in lower case, its stem, and the clause it stands in."""

    text: str
    lower: str
    stem: str
    clause: int

    @property
    def is_content(self) -> bool:
        """Whether it says something of what the sentence is about."""
        return self.lower not in STOPWORDS and len(self.lower) > 1


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """A light stem: plural, -ed, -ing, -ly and a final e come off; nothing more is folded.

    Porter's stemmer also joins "general" and "generation"; rules that may veto need words apart.
    """
    word = word.lower().removesuffix("'s").removesuffix("’s")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    for suffix in ("ingly", "edly", "ing", "ed", "ly", "es", "s"):
        if word.endswith("ss") and suffix == "s":
            break
        base = word.removesuffix(suffix)
        if base != word and len(base) > 2 and _VOWEL.search(base):
            word = base
            break
    if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "lsz":
        word = word[:-1]
    return word.removesuffix("e") if len(word) > 3 else word


@lru_cache(maxsize=10_000)
def words(text: str) -> tuple[Word, ...]:
    """The words of a text in order, hyphens apart, cleaned for display first."""
    found, clause = [], 0
    for match in _TOKEN.finditer(display(text)):
        token = match[0]
        if not token[0].isalnum():
            clause += 1
            continue
        lower = token.lower()
        if lower in _BREAKS:
            clause += 1
        found.append(Word(token, lower, stem(lower), clause))
    return tuple(found)


def content(found: Iterable[Word]) -> set[str]:
    """The stems of the content words."""
    return {word.stem for word in found if word.is_content}


def overlap(claim: Sequence[Word], sentence: Sequence[Word]) -> float:
    """The share of the claim's content words that stand in the sentence, from 0 to 1."""
    mine = content(claim)
    return len(mine & content(sentence)) / len(mine) if mine else 0.0
