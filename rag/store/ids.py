"""Ids of what the history keeps: short, easy to type, not to be guessed.

Written in Crockford's base 32, which has no letters that look like digits. An answer's begins
with its time in milliseconds (45 bits, enough until the year 3084), so that ids sort by age; 50
random bits follow. A conversation's is 100 random bits: whoever knows it may add to it.
"""

from __future__ import annotations

import secrets
from datetime import datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_MISREAD = str.maketrans("oil", "011")
_TIME_CHARS = 9
_RANDOM_CHARS = 10
_CONVERSATION_CHARS = 20


def answer_id(last: str | None, now: datetime) -> str:
    """A new id of 19 characters, greater than ``last`` even when the clock was set back."""
    milliseconds = int(now.timestamp() * 1000)
    if last is not None:
        milliseconds = max(milliseconds, _milliseconds(last) + 1)
    digits = [_ALPHABET[milliseconds >> 5 * i & 31] for i in reversed(range(_TIME_CHARS))]
    return "".join(digits) + _random(_RANDOM_CHARS)


def conversation_id() -> str:
    """A new id of 20 characters."""
    return _random(_CONVERSATION_CHARS)


def normal(id_: str) -> str:
    """An id as it is stored, from how people write it: any case, o for 0, i and l for 1."""
    return id_.strip().lower().translate(_MISREAD)


def _milliseconds(id_: str) -> int:
    total = 0
    for character in id_[:_TIME_CHARS]:
        total = total * 32 + _ALPHABET.index(character)
    return total


def _random(characters: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(characters))
