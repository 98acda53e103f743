"""What a line of an answer begins with: layout, a refusal in the fixed form, a list of sources.

Pure; told from the beginning of a line, as soon as that is enough.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from rag.schema import DeclineReason

MAX_START_CHARS = 200
"""No more of a line is held back."""

_LAYOUT = re.compile(
    r"(?:[ \t]+|#{1,6}(?=[ \t])|[-*+•‣▪●–—](?=[ \t])|\(?\d{1,3}[.)](?=[ \t])|>|\|(?=[^|]))*"
)
# May yet become layout, a rule ("---", "***"), a table's rule or a code fence.
_PARTIAL = re.compile(r"#{0,6}|[+•‣▪●–—]|\(?\d{0,3}[.)]?|[-*_=:| \t]+|`{1,3}|```[\w+-]*[ \t]*")
_FENCE = re.compile(r"```[\w+-]*\s*")
_HEADING = re.compile(r"#{1,6}[ \t]")

_MANY = (
    "references", "sources", "citations", "footnotes", "bibliography", "works cited",
    "sources cited", "quellen", "références", "referencias", "fuentes", "источники",
    "参考文献", "出典",
)  # fmt: skip
_ONE = ("reference", "source", "citation", "footnote", "quelle", "référence", "fuente")
_SOURCES = (*_MANY, *_ONE)
_DECORATION = " \t*_#"
_SOURCES_FOLLOW = re.compile(rf"({'|'.join(_MANY)})[*_ \t]*[:：]")

_REASONS = {
    "declinedabstractdoesnotsay": DeclineReason.ABSTRACT_DOES_NOT_SAY,
    "declinedabstractsdonotsay": DeclineReason.ABSTRACT_DOES_NOT_SAY,
    "declinedtheabstractdoesnotsay": DeclineReason.ABSTRACT_DOES_NOT_SAY,
    "declinedtheabstractsdonotsay": DeclineReason.ABSTRACT_DOES_NOT_SAY,
    "declinednotincollection": DeclineReason.NOT_IN_COLLECTION,
    "declinednotinthecollection": DeclineReason.NOT_IN_COLLECTION,
    "declinednotinthiscollection": DeclineReason.NOT_IN_COLLECTION,
}
_BARE = re.compile(r"\W*DECLINED\W*")
_BARE_GIVEN = re.compile(r"[\W_]*DECLINED\W*:")


class Special(Enum):
    """A line that is not text, or not known yet to be."""

    UNDECIDED = auto()
    LAYOUT = auto()
    CODE_FENCE = auto()
    SOURCES = auto()


@dataclass(frozen=True, slots=True)
class Refusal:
    """``DECLINED: reason``; None where it gives none that is known."""

    reason: DeclineReason | None


@dataclass(frozen=True, slots=True)
class Body:
    """A line of text: its layout (indent, bullet, number, heading, quote) and what follows."""

    layout: str
    rest: str

    @property
    def heading(self) -> bool:
        """Whether it is a Markdown heading."""
        return bool(_HEADING.match(self.layout.lstrip()))

    @property
    def in_table(self) -> bool:
        """Whether it is a row of a Markdown table."""
        return self.layout.lstrip().startswith("|")


Start = Special | Refusal | Body


def read_start(text: str, *, ended: bool) -> Start:
    """Tell what begins with ``text``, the beginning of a line; ``ended``: that is all of it."""
    body = read_body(text)
    rest = body.rest
    if ended and _FENCE.fullmatch(rest):
        return Special.CODE_FENCE
    if ended and not any(character.isalnum() for character in rest):
        return Special.LAYOUT
    if not ended and len(text) > MAX_START_CHARS:
        return body
    if not ended and (not rest or _PARTIAL.fullmatch(rest)):
        return Special.UNDECIDED
    return read_refusal(rest, ended=ended) or _sources(rest, ended=ended) or body


def read_body(text: str) -> Body:
    """A line that is text whatever it begins with, without its layout."""
    match = _LAYOUT.match(text)
    layout = match[0] if match else ""
    return Body(layout, text[len(layout) :])


def read_refusal(text: str, *, ended: bool) -> Special | Refusal | None:
    """Whether a sentence that begins with ``text`` refuses in the fixed form; None: it does not."""
    letters = re.sub(r"[\W_]", "", text.lower())
    if letters in _REASONS and (ended or not text[-1].isalnum()):
        return Refusal(_REASONS[letters])
    if ended:
        return Refusal(None) if _BARE.fullmatch(text) else None
    if len(text) <= MAX_START_CHARS and any(form.startswith(letters) for form in _REASONS):
        return Special.UNDECIDED
    return Refusal(None) if _BARE_GIVEN.match(text) else None


def announces_sources(text: str) -> bool:
    """Whether a line so far says that sources follow: "References:", "**Source** "."""
    rest = text.lstrip(_DECORATION + ">-")
    marked = any(mark in text for mark in "*_#:：")
    return marked and rest.rstrip(_DECORATION + ":：").lower() in _SOURCES


def after_label(text: str) -> str:
    """What follows "Sources:" on the line; nothing where the line does not begin so."""
    rest = read_body(text).rest.lstrip(_DECORATION)
    label = _SOURCES_FOLLOW.match(rest.lower())
    return rest[label.end() :] if label else ""


def _sources(rest: str, *, ended: bool) -> Special | None:
    said = rest.lstrip(_DECORATION).lower()
    word = said.rstrip(_DECORATION + ":：")
    if word in _SOURCES:
        if ended:
            return Special.SOURCES
        colon = any(mark in said for mark in ":：")
        if not colon or word in _ONE or said[-1] in ":：":
            return Special.UNDECIDED
    if _SOURCES_FOLLOW.match(said):
        return Special.SOURCES
    partial = any(name.startswith(said) for name in _SOURCES)
    return Special.UNDECIDED if partial and not ended else None
