"""What bibliographies of every format need: names in parts, citation keys, kinds of venue. Pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from rag.schema import Paper

_SUFFIX = re.compile(r"(?:Jr|Sr|II|III|IV|PhD|MD)\.?", re.IGNORECASE)
_ORGANISATION = re.compile(
    r"&|(?i:\band\b)|\b(?:of|for)\b|\b(?i:collaboration|consortium|committee|group|initiative"
    r"|institute|network|organi[sz]ation|society|team|university)\b"
)
_MEETING = re.compile(
    r"\b(?:proceedings|proc\.|conference|workshop|symposium|meeting|neurips|nips|icml|iclr|acl"
    r"|naacl|eacl|emnlp|coling|cvpr|iccv|eccv|aaai|ijcai|kdd|sigir|www|chi|interspeech)\b",
    re.IGNORECASE,
)
# Letters that no decomposition turns into ASCII.
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "þ": "th",
                          "ı": "i", "ħ": "h"})  # fmt: skip
_SMALL = frozenset(
    ("a", "an", "and", "are", "as", "at", "by", "do", "does", "for", "from", "how", "in", "is",
     "of", "on", "or", "the", "to", "via", "what", "when", "why", "with")
)  # fmt: skip
_MAX_KEY_CHARS = 60


@dataclass(frozen=True, slots=True)
class Name:
    """A name in parts.

    ``given`` and ``suffix`` are empty where there is none; ``family`` has the particles
    (``van der Berg``), and is the whole name of an organisation or of who has a single name.
    """

    family: str
    given: str = ""
    suffix: str = ""


def name_of(author: str) -> Name:
    """The parts of a name: ``Jan van der Berg``, ``Berg, Jan`` or ``Jan Berg, Jr.``.

    As in BibTeX the family name begins at the first word in small letters that is not the first
    of all, else it is the last word.
    """
    author = " ".join(author.split())
    head, _, tail = (part.strip() for part in author.partition(","))
    if head and _SUFFIX.fullmatch(tail):
        whole = name_of(head)
        return Name(whole.family, whole.given, tail) if whole.given else Name(author)
    if not head or "," in tail or _ORGANISATION.search(author):
        return Name(author)
    if tail:
        return Name(head, tail)
    words = head.split()
    suffix = words.pop() if len(words) > 2 and _SUFFIX.fullmatch(words[-1]) else ""
    last = len(words) - 1
    first = next((i for i in range(1, last) if words[i][0].islower()), last)
    return Name(" ".join(words[first:]), " ".join(words[:first]), suffix)


def is_meeting(venue: str) -> bool:
    """Whether a venue is a conference or a workshop, by its name, and not a journal."""
    return _MEETING.search(venue) is not None


def web_address(paper: Paper) -> str | None:
    """The address that the paper came with, if it is one of the web (http or https)."""
    web = paper.url is not None and paper.url.lower().startswith(("http://", "https://"))
    return paper.url if web else None


class Keys:
    """Citation keys of papers, each given once: ``lee2024grokking``, then ``lee2024grokking-2``.

    A key is the first author's family name, the year and the first word of the title that means
    something (three of them where no author is known), in small ASCII letters and digits. Keys of
    papers that come in the order of their arrival stay the same as a collection grows.
    """

    def __init__(self) -> None:
        self._given: dict[str, int] = {}

    def give(self, paper: Paper) -> str:
        """A key for the paper that no other has got."""
        stem = _stem(paper)
        count = self._given[stem] = self._given.get(stem, 0) + 1
        return stem if count == 1 else f"{stem}-{count}"


def _stem(paper: Paper) -> str:
    family = _plain_letters(name_of(paper.authors[0]).family) if paper.authors else ""
    words = (_plain_letters(word) for word in paper.title.split())
    telling = [word for word in words if word and word not in _SMALL][: 1 if family else 3]
    return f"{family}{paper.year or ''}{''.join(telling)}"[:_MAX_KEY_CHARS] or "paper"


def _plain_letters(text: str) -> str:
    """The letters and digits of a text in small ASCII; those of other scripts are left out."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    return re.sub(r"[^a-z0-9]", "", decomposed)
