"""Finds the keys in what a language model writes, one character at a time. Pure.

What is taken for a marker, and removed:

- a bracket of any kind (also doubled, or in ``**``, `` ` ``, ``<sup>``) that holds nothing but
  keys, known or made up, numbers, punctuation and words like "source" and "and";
- a known key anywhere else, in any case, even inside a word: none is ever shown.

A bracket without a known key is a made-up citation, and removed, where it has the form of a key
in this context, or is square (``[] 【】 〔〕 ［］``) and holds letters with digits (``[k1]``,
``[doc2]``) or numbers (``[12]``, ``[1, 3-5]``). It stays text if it holds anything else
(``[MASK]``, ``[0.5]``, ``[2023]``), names that the context or the question holds (``[T5]``), a zero
(``[0, 1]``), or two numbers after a word that an interval follows ("in [1, 5]"); and so do numbers
in round brackets.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from rag.answering.context import CONSONANTS, DIGITS

_PAIRS = {
    "[": "]", "【": "】", "〔": "〕", "［": "］", "(": ")", "（": "）", "{": "}", "<": ">",
    "`": "`", "*": "*", "_": "_",
}  # fmt: skip
_WRAPPERS = "`*_"
_SQUARE = "[【〔［"
_BETWEEN = frozenset(" \t\u00a0,;:/&|+#†^\\~.'\"“”‘’、，；：-–—‑…")
_TAG = re.compile(r"<(/?)(sup|sub|cite|ref)>", re.IGNORECASE)
_TAG_START = re.compile(r"</?[a-z]{0,4}", re.IGNORECASE)
_LIMIT = 160
"""A longer bracket is text."""
_DEPTH = 6

_WORDS = frozenset(
    {
        *("and", "cf", "e", "et", "from", "id", "in", "o", "oder", "or", "ou", "u", "und", "y"),
        *("citation", "citations", "evidence", "key", "keys", "paper", "papers", "quelle", "ref"),
        *("reference", "references", "refs", "see", "sentence", "sentences", "source", "sources"),
    }
)
_MADE_UP = re.compile(r"(?=[a-z]*\d)(?=\d*[a-z])[a-z\d]{2,12}|[A-Z]\d{1,3}")
_SHAPE = re.compile(rf"(?:[{CONSONANTS}]{{2}}[{DIGITS}]{{3}}){{1,3}}")
_NUMBER = re.compile(r"\d{1,3}")
_WORD = re.compile(r"[^\W_]+")
_NUMERIC = re.compile(r"\D*[1-9]\d{0,2}(?:\s*[,;‑–—-]\s*[1-9]\d{0,2})*\D*")
_INTERVAL_AFTER = re.compile(
    r"(?:\b(?:in|into|to|on|over|within|from|between|range|ranges|interval|scale|by)|[=∈:(])\s*$",
    re.IGNORECASE,
)
_FOLD = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


@dataclass(frozen=True, slots=True)
class Marker:
    """What was removed from the text: known keys in order, each once, and how many were made up."""

    keys: tuple[str, ...]
    unknown: int = 0


class _More(Enum):
    """What is held may yet become a marker."""

    NEEDED = auto()


class Markers:
    """Tells keys from text; ``keys`` are those of the context, ``names`` what looks like keys."""

    def __init__(self, keys: Collection[str], names: Collection[str] = ()) -> None:
        self._names = frozenset(names)
        self._keys = {key.translate(_FOLD): key for key in keys if key}
        self._prefixes = {key[:n] for key in self._keys for n in range(1, len(key))}
        self._held = ""
        self._told = ""

    def feed(self, character: str) -> list[str | Marker]:
        """What is certain now: characters of the text, and markers."""
        self._held += character
        return self._resolve(final=False)

    def finish(self) -> list[str | Marker]:
        """What was held back: text, or a marker that was cut off."""
        return self._resolve(final=True)

    def _resolve(self, *, final: bool) -> list[str | Marker]:
        units: list[str | Marker] = []
        while self._held:
            found = self._read(final=final)
            if found is _More.NEEDED:
                break
            marker, length = (None, 1) if found is None else found
            units.append(marker or self._held[0])
            self._told = (self._told + self._held[:length])[-16:]
            self._held = self._held[length:]
        return units

    def _read(self, *, final: bool) -> tuple[Marker, int] | _More | None:
        """The marker that begins what is held, with its length; None if none does."""
        if self._held[0] in _PAIRS or self._held[0] in "^\\":
            found = self._bracket(final=final)
            if found is not None:
                return found
        return self._bare(final=final)

    def _bare(self, *, final: bool) -> tuple[Marker, int] | _More | None:
        folded = self._held.translate(_FOLD)
        if folded in self._prefixes and not final:
            return _More.NEEDED
        for end in range(len(folded), 0, -1):
            if folded[:end] in self._keys:
                return Marker((self._keys[folded[:end]],)), end
        return None

    def _bracket(self, *, final: bool) -> tuple[Marker, int] | _More | None:
        held, at = self._held, 0
        closing: list[str] = []
        items: list[str] = []
        while at < len(held):
            step = _step(held, at, closing, opening=not items)
            if step is None or at > _LIMIT:
                return self._broken_off(at, items) if held[at] == "\n" else None
            if step is _More.NEEDED:
                return None if final else _More.NEEDED
            if held[at].isalnum():
                item = held[at : at + step]
                if at + step == len(held):
                    return self._unfinished(items, item, final=final)
                if not self._is_item(item):
                    return None
                items.append(item)
            at += step
            if not closing and items:
                return self._judged(held[:at], items)
            if not closing and held[at - 1] not in "^\\":
                return None
        return self._broken_off(at, items) if final else _More.NEEDED

    def _unfinished(
        self, items: Sequence[str], item: str, *, final: bool
    ) -> tuple[Marker, int] | _More | None:
        """An item at the end of what is held."""
        if not final:
            return _More.NEEDED if self._may_become_item(item) else None
        everything = [*items, item]
        cut = item.translate(_FOLD) in self._prefixes
        if self._names_only(everything):
            return None
        if self._held[0] in _SQUARE and (cut or self._is_item(item)):
            known = self._known(everything)
            return Marker(known, self._made_up(everything) or int(not known)), len(self._held)
        return self._broken_off(len(self._held), everything) if self._is_item(item) else None

    def _broken_off(self, length: int, items: Sequence[str]) -> tuple[Marker, int] | None:
        """A bracket that the line or the stream ends in: a marker if a key stands in it."""
        known = () if self._held[0] in _WRAPPERS else self._known(items)
        return (Marker(known, self._made_up(items)), length) if known else None

    def _judged(self, bracket: str, items: Sequence[str]) -> tuple[Marker, int] | None:
        """The marker that a whole bracket is, if it is one."""
        known = self._known(items)
        unknown = self._made_up(items)
        square = any(character in _SQUARE for character in bracket)
        shaped = any(_SHAPE.fullmatch(item) for item in items)
        lettered = any(_MADE_UP.fullmatch(item) or _shaped(item) for item in items)
        if self._names_only(items):
            return None
        placeholder = all(item.lower() in ("key", "keys") for item in items)
        if known or shaped or (square and (lettered or placeholder)):
            return Marker(known, unknown or (0 if known else 1)), len(bracket)
        numbers = [item for item in items if item.isdigit()]
        if square and numbers and ("†" in bracket or _NUMERIC.fullmatch(bracket)):
            interval = len(numbers) == 2 and _INTERVAL_AFTER.search(self._told)
            return None if interval else (Marker((), len(numbers)), len(bracket))
        return None

    def _names_only(self, items: Sequence[str]) -> bool:
        """Whether what looks like a key is a name, as in "[T5]"."""
        like_keys = [item for item in items if _MADE_UP.fullmatch(item) or _shaped(item)]
        return bool(like_keys) and self._names.issuperset(like_keys)

    def _known(self, items: Sequence[str]) -> tuple[str, ...]:
        folded = (item.translate(_FOLD) for item in items)
        return tuple(dict.fromkeys(self._keys[item] for item in folded if item in self._keys))

    def _made_up(self, items: Sequence[str]) -> int:
        folded = (item.translate(_FOLD) for item in items)
        return sum(item not in self._keys and item not in _WORDS for item in folded)

    def _is_item(self, item: str) -> bool:
        folded = item.translate(_FOLD)
        return (
            folded in self._keys
            or folded in _WORDS
            or bool(_NUMBER.fullmatch(item) or _MADE_UP.fullmatch(item) or _shaped(item))
        )

    def _may_become_item(self, item: str) -> bool:
        """Whether more characters could make this an item: that of a key or a short word."""
        folded = item.translate(_FOLD)
        return folded in self._prefixes or (len(folded) <= 12 and folded.isascii())


def names_like_keys(text: str) -> frozenset[str]:
    """The words of a text that look like made-up keys: "T5", "R1", "BM25"."""
    return frozenset(word for word in _WORD.findall(text) if _MADE_UP.fullmatch(word))


def _shaped(item: str) -> bool:
    return bool(_SHAPE.fullmatch(item.translate(_FOLD)))


def _step(held: str, at: int, closing: list[str], *, opening: bool) -> int | _More | None:
    """How far the next part of a bracket reaches; opens and closes ``closing`` on the way.

    ``opening``: nothing stood in it so far, so that ``**`` opens twice.
    """
    character = held[at]
    if character.isalnum():
        end = at + 1
        while end < len(held) and held[end].isalnum():
            end += 1
        return end - at
    if character == "<":
        tag = _TAG.match(held, at)
        if tag and tag[1]:
            return len(tag[0]) if closing and closing.pop() == tag[2].lower() else None
        if tag:
            closing.append(tag[2].lower())
            return len(tag[0])
        start = _TAG_START.match(held, at)
        if start and start.end() == len(held):
            return _More.NEEDED
    if opening and closing and closing[-1] in _WRAPPERS and character in " \t":
        return None  # the end of "**bold** [key]"
    if closing and character == closing[-1] and not (opening and character in _WRAPPERS):
        closing.pop()
    elif character in _PAIRS and len(closing) < _DEPTH:
        closing.append(_PAIRS[character])
    elif character not in _BETWEEN or (not closing and character not in "^\\"):
        return None
    return 1
