"""What may stand in a written answer without a footnote. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.answering.drafts import Draft
from rag.answering.grounding import EXACT
from rag.answering.rules import names
from rag.answering.rules.numbers import numbers
from rag.answering.rules.words import STOPWORDS, vocabulary, words
from rag.schema import Status, Verdict

_NOT_STATED = re.compile(
    r"[\W_]*not stated(?: in (?:the|these) (?:(?:given|provided) )?abstracts?)?[\s*_]*"
    r"(?::[\s*_]*|[.…]?[\s*_]*$)",
    re.IGNORECASE,
)
_SAYS_NOT = re.compile(
    r"\W*(?:(?:however|unfortunately),?\s+)?(?:(?:the|these|this|your)\s+)?"
    r"(?:(?:given|provided|available|supplied|cited)\s+)?"
    r"(?:abstracts?|papers?|context|evidence|sources?|documents?|texts?)\s+"
    r"(?:(?:do|does)(?: not|n['’]t)|cannot|can not)\s+(?:directly\s+|explicitly\s+)?"
    r"(?:say|state|mention|contain|provide|include|specify|describe|discuss|address|answer|cover"
    r"|give|tell|report|explain)\b",
    re.IGNORECASE,
)
_ADDS = re.compile(
    r"\b(?:but|however|although|though|yet|nevertheless|nonetheless|whereas|while|despite|still"
    r"|instead|actually|because|since|everybody|everyone|know[ns]?|must|should|you|your)\b"
    r"|[;!(]|\s[-–—]+\s|—|https?:|www\.|\b\w[\w-]*\.[a-z]{2,}\b|@",
    re.IGNORECASE,
)
"""What goes on to say something after all: contrasts, reasons, orders, addresses."""

_ASKS = re.compile(r"\s*(?:whether|if|which|what|who|when|where)\b[^\d,:]*$", re.IGNORECASE)
"""A question in one clause, which may hold new names: "which GPU was used"."""
_DIGIT = re.compile(r"\d")
_NAMED_OR_NUMBERED = re.compile(r"\d|\b\w+[A-Z]")
_CONNECTING = vocabulary(
    "abstract abstracts agree agrees answer answers article articles both disagree disagrees "
    "evidence finding findings first following here however hold holds next paper papers point "
    "points position positions question report reports result results say says second short "
    "side sides source sources study studies summary third two three several view views work "
    "works differ differs divided mixed overall give gives describe describes address addresses"
)
_SAYS_WHAT_IS_MISSING = Verdict(
    Status.UNCHECKED, EXACT, "it says what the abstracts do not say, which no sentence can support"
)
_CONNECTS = Verdict(Status.UNCHECKED, EXACT, "it connects sentences and needs no footnote")
_HEADS = Verdict(Status.UNCHECKED, EXACT, "it is a heading of words from the question or a title")
_HEADS_WITHOUT = Verdict(Status.UNSUPPORTED, EXACT, "a heading that says something cites nothing")


def judge(draft: Draft, known: Sequence[str]) -> Verdict | None:
    """The verdict on a draft without keys where evidence need not be looked for; None elsewhere.

    Sentences that only connect others pass, and those that say what is missing, if they say nothing
    else. A heading passes if the question or a title holds every word of it that says something,
    and it holds no digit; every other heading is unsupported.

    Args:
        draft: a draft that cites nothing.
        known: the question, and the titles of the papers.
    """
    text = draft.text
    if _says_what_is_missing(text, known):
        return _SAYS_WHAT_IS_MISSING
    plain = all(not word.is_content or word.lower in _CONNECTING for word in words(text))
    if plain and not _NAMED_OR_NUMBERED.search(text):
        return _CONNECTS
    if draft.heading:
        return _HEADS if _is_known(text, known) else _HEADS_WITHOUT
    return None


def _says_what_is_missing(text: str, known: Sequence[str]) -> bool:
    """Whether it says only that: nothing is added, and no number or name that is not known."""
    match = _NOT_STATED.match(text) or _SAYS_NOT.match(text)
    if match is None or _ADDS.search(text, match.end()):
        return False
    given = {number.text.lower() for one in known for number in numbers(one)}
    told = {number.text.lower() for number in numbers(text)}
    if not told <= given | STOPWORDS:
        return False
    return _ASKS.match(text, match.end()) is not None or names.veto(text, known) is None


def _is_known(heading: str, known: Sequence[str]) -> bool:
    """Whether every content word stands, as it is, in a text that is known, and there is no digit.

    As it is: "GeneGPT beats Bing" is no heading over "Does GeneGPT beat Bing?".
    """
    held = {word.lower for text in known for word in words(text)}
    says = {word.lower for word in words(heading) if word.is_content}
    return says <= held and _DIGIT.search(heading) is None
