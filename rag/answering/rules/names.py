"""A name in the claim has to stand in the evidence."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from rag.answering.rules.words import stem
from rag.ingest.cleaning import display

_RUN = re.compile(r"[^\W_][\w+*#.'’/-]*[\w+*#]|[^\W_]")
_SENTENCE_END = re.compile(r"[.!?:]['”\")\]]*\s+$|^\W*$")
_CAMEL = re.compile(r"[a-zäöü].*[A-Z]|[A-Z].*[A-Z]|[A-Za-z].*\d|\d.*[A-Za-z]")
_UNITS = re.compile(
    r"[\d.,–-]+(?:st|nd|rd|th|s|x|k|m|b|bn|d|mm|nm|ms|hz|gb|mb|kb|bp|kda|mg|ml|h|min|fold|way|bit|pp"
    r"|y|yr|wk|kg|g|cm|km|bit|hop|shot|year|day|week|month)?(?:-[a-z-]+)?$",
    re.IGNORECASE,
)
_ROMAN = re.compile(r"[IVX]+$")
_JOINERS = frozenset({"of", "for", "the", "and", "in", "on", "to", "a", "with", "by", "from", "via"})


def veto(claim: str, evidence: Sequence[str]) -> str | None:
    """The reason why a name of the claim rules it out, or None."""
    text = display(" \n ".join(evidence))
    held, squashed = _forms(text), _squash(text)
    initials = _initials(text)
    for name in names(claim):
        if not any(_held(part, held, squashed, initials) for part in _variants(name)):
            return f"the claim names {name}, the evidence does not"
    return None


def names(text: str) -> Iterator[str]:
    """The names of a text: capitalised inside a sentence, acronyms, words with digits."""
    shown = display(text)
    for match in _RUN.finditer(shown):
        word = match[0].removesuffix("'s").removesuffix("’s").rstrip(".")
        if len(word) < 2 or _UNITS.fullmatch(word) or _ROMAN.fullmatch(word):
            continue
        first = bool(_SENTENCE_END.search(shown[: match.start()]))
        head = word.split("-")[0]
        if _CAMEL.search(word) and not word.isupper() | (not any(map(str.isupper, word))):
            yield word
        elif word.isupper() or (word[0].isupper() and not first and head[0].isupper()):
            yield word


def _variants(name: str) -> Iterator[str]:
    yield name
    if "-" in name or "/" in name:
        parts = [part for part in re.split(r"[-/]", name) if part and _is_name(part)]
        if parts and len(parts) < len(re.split(r"[-/]", name)):
            yield parts[0]


def _is_name(part: str) -> bool:
    return part[0].isupper() or any(c.isdigit() for c in part)


def _held(name: str, held: set[str], squashed: str, initials: str) -> bool:
    form = _squash(name)
    if form in held or stem(form) in held or (len(form) > 3 and form.rstrip("s") in squashed):
        return True
    letters = re.sub(r"[^a-z]", "", form.removesuffix("s") if name[-1] == "s" else form)
    return name[:-1].isupper() and len(letters) > 1 and letters in initials


def _forms(text: str) -> set[str]:
    """Every word of a text, joined and apart, without case, accents and hyphens."""
    forms = set()
    for match in _RUN.finditer(text):
        parts = [match[0], *re.split(r"[-/.'’]", match[0])]
        squashed = [_squash(part) for part in parts]
        forms.update(squashed, map(stem, squashed))
    return forms


def _squash(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text)
    return "".join(c for c in plain.lower() if c.isalnum())


def _initials(text: str) -> str:
    """The first letters of the words, joined, with and without little words."""
    found = re.findall(r"[^\W\d_]+", text.lower())
    little = [word for word in found if word not in _JOINERS]
    return "".join(w[0] for w in found) + " " + "".join(w[0] for w in little)
