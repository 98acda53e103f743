"""Reading a question: is it one, what kind, and what an earlier turn contributes. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

from rag.errors import QuestionError

MAX_QUESTION_CHARS = 4_000

Turn = tuple[str, str]
"""An earlier question and the answer it got, as text."""


class Kind(StrEnum):
    """What shape of answer a question asks for."""

    FACT = "fact"
    LIST = "list"
    COMPARISON = "comparison"


_LIST = re.compile(
    r"^\W*(please\s+)?(list|enumerate|name)\b"
    r"|\b(which|what|any|all|other|several|some)\s+(\w+\s+)?"
    r"(papers|works|studies|articles|publications|authors|groups|benchmarks|datasets|surveys)\b"
    r"|^\W*(and\s+)?which\s+(\w+[^\Wsu]s\s|\w+\s+\w+[^\Wsu]s\s+(are|were|do|did|have|can|could)\b)"
    r"|\boverview of\b",
    re.IGNORECASE,
)
_COMPARISON = re.compile(
    r"\b(compar\w+|versus|vs|differ(s|ed|ence|ences|ent)?|contrast\w*|(dis)?agree\w*"
    r"|contradict\w*|conflict\w*|reconcile|consensus|pros and cons|trade-?offs? between)\b",
    re.IGNORECASE,
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that always point back at an earlier turn, and openings that continue one.
_PRONOUNS = _words("it its they them their theirs he she him his her hers former latter else")
_CONTINUES = re.compile(
    r"^\W*(and|but|so|or|then|what about|how about|how so|why not|how come|by how much"
    r"|in what way|which ones?|for example)\b"
    r"|^\W*(on|in|at|for|from|with|without)(\s+\S+){1,2}$",
    re.IGNORECASE,
)
# What an answer speaks of: "the method", "this method", but "the method of GeneGPT" is named.
_SPOKEN_OF = _words(
    "paper papers author authors method methods model models approach approaches study studies "
    "benchmark benchmarks dataset datasets system systems framework frameworks technique "
    "techniques algorithm algorithms result results finding findings effect effects problem "
    "problems work works claim claims task tasks tool tools idea topic area one ones"
)
_NAMED_BY = _words("of called named behind by that which who described")
_BE = _words("is are was were be")
_DO = _words("do does did can could will would should may might must has have had")
_PREPOSITIONS = _words(
    "about after against as at before by for from in into like of on over than through to under "
    "with without"
)
_COUNTED_OUT = _words("one ones paper papers") | _PREPOSITIONS | _BE | _DO | {""}
_QUESTION_WORDS = _words("what which who whom whose when where why how")
_TOKEN = re.compile(r"\w+(?:[-'’.]\w+)*|[^\w\s]")
# "What is grokking?" says what it is about; "What is new?" does not.
_DEFINITION = re.compile(
    r"^\W*what (?:is|are) (?:an? )?(?!the\b|new\b|missing\b|next\b|different\b|better\b|best\b"
    r"|special\b|wrong\b|unclear\b|known\b|shown\b|left\b|done\b|limitations?\b|reasons?\b"
    r"|results?\b|findings?\b|examples?\b|\w+ed\b\W*$)[\w'’-]{4,}(?: [\w'’-]+){0,2}\W*$",
    re.IGNORECASE,
)
# "Which papers study grokking?" says what it is about; "Which papers use them?" points back.
_PAPERS_ABOUT = re.compile(
    r"\b(papers|works|studies|articles|publications|surveys|benchmarks|datasets) "
    r"((that|which|who) )?(about|on|are about|deal with|study|discuss|examine|address|cover|use"
    r"|propose|introduce|describe|present|mention|concern) [\w-]{4,}",
    re.IGNORECASE,
)
_SHORT_WORDS = 5


def checked(question: str) -> str:
    """The question with its white space collapsed.

    Raises:
        QuestionError: it is blank, holds no letter or digit, or has more than
            `MAX_QUESTION_CHARS` characters.
    """
    text = " ".join(question.split())
    if not text:
        raise QuestionError("the question is empty; ask something, for example 'What is grokking?'")
    if len(text) > MAX_QUESTION_CHARS:
        raise QuestionError(
            f"the question has {len(text):,} characters, at most {MAX_QUESTION_CHARS:,} are read; "
            "shorten it"
        )
    if not any(c.isalnum() for c in text):
        raise QuestionError(f"the question {text[:40]!r} holds no word; ask in words")
    # A lone surrogate (a stray byte on the command line) cannot be stored or encoded.
    return text.encode("utf-8", "replace").decode()


def kind_of(question: str) -> Kind:
    """Whether a question asks for a fact, a list of papers, or a comparison."""
    if _COMPARISON.search(question):
        return Kind.COMPARISON
    return Kind.LIST if _LIST.search(question) else Kind.FACT


def depends_on_history(question: str) -> bool:
    """Whether a question can hardly be understood without the turn before it.

    It opens like a continuation, points back ("it", "this method"), or is short and names
    nothing of its own.
    """
    tokens = _TOKEN.findall(question)
    words = [token for token in tokens if token[0].isalnum()]
    return (
        bool(_CONTINUES.search(question))
        or _points_back(tokens)
        or not (
            len(words) > _SHORT_WORDS
            or _names_something(words)
            or _DEFINITION.search(question)
            or _PAPERS_ABOUT.search(question)
        )
    )


def _names_something(words: Sequence[str]) -> bool:
    """Whether a word is a name: MindAgent, GPT-4, LIMO anywhere, Hinton after the first word."""
    for place, word in enumerate(words):
        inner = any(c.isupper() or c.isdigit() for c in word[1:])
        if any(c.isalpha() for c in word) and (
            (inner and word.lower() not in _QUESTION_WORDS)
            or (place > 0 and len(word) > 1 and word[0].isupper())
        ):
            return True
    return False


def _points_back(tokens: Sequence[str]) -> bool:
    """Whether a word stands for something that an earlier turn spoke of."""
    # "" stands for the beginning and for the end of a clause.
    around = ["", "", *(t.lower() if t[0].isalnum() else "" for t in tokens), "", "", ""]
    return any(
        _stands_for(word, (around[i - 2], around[i - 1]), (around[i + 1], around[i + 2]))
        or (word == "both" and "and" not in around[i:])
        for i, word in enumerate(around)
        if word
    )


def _stands_for(word: str, before: tuple[str, str], after: tuple[str, str]) -> bool:
    """Whether a word between two words on either side is a pronoun, or its noun is unnamed."""
    if word in _PRONOUNS:
        return True
    if word == "instead":
        return after[0] != "of"
    if word in ("above", "previous", "earlier"):
        return before[1] == "the"
    if word == "same":
        return after[0] in _SPOKEN_OF | _PREPOSITIONS | {""}
    if word == "there":
        return not after[0] and before[1] not in _BE
    if word in ("one", "ones"):
        pointed_at = before[1] in ("the", "this", "that", "these", "those", "which", "another")
        return not after[0] or pointed_at
    if word in ("first", "second", "third", "other", "others"):
        return before[1] == "the" and after[0] in _COUNTED_OUT
    if word == "the":
        return after[0] in _SPOKEN_OF and after[1] not in _NAMED_BY
    if word == "that":
        return _that_stands_for(before, after)
    if word in ("this", "these", "those"):
        return _this_stands_for(word, before[1], after)
    return False


def _that_stands_for(before: tuple[str, str], after: tuple[str, str]) -> bool:
    """Not in "papers that show …", nor in "show that models …"."""
    asked = before[1] in _BE and (not before[0] or before[0] in _QUESTION_WORDS)
    return (
        not after[0]
        or not before[1]
        or asked
        or before[1] in _DO | _PREPOSITIONS
        or (after[0] in _SPOKEN_OF and not after[1])
    )


def _this_stands_for(word: str, before: str, after: tuple[str, str]) -> bool:
    """Not in "those that …" and "those of …", nor before a noun that says what is meant."""
    if word == "those" and after[0] in _NAMED_BY:
        return False
    if after[0] in _SPOKEN_OF | _PREPOSITIONS | _BE | _DO | {"", "and", "or"}:
        return True
    # "Does this generalise?", "Why does this happen in robots?"
    return before in _DO and after[1] in _PREPOSITIONS | {""}


def standalone(question: str, history: Sequence[Turn]) -> str:
    """The question with what it takes from earlier turns put before it.

    Without a language model nothing is rewritten: the questions it builds on stand before it, so
    that search and sentence choice see their words. These are the last one that stood alone and
    the one just before, each once, as far as they fit in `MAX_QUESTION_CHARS`. A question that
    stands alone is unchanged.
    """
    if not history or not depends_on_history(question):
        return question
    asked = [" ".join(earlier.split()) for earlier, _ in history]
    began = next((q for q in reversed(asked) if not depends_on_history(q)), asked[0])
    parts = list(dict.fromkeys((began, asked[-1], question)))
    # What is asked now stands last, even where it was asked before.
    parts = [part for part in parts if part != question] + [question]
    while len(parts) > 1 and len(" ".join(parts)) > MAX_QUESTION_CHARS:
        del parts[0]
    return " ".join(parts)
