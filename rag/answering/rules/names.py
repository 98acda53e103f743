"""A name in the claim has to stand in the evidence."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rag.answering.rules.words import overlap, stem, words
from rag.ingest.cleaning import display

_RUN = re.compile(r"[^\W_][\w+*#.'’/-]*[\w+*#]|[^\W_]")
_SENTENCE_END = re.compile(r"[.!?:]['”\")\]]*\s+$")
_MEASURE = re.compile(
    r"[\d.,–-]+(?:-?(?:st|nd|rd|th|s|x|k|m|b|bn|d|mm|nm|ms|hz|khz|mhz|ghz|gb|mb|kb|bp|kda|mg|ml|h|min"
    r"|fold|way|bit|pp|y|yr|wk|kg|g|cm|km|hop|shot|mer))?(?:-[a-z-]+)?$"
    r"|[nµumk]M$|top-\d+$|[IVX]+$",
    re.IGNORECASE,
)
"""Numbers with what they measure, which are no names, and Roman numerals."""
_SUBSCRIPT = re.compile(r"(?<=\w)\((\w{1,2})\)")
_LONGEST_ACRONYM = 6
_PREFIX = 5
_SIMILAR = 0.4


def veto(claim: str, evidence: Sequence[str]) -> str | None:
    """The reason why a name of the claim rules it out, or None.

    The evidence should hold all the text of the cited papers: a sentence seldom repeats the name
    of the method that it is about. With the cited sentences and the title alone, 5.0% of the
    supported claims of the train split would be vetoed, with the whole abstract 0.5%.
    """
    text = _Text.of([claim], evidence)
    for name in dict.fromkeys(names(claim)):
        if not text.holds(name):
            return f"the claim names {name}, the evidence does not"
    return None


def missing_share(question: str, texts: Sequence[str]) -> float:
    """The share of a question's names that no text holds, from 0 to 1; 0 where it has none."""
    asked = list(dict.fromkeys(names(question)))
    text = _Text.of([question], texts)
    return sum(not text.holds(name) for name in asked) / len(asked) if asked else 0.0


def veto_swapped(claim: str, sentences: Sequence[str]) -> str | None:
    """As `veto`, for cited sentences alone: only where one takes the place of another.

    That is, where the sentence that holds most of the claim's words, and 40% of them or more,
    has a name that the claim lacks.
    """
    reason = veto(claim, sentences)
    if reason is None:
        return None
    mine = words(claim)
    share, nearest = max((overlap(mine, words(sentence)), sentence) for sentence in sentences)
    known = _Text.of(sentences, [claim])
    rival = next((name for name in names(nearest) if not known.holds(name)), None)
    return None if rival is None or share < _SIMILAR else f"{reason}; it names {rival}"


def names(text: str) -> Iterator[str]:
    """The names of a text: capitalised inside a sentence, acronyms, words with digits."""
    shown = display(text)
    for match in _RUN.finditer(shown):
        word = match[0].removesuffix("'s").removesuffix("’s").rstrip(".")
        if len(word) < 2 or _MEASURE.fullmatch(word):
            continue
        first = _begins_sentence(shown, match.start())
        if _is_marked(word) or (word[0].isupper() and not first):
            yield word


def _begins_sentence(text: str, start: int) -> bool:
    before = text[max(0, start - 8) : start]
    return bool(_SENTENCE_END.search(before)) or (start < 8 and not any(map(str.isalnum, before)))


def _is_marked(word: str) -> bool:
    """Whether a word is a name wherever it stands: GAN, ResNet, p53, GPT-4; not "On-policy"."""
    for part in re.split(r"[-/]", word):
        capitals = sum(map(str.isupper, part))
        letters = sum(map(str.isalpha, part))
        if capitals > 1 or (capitals and not part[0].isupper()):
            return True
        if letters and letters < len(part) and any(map(str.isdigit, part)):
            return not _MEASURE.fullmatch(part)
    return False


@dataclass(frozen=True, slots=True)
class _Text:
    """A text to look names up in.

    ``forms`` are its words, joined and apart, without case, accents and hyphens; ``squashed`` is
    all of it joined; ``spaced`` its words in lower case, with those of the other side: a claim
    may explain its own acronym.
    """

    forms: frozenset[str]
    squashed: str
    spaced: str

    @classmethod
    def of(cls, explaining: Sequence[str], texts: Sequence[str]) -> _Text:
        read = [_read(text) for text in texts]
        others = [_read(text)[2] for text in explaining]
        return cls(
            frozenset().union(*(forms for forms, _, _ in read)),
            "".join(squashed for _, squashed, _ in read),
            " ".join([*(spaced for _, _, spaced in read), *others]),
        )

    def holds(self, name: str) -> bool:
        """Whether the name stands in the text: as it is, in parts, or as what it abbreviates."""
        if self._holds_whole(name):
            return True
        parts = [part for part in re.split(r"[-/]", name) if part]
        if any(part.isdigit() for part in parts):  # the 5 of GPT-5 may stand anywhere
            return False
        named = [
            part for part in parts if part[0].isupper() or _is_marked(part) or part[0].isdigit()
        ]
        return len(parts) > 1 and bool(named) and all(map(self._holds_whole, named))

    def _holds_whole(self, name: str) -> bool:
        form = _squash(name)
        if form in self.forms or stem(form) in self.forms:
            return True
        apart = r"(?!\d)" if form[-1:].isdigit() else ""  # "GPT 5", but not GPT-50
        if len(form) > 3 and re.search(re.escape(form.removesuffix("s")) + apart, self.squashed):
            return True
        if name[1:].islower() and len(form) > _PREFIX:
            # "Vietnamese" and Vietnam, "Bayes" and Bayesian
            return any(known.startswith(form[:_PREFIX]) for known in self.forms)
        letters = form.removesuffix("s") if name.endswith("s") else form
        return letters.isalpha() and _abbreviates(letters, self.spaced)


def _abbreviates(letters: str, spaced: str) -> bool:
    """Whether the letters begin words in a row; the last words may give more than one letter.

    "vae" is "variational autoencoder", "rl" "reinforcement learning".
    """
    if not 2 <= len(letters) <= _LONGEST_ACRONYM:
        return False
    between = r"\w{0,20} (?:(?:of|for|the|and|in|on|to|a|with|by|from|via|term) ){0,2}"
    whole = r"\b" + between.join(letters)
    inside = rf"\b{letters[0]}\w{{0,20}} " + r"\w{0,12}?".join(letters[1:])
    return re.search(whole, spaced) is not None or (
        len(letters) > 2 and re.search(inside, spaced) is not None
    )


@lru_cache(maxsize=4_000)
def _read(text: str) -> tuple[frozenset[str], str, str]:
    """The forms of one sentence, all of it joined, and its words in lower case."""
    shown = _SUBSCRIPT.sub(r"\1", display(text))  # LXA(4), Na(V)
    spaced = " ".join(re.findall(r"[^\W\d_]+", shown.lower()))
    return frozenset(_forms(shown)), _squash(shown), spaced


def _forms(text: str) -> Iterator[str]:
    for match in _RUN.finditer(text):
        for part in (match[0], *_parts(match[0])):
            squashed = _squash(part)
            yield squashed
            yield stem(squashed)


def _parts(word: str) -> Iterable[str]:
    return re.split(r"[-/.'’+]", word)


def _squash(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text)
    return "".join(c for c in plain.lower() if c.isalnum())
