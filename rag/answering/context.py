"""What a language model is given to read: papers whose sentences each have a key. Pure.

A key says nothing and cannot be counted up: two consonants and three digits, taken from a hash of
the paper's id and the sentence's index. GPT's encodings read it as two tokens (`[k3f9]` costs
4.5, `kf392 ` 2.1). In a context it is made longer where another sentence has the same one, or
where a title, a sentence or the question holds it, so that no text can pass for a key.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from rag.answering.prompts import Prompt
from rag.schema import Paper
from rag.store.catalog import StoredPaper

CONSONANTS = "bcdfghjkmnpqrtvwxz"
"""Without l and s, which look like digits; without vowels, so that no word comes about."""
DIGITS = "23456789"

# Of ChatML, Llama 3 and DeepSeek; Llama 2 and Mistral; Gemma; sentencepiece.
_SPECIAL_TOKEN = re.compile(
    r"<(?=[|｜]|</?SYS>|/?(?:s|bos|eos|pad|unk|(?:start|end)_of_turn|im_(?:start|end|sep))>)"
    r"|\[(?=/?(?:INST|SYS|BOS|EOS|gMASK|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\])"
)
_BREAK = "\n---\n"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence offered to the model: ``paper.abstract[start:end] == quote``."""

    key: str
    paper: Paper
    sentence: int
    start: int
    end: int

    @property
    def quote(self) -> str:
        """The sentence, verbatim."""
        return self.paper.abstract[self.start : self.end]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Sentences (their indices, ascending) of a paper that did not fit."""

    paper: Paper
    sentences: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Context:
    """Papers as text, best first, and what each key in it stands for.

    ``tokens`` is the length of ``text`` by the counter that it was packed with. ``fence`` marks
    its beginning and end in the prompt: a hash of text and question, so that no abstract can
    hold it and equal requests are equal.
    """

    text: str
    evidence: Mapping[str, Evidence]
    tokens: int
    left_out: tuple[LeftOut, ...]
    fence: str


def pack(
    held: Sequence[StoredPaper],
    scores: Sequence[Sequence[float] | None],
    question: str,
    *,
    budget: int,
    count: Callable[[str], int],
    whole: int | None = None,
) -> Context:
    """Pack papers, best first, into at most ``budget`` tokens as ``count`` counts them.

    The best papers are given whole, as long as they fit and at most ``whole`` of them (None: no
    limit); what is left is filled with the best sentences of the others. A paper's sentences
    keep their order. ``scores`` are those of each paper's sentences, higher is better; None
    where there are none, then earlier sentences of better papers go first.

    Raises:
        ValueError: there are not as many scores as papers or, for a paper, sentences; or a paper
            is there twice.
    """
    if len({stored.paper.id for stored in held}) < len(held):
        raise ValueError("a paper is there twice: its sentences cannot have two keys")
    papers = _offered(held, scores, question)
    chosen = _choose(papers, budget, count, whole)
    text = _text(papers, chosen)
    while chosen and count(text) > budget:  # a whole may cost more than its parts
        chosen.pop()
        text = _text(papers, chosen)
    taken = set(chosen)
    evidence = {
        line.evidence.key: line.evidence
        for place, paper in enumerate(papers)
        for line in paper.lines
        if (place, line.evidence.sentence) in taken
    }
    return Context(text, evidence, count(text), _left_out(papers, taken), _fence(text, question))


def messages(prompt: Prompt, context: Context, question: str) -> tuple[str, str]:
    """The system's and the user's message: the two parts of a prompt with a rule between them."""
    filled = prompt.fill(fence=context.fence, abstracts=context.text, question=plain(question))
    system, _, user = filled.partition(_BREAK)
    return system.strip(), user.strip()


def plain(text: str) -> str:
    """The text on one line, without control characters, and without a server's special tokens.

    Chat templates write ``<|im_start|>``, ``[INST]`` and the like, which become ``< |im_start|>``
    and ``[ INST]``. Nothing else changes.
    """
    spaced = " ".join("".join(map(_visible, text)).split())
    return _SPECIAL_TOKEN.sub(r"\g<0> ", spaced)


def _visible(character: str) -> str:
    """A space for what is invisible and can mislead: controls, bidirectional marks, surrogates."""
    if character in "\u200c\u200d":  # joiners of Persian, Indic scripts and emoji
        return character
    return " " if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") else character


@dataclass(frozen=True, slots=True)
class _Line:
    evidence: Evidence
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class _Offered:
    """A paper as it would stand in the text: a heading, and a line for each sentence."""

    paper: Paper
    heading: str
    lines: tuple[_Line, ...]


def _offered(
    held: Sequence[StoredPaper], scores: Sequence[Sequence[float] | None], question: str
) -> list[_Offered]:
    headings = [_heading(stored.paper) for stored in held]
    quotes = [tuple(map(plain, stored.texts)) for stored in held]
    texts = [*headings, *(quote for paper in quotes for quote in paper), question]
    keys = iter(_keys([(s.paper.id, i) for s in held for i in range(len(s.spans))], texts))
    offered = []
    for stored, heading, lines, given in zip(held, headings, quotes, scores, strict=True):
        evidence = [
            Evidence(next(keys), stored.paper, index, start, end)
            for index, (start, end) in enumerate(stored.spans)
        ]
        ranked = [0.0] * len(lines) if given is None else given
        entries = [
            _Line(entry, f"{entry.key} {line}\n", score)
            for entry, line, score in zip(evidence, lines, ranked, strict=True)
            if line
        ]
        offered.append(_Offered(stored.paper, heading, tuple(entries)))
    return offered


def _heading(paper: Paper) -> str:
    """``# Title (venue, year)``, as far as known."""
    known = ", ".join(str(part) for part in (paper.venue, paper.year) if part)
    title = plain(paper.title) or "Untitled"
    return plain(f"# {title} ({known})" if known else f"# {title}") + "\n"


def _keys(sentences: Sequence[tuple[str, int]], texts: Sequence[str]) -> list[str]:
    """A key for each sentence, in order: none twice, and none that stands in a text."""
    said = "\n".join(texts).lower()
    streams = [_key_stream(*sentence) for sentence in sentences]
    keys = [next(stream) for stream in streams]
    while True:
        often = Counter(keys)
        clashing = [i for i, key in enumerate(keys) if often[key] > 1 or key in said]
        if not clashing:
            return keys
        for i in clashing:
            keys[i] = next(streams[i])


def _key_stream(paper_id: str, sentence: int) -> Iterator[str]:
    """A sentence's keys, each the one before and five characters more."""
    key, length = "", 0
    while True:
        name = f"{paper_id}\n{sentence}\n{length}".encode("utf-8", "surrogatepass")
        number = int.from_bytes(blake2b(name, digest_size=8).digest())
        for alphabet in (CONSONANTS, CONSONANTS, DIGITS, DIGITS, DIGITS):
            number, place = divmod(number, len(alphabet))
            key += alphabet[place]
        length += 1
        yield key


_Place = tuple[int, int]
"""A paper's place and a sentence's index."""


def _choose(
    papers: Sequence[_Offered], budget: int, count: Callable[[str], int], whole: int | None
) -> list[_Place]:
    """What fits, in the order of its worth: whole papers, then the best sentences of others."""
    chosen: list[_Place] = []
    left = budget
    complete = 0
    for place, paper in enumerate(papers[:whole]):
        cost = sum(map(count, (paper.heading, *(line.text for line in paper.lines), "\n")))
        if cost > left:
            break
        left -= cost
        complete = place + 1
        chosen += [(place, line.evidence.sentence) for line in paper.lines]
    rest = sorted(
        (-line.score, place, line.evidence.sentence, line.text)
        for place, paper in enumerate(papers)
        if place >= complete
        for line in paper.lines
    )
    headed: set[int] = set()
    for _, place, sentence, text in rest:
        heading = "" if place in headed else papers[place].heading + "\n"
        cost = count(text) + count(heading)
        if cost <= left:
            left -= cost
            headed.add(place)
            chosen.append((place, sentence))
    return chosen


def _text(papers: Sequence[_Offered], chosen: Sequence[_Place]) -> str:
    taken = set(chosen)
    parts = []
    for place, paper in enumerate(papers):
        lines = [line.text for line in paper.lines if (place, line.evidence.sentence) in taken]
        if lines:
            parts.append(paper.heading + "".join(lines))
    return "\n".join(parts).strip()


def _left_out(papers: Sequence[_Offered], taken: set[_Place]) -> tuple[LeftOut, ...]:
    missing = []
    for place, paper in enumerate(papers):
        indices = [line.evidence.sentence for line in paper.lines]
        out = tuple(index for index in indices if (place, index) not in taken)
        if out:
            missing.append(LeftOut(paper.paper, out))
    return tuple(missing)


def _fence(text: str, question: str) -> str:
    said = f"{text}\n{question}".encode("utf-8", "surrogatepass")
    return "=====" + blake2b(said, digest_size=6).hexdigest()
