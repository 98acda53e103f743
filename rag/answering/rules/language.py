"""Which language a text is in, as far as its little words tell."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_FUNCTION_WORDS = {
    "English": "the of and to in is are that with for we by this on from as an it be which than was"
    " a at or not can more were has have its do all",
    "German": "der die das und ist ein eine einer den dem des mit nicht von zu auf für sich wird"
    " auch werden im als bei durch sind wie",
    "French": "le la les des et est une un du dans que pour qui sur par avec ne pas au aux sont ce",
    "Spanish": "el la los las y en que es un una por con del para se lo como más son",
    "Italian": "il lo la gli le di che è un una per con del della dei nel non si sono come più",
    "Portuguese": "os de que é um uma por com da dos das para não em se na são mais ao",
    "Dutch": "de het een en van dat die niet met voor op te zijn aan ook door wordt bij",
}
_SETS = {name: frozenset(listed.split()) for name, listed in _FUNCTION_WORDS.items()}
_SHARE = 0.15
_SCRIPTS = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "CYRILLIC", "ARABIC", "HEBREW", "DEVANAGARI",
            "THAI", "GREEK")  # fmt: skip


def language(text: str) -> str | None:
    """The language's name, the script's where it is not Latin, or None where too little tells.

    The language with the largest share of function words, if that is 15% of the words or more, two
    at least, and no other language has half as many. Short claims without little
    words ("MMA beats MILk") are None.
    """
    letters = [character for character in text if character.isalpha()]
    for script in _SCRIPTS:
        held = sum(unicodedata.name(letter, "").startswith(script) for letter in letters)
        if held > len(letters) / 3:
            return script.capitalize() if script != "CJK" else "Chinese or Japanese"
    found = re.findall(r"[^\W\d_]+", text.lower())
    counts = sorted(
        ((sum(word in listed for word in found), name) for name, listed in _SETS.items()),
        reverse=True,
    )
    (most, name), (second, _) = counts[:2]
    clear = most >= 2 and most > 2 * second
    return name if clear and most / len(found) >= _SHARE else None


def differs(claim: str, evidence: Sequence[str]) -> str | None:
    """The claim's language where it is not the evidence's; None if the same or unknown."""
    mine, theirs = language(claim), language(" ".join(evidence))
    return mine if mine and theirs and mine != theirs else None
