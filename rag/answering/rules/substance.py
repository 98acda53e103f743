"""A claim has to say something, and of what the evidence is about."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.answering.rules.numbers import numbers
from rag.answering.rules.words import vocabulary, words

_LEAST = 2
_EMPTY = vocabulary(
    "abstract abstracts claim claims correct corrected evidence false indeed nan nil no nobody "
    "none not nothing null okay ok please right say says sentence sentences state stated states "
    "statement sure true wrong yes"
)
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1780-\u17ff\u2e80-\uffdf]")
"""Scripts without spaces between words, whose words cannot be told apart here."""


def veto(claim: str, evidence: Sequence[str]) -> str | None:
    """The reason why a claim says nothing that the evidence could support, or None.

    It needs two content words or a number, and one of its content words in the evidence: "Sure!"
    and "The evidence does not state this." need no reading. None of the 2,598 supported claims of
    the reader data's train and dev splits lacks either. Claim and evidence are in one language.
    """
    if _UNSPACED.search(claim):
        return None
    mine = {word.stem for word in words(claim) if word.is_content and word.lower not in _EMPTY}
    if len(mine) < _LEAST and not numbers(claim):
        return "the claim says nothing that can be checked"
    named = {stem for stem in mine if not stem.isdecimal()}
    theirs = {word.stem for sentence in evidence for word in words(sentence)}
    return None if not named or named & theirs else "the claim shares no word with the evidence"
