"""Whether a sentence ends here, said as soon as enough of the next one is read. Pure.

`rag.ingest.sentences` reads a whole abstract; here the text arrives in pieces. The abbreviations
are the same.
"""

from __future__ import annotations

import re

from rag.ingest.abbreviations import NEVER_FINAL, OFTEN_FINAL, OPENERS, SELDOM_FINAL

UNSPACED = "。！？।۔"
"""These end a sentence without a space after them."""

CLOSERS = "\"'”’»」』)）]*_`"
ENDED = re.compile(rf"(?:[.!?…؟]+|[{UNSPACED}]+)[{re.escape(CLOSERS)}]*$")
_REACH = 60  # characters before an end that are looked at
_OPENERS = "\"'“‘«「『(（[*_`~"
_WORD = re.compile(r"([^\W_]+(?:[.'’-][^\W_]+)*)\.$")
_NEXT = re.compile(r"[^\W\d_]*")
_LABEL = re.compile(r"(?:^|[:;.!?])\s*\(?\d{1,2}\.$")
_DOTTED = re.compile(r"(?:[a-z]\.)+[a-z]")


def is_end(text: str, space: str, following: str, *, complete: bool) -> bool | None:
    """Whether a sentence ends between ``text`` and ``following``, with ``space`` between them.

    ``following`` is the beginning of the next word, at least one character; ``complete`` says
    that the word ends there. None: more of the word is needed.
    """
    if not space and text[-1] not in UNSPACED + CLOSERS:
        return False
    tail = text[-_REACH:]
    ended = ENDED.search(tail)
    if ended is None or not any(character.isalpha() for character in text):
        return False
    terminator = ended[0].rstrip(CLOSERS)
    if terminator[-1] in UNSPACED:
        return bool(space) or following[0] not in UNSPACED + CLOSERS
    if not space:
        return False
    word = following.lstrip(_OPENERS)
    if not word:
        return True if complete else None
    if word[0].islower():
        return False
    if terminator != ".":
        return True
    return _after_full_stop(tail[: ended.start() + 1], word, complete=complete)


def _after_full_stop(text: str, word: str, *, complete: bool) -> bool | None:
    """Whether the full stop at the end of ``text`` is more than that of an abbreviation."""
    before = _WORD.search(text)
    if before is None:
        return True
    if _LABEL.search(text):
        return False
    name = before[1].lower()
    if name in NEVER_FINAL:
        return False
    if name in OFTEN_FINAL:
        return word[0].isalpha()
    initial = len(name) == 1 and before[1].isascii() and before[1].isupper()
    if name not in SELDOM_FINAL and not initial and not _DOTTED.fullmatch(name):
        return True
    found = _NEXT.match(word)
    following = found[0] if found else ""
    if len(following) == len(word) and not complete:
        return None
    return following.lower() in OPENERS
