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
# Words that point back at an earlier turn, and openings that continue one.
_POINTS_BACK = re.compile(
    r"\b(it|its|they|them|their|theirs|this|that|these|those|he|she|his|her|former|latter|same"
    r"|both|one|ones|there|above|previous|earlier|else|instead|also)\b"
    r"|\bthe (paper|papers|authors?|method|model|approach|study|benchmark|dataset|system"
    r"|framework|first|second|third|other|others)\b",
    re.IGNORECASE,
)
_CONTINUES = re.compile(
    r"^\W*(and|but|so|or|then|what about|how about|how so|why|why not|how come|on what|by how"
    r" much|how much|how many|in what way|which ones?|for example|more)\b",
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
    """Whether a question can hardly be understood without the turn before it."""
    words = re.findall(r"\w+", question)
    return (
        len(words) <= _SHORT_WORDS
        or bool(_CONTINUES.search(question))
        or bool(_POINTS_BACK.search(question))
    )


def standalone(question: str, history: Sequence[Turn]) -> str:
    """The question with what it takes from earlier turns put before it.

    Without a language model nothing is rewritten: the questions it builds on stand before it, so
    that search and sentence choice see their words. A question that stands alone is unchanged.
    """
    if not history or not depends_on_history(question):
        return question
    *earlier, (last, _) = history
    return f"{standalone(' '.join(last.split()), earlier)} {question}"
