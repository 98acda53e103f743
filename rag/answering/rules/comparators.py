"""The claim swaps what is compared, or turns a bound round."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.answering.rules.words import Word, vocabulary, words
from rag.ingest.cleaning import display

_BEATS = vocabulary(
    """outperform outperforms outperformed outperforming exceed exceeds exceeded exceeding surpass
    surpasses surpassed surpassing beat beats beating"""
)
_INSTEAD = (("rather", "than"), ("instead", "of"), ("as", "opposed", "to"))
_REACH = 12

_LOWER = re.compile(
    r"(?:at least|more than|greater than|over|above|no (?:less|fewer) than|a minimum of|exceeds?"
    r"|>|≥)\s*[~$€]?(\d[\d.,]*)",
    re.IGNORECASE,
)
_UPPER = re.compile(
    r"(?:at most|less than|fewer than|up to|below|under|no more than|a maximum of|nearly|almost"
    r"|<|≤)\s*[~$€]?(\d[\d.,]*)",
    re.IGNORECASE,
)

Sides = tuple[frozenset[str], frozenset[str]]


def veto(claim: str, evidence: Sequence[str]) -> str | None:
    """The reason why a comparison rules the claim out, or None."""
    return _bound(claim, evidence) or _swapped(claim, evidence)


def _bound(claim: str, evidence: Sequence[str]) -> str | None:
    """The claim says "at least 6", the evidence "up to 6"."""
    mine, theirs = display(claim), display(" \n ".join(evidence))
    for ours, turned in ((_LOWER, _UPPER), (_UPPER, _LOWER)):
        same = {match[1].rstrip(".,") for match in ours.finditer(theirs)}
        against = {match[1].rstrip(".,"): match[0] for match in turned.finditer(theirs)}
        for match in ours.finditer(mine):
            number = match[1].rstrip(".,")
            if number in against and number not in same:
                return f"the claim says “{match[0]}”, the evidence says “{against[number]}”"
    return None


def _swapped(claim: str, evidence: Sequence[str]) -> str | None:
    """The claim says "A outperforms B", the evidence "B outperforms A"."""
    for kind, key, left, right in _relations(words(claim)):
        for sentence in evidence:
            for their_kind, their_key, their_left, their_right in _relations(words(sentence)):
                if kind != their_kind or key != their_key:
                    continue
                if _crossed((left, right), (their_left, their_right)):
                    return f"the claim turns the comparison round: “{key}”"
    return None


def _crossed(mine: Sides, theirs: Sides) -> bool:
    """Whether each side of the one shares words with the other side of the other, and only so."""
    # what is named on both sides distinguishes nothing
    left, right = mine[0] - mine[1], mine[1] - mine[0]
    their_left, their_right = theirs[0] - theirs[1], theirs[1] - theirs[0]
    return bool(left & their_right and right & their_left) and not right & their_right


def _relations(found: Sequence[Word]) -> list[tuple[str, str, frozenset[str], frozenset[str]]]:
    """Each comparison: its kind, its word, and the content stems before and after it."""
    result = []
    for place, word in enumerate(found):
        if word.lower in _BEATS:
            left, right = _around(found, place, place + 1)
            passive = found[place + 1 : place + 2] and found[place + 1].lower == "by"
            sides = (right, left) if passive else (left, right)
            result.append(("beats", "outperforms", *sides))
        elif word.lower == "than" and place:
            pole = _comparative(found, place)
            if pole is not None:
                result.append(("than", found[pole].lower, *_around(found, pole, place + 1)))
        result += [
            ("instead", "rather than", *_around(found, place, place + len(phrase)))
            for phrase in _INSTEAD
            if tuple(w.lower for w in found[place : place + len(phrase)]) == phrase
        ]
    return result


def compared(found: Sequence[Word], pole: int) -> Sides | None:
    """The content stems before the word at ``pole`` and after the "than" that belongs to it."""
    if found[pole].lower in _BEATS or found[pole].lower.startswith(("underperform", "trail")):
        return _around(found, pole, pole + 1)
    for place in range(pole + 1, min(len(found), pole + 10)):
        if found[place].lower in ("than", "compared", "versus", "relative", "over"):
            return _around(found, pole, place + 1)
    return None


def _comparative(found: Sequence[Word], than: int) -> int | None:
    for place in range(than - 1, max(-1, than - 10), -1):
        lower = found[place].lower
        if lower in ("more", "less", "better", "worse", "fewer", "rather") or (
            lower.endswith("er") and found[place].is_content and len(lower) < 9
        ):
            return None if lower == "rather" else place
    return None


def _around(found: Sequence[Word], left: int, right: int) -> Sides:
    before = found[max(0, left - _REACH) : left]
    after = found[right : right + _REACH]
    return (
        frozenset(word.stem for word in before if word.is_content),
        frozenset(word.stem for word in after if word.is_content),
    )
