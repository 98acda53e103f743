"""The start screen: what this is, what it can speak about, questions to begin with."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from rag.store.words import STOP_WORDS

EXAMPLES = 4
_TOPICS = 8
_MIN_PAPERS = 3

_START = Markup(
    '<section class="start" aria-label="Start"><h2>Ask the abstracts</h2>'
    "<p>Every sentence of an answer carries a footnote to the exact sentence of the abstract that "
    "supports it. What the abstracts do not say is not answered.</p>{about}{examples}</section>"
)
_EMPTY = Markup(
    '<section class="start" aria-label="Start"><h2>This collection is empty</h2>'
    "<p>Add papers under <b>Papers</b>: files in any of the formats that are read, or pasted "
    "text.</p></section>"
)
_ABOUT = Markup('<p class="about">It can speak about <b>{papers} papers</b>{topics}. {how}</p>')
_EXAMPLE = Markup(
    '<li><button type="button" class="example" data-do="ask" data-text="{text}">{text}</button>'
    "</li>"
)
_WRITTEN = Markup("Answers are written by <b>{}</b> and checked against what they cite.")
_QUOTED = Markup("Answers are <b>extractive</b>: quoted from the abstracts, word for word.")

_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
_NAME = re.compile(r"[^\s:,?!]{2,24}")


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the start screen says of a collection."""

    papers: int
    topics: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()


def start(held: Holdings, model: str | None) -> Markup:
    """The start screen of a collection; ``model`` is who writes, None where nobody does."""
    if not held.papers:
        return _EMPTY
    topics = f", among them on {', '.join(held.topics)}" if held.topics else ""
    examples = Markup("").join(_EXAMPLE.format(text=text) for text in held.examples)
    return _START.format(
        about=_ABOUT.format(papers=f"{held.papers:,}", topics=topics, how=writer(model)),
        examples=Markup('<ul class="examples" aria-label="Examples">{}</ul>').format(examples),
    )


def writer(model: str | None) -> Markup:
    """Who writes the answers, in a sentence."""
    return _WRITTEN.format(model) if model else _QUOTED


def topics(titles: Iterable[str]) -> tuple[str, ...]:
    """What titles have in common: the pairs of words that stand in most of them."""
    counts: Counter[str] = Counter()
    for title in titles:
        words = [word.casefold() for word in _WORD.findall(title)]
        pairs = {
            f"{first} {second}"
            for first, second in itertools.pairwise(words)
            if not {first, second} & STOP_WORDS and not f"{first}{second}".isdigit()
        }
        counts.update(pairs)
    return tuple(pair for pair, papers in counts.most_common(_TOPICS) if papers >= _MIN_PAPERS)


def questions(titles: Sequence[str]) -> Iterator[str]:
    """Questions about papers, from titles spread over the collection, the same each time.

    Titles that begin with a name ("GeneGPT: …") come first: a question can be made of it.
    """
    forms = ("What is {}?", "How well does {} do?", "How does {} work?", "What is {} for?")
    named = [title.split(":")[0].strip() for title in titles if ":" in title]
    names = [name for name in dict.fromkeys(named) if _NAME.fullmatch(name)]
    for place, name in enumerate(_spread(names, 3 * EXAMPLES)):
        yield forms[place % len(forms)].format(name)
    for title in _spread(titles, 2 * EXAMPLES):
        yield f"What do we learn from “{title}”?"


def _spread(items: Sequence[str], count: int) -> list[str]:
    """About ``count`` items at equal distances."""
    step = max(1, len(items) // max(1, count))
    return list(items[step // 2 :: step][:count])
