"""Splits an abstract into sentences, as offsets into the stored text.

The decisions are nupunkt's, whose Punkt engine is given the abbreviations of scientific prose
in place of the ones it learned from court rulings (those made "tasks.", "cancer." and
"manipulator." abbreviations: 121 missed ends in 5,000 abstracts for "tasks." alone). What it
cannot know is added here: ends without a space ("WebArena.To the best"), brackets and
quotations that are kept whole, list items, and a limit on length.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

from nupunkt import PunktParameters, PunktSentenceTokenizer
from nupunkt.core.constants import ORTHO_MID_LC

from rag.ingest.abbreviations import NEVER_FINAL, OFTEN_FINAL, OPENERS, SELDOM_FINAL

MAX_SENTENCE_CHARS = 800
"""No sentence is longer: at four characters a token it fits the embedder's 256 with its title."""

# `re` skips fast to a literal or one of a set of characters that a pattern begins with, so the
# patterns below begin with one where they can, or are tried only where one was found.

# Always an end: an empty line, a bullet, a full stop of a script that has no capitals.
_HARD = re.compile(
    r"\n[^\S\n]*\n"
    r"|\s(?=[\u2022\u2023\u25aa\u25cf]\s)"
    r"|[\u3002\uff01\uff1f\u0964\u06d4\u061f](?![\u3002\uff01\uff1f\u201d\u300d\u300f\uff09)])"
)
_HARD_SIGN = re.compile("[\n\u2022\u2023\u25aa\u25cf\u3002\uff01\uff1f\u0964\u06d4\u061f]")
# A line that may begin an item of a list, or be the second half of a wrapped sentence.
_LISTED = re.compile(r"\n(?=\s*(?:[-*\u2013]\s|\d{1,2}[.)]\s+[A-Z]))")
_UNBROKEN = re.compile(rf"\S{{{MAX_SENTENCE_CHARS + 1},}}")
# An end without a space after it: "WebArena.To the", "(RL).We"; not "TaskMatrix.AI", "Node.js".
_GLUED = re.compile(r"[.?!](?<=[a-z)\]].)(?=(?:[A-Z][a-z]+|A|I)[\s,])")
# A formula that ends with the full stop of its sentence: "$y = 2x.$ We".
_FORMULA_END = re.compile(r"[.?!]\${1,2}(?=\s+[A-Z])")
# Kept whole: what stands in brackets, in quotation marks, or between dollar signs.
_OPENS = re.compile("[(\\[\"\u201c`'$]")
_WHOLE = re.compile(
    r"\((?:[^()]|\([^()]*\)){1,400}\)"
    r"|\[[^\[\]]{1,400}\]"
    r'|(?<![\w"])"(?=\S)[^"]{1,400}(?<=\S)"(?!\w)'
    r"|\u201c[^\u201c\u201d]{1,400}\u201d"
    r"|``[^`]{1,400}?''"
    r"|(?<![\w'])'(?=\S)[^'\n]{1,400}(?<=\S)'(?![\w'])"
    r"|\$\$[^$]{1,400}\$\$|\$(?![\d\s])[^$]{1,200}(?<!\s)\$"
)
_SAYS = re.compile(r"\w")
_ITEM = r"\(?(?:\d{1,2}|[A-Za-z]|[ivxIVX]{1,5})[.)]{0,2}"
# What opens the next sentence rather than being one: "2.)", "(a)", "Results."
_LABEL = re.compile(
    rf"{_ITEM}|(?:aims?|backgrounds?|conclusions?|design|discussion|findings|interpretation"
    r"|introduction|(?:\w+ and )?methods?|motivation|objectives?|purpose|results?"
    r"|significance|summary)[.:]",
    re.IGNORECASE,
)
_ITEM_LAST = re.compile(rf"[:;,]\s+\({_ITEM[3:]}$|[:;]\s+\d{{1,2}}[.)]+$")
_ABBREVIATIONS = NEVER_FINAL | SELDOM_FINAL
_ADDRESS_SIGN = re.compile(r"[/@\\_]")
_DOTTED = re.compile(r"(?:\b[A-Za-z]\.){2,}$")
_BROKEN_URL = re.compile(r"(?:https?://|www\.)\S*\.$")
# After these nothing new begins: "?' -- we", "?), which", 'name>?", while'.
_CARRIES_ON = re.compile(r"--|[\u2013\u2014]|[\"'\u201d\u2019)\]}]*[,;:]|[)\]}]")
_LAST_RESORTS = tuple(re.compile(p) for p in (r"[;:]\s", r",\s", r"\s"))


def split_sentences(abstract: str) -> tuple[tuple[int, int], ...]:
    """The sentences of an abstract as ``(start, end)`` offsets into it.

    In order, without overlap, without white space at their ends; together they hold every
    character that is not white space; none is longer than `MAX_SENTENCE_CHARS`. Empty only for
    blank text.
    """
    hard = {0, len(abstract), *_hard_cuts(abstract)}
    cuts = set(hard)
    for start, end in pairwise(sorted(hard)):
        cuts.update(_soft_cuts(abstract, start, end))
    spans: list[tuple[int, int]] = []
    for start, end in pairwise(sorted(cuts)):
        left, right = _trimmed(abstract, start, end)
        if left < right:
            spans.extend(_shortened(abstract, left, right))
    return tuple(spans)


def _hard_cuts(text: str) -> Iterator[int]:
    if _HARD_SIGN.search(text):
        yield from (match.end() for match in _HARD.finditer(text))
    listed = list(_LISTED.finditer(text))
    for match in listed:
        if len(listed) > 1 or text[: match.start()].rstrip().endswith((".", ":", "!", "?")):
            yield match.end()
    for match in _UNBROKEN.finditer(text):
        yield from range(match.start(), match.end(), MAX_SENTENCE_CHARS)
        yield match.end()


def _soft_cuts(text: str, start: int, end: int) -> Iterator[int]:
    """Where a sentence begins between two hard cuts, by the engine and the rules above."""
    block = text[start:end]
    found = {first for first, _ in _engine().span_tokenize(block)}
    found.update(m.end() for m in _GLUED.finditer(block) if _may_be_glued(block, m.start()))
    found.update(m.end() for m in _FORMULA_END.finditer(block))
    found.discard(0)
    if not found:
        return
    whole = list(_kept_whole(block))
    last = 0
    for cut in sorted(found):
        if _holds(block, last, cut, whole):
            last = cut
            yield start + cut


def _kept_whole(text: str) -> Iterator[tuple[int, int]]:
    """Where `_WHOLE` matches, from left to right."""
    at = 0
    while opens := _OPENS.search(text, at):
        whole = _WHOLE.match(text, opens.start())
        if whole:
            yield whole.span()
        at = whole.end() if whole else opens.end()


def _may_be_glued(text: str, stop: int) -> bool:
    """Whether the full stop at ``stop`` can end a sentence: not in an address or abbreviation."""
    chunk_start = max(text.rfind(" ", 0, stop), text.rfind("\n", 0, stop)) + 1
    chunk = text[chunk_start:stop]
    return not _ADDRESS_SIGN.search(chunk) and chunk.lower() not in _ABBREVIATIONS


def _holds(text: str, last: int, cut: int, whole: list[tuple[int, int]]) -> bool:
    """Whether a cut is to be made, given where the sentence before it began."""
    around = bisect_right(whole, (cut, -1)) - 1
    if around >= 0 and whole[around][0] < cut < whole[around][1]:
        return False
    before, after = text[last:cut].strip(), text[cut : cut + 60].lstrip()
    if not _SAYS.search(before) or not _SAYS.search(after):
        return False
    if _LABEL.fullmatch(before) or _ITEM_LAST.search(before[-40:]):
        return False
    if after[:1].islower() and (_BROKEN_URL.search(before) or _DOTTED.search(before)):
        return False
    return not _CARRIES_ON.match(after)


def _shortened(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A span in pieces of at most `MAX_SENTENCE_CHARS`, cut at clause ends where there are any."""
    while end - start > MAX_SENTENCE_CHARS:
        cut = _last_resort(text, start, start + MAX_SENTENCE_CHARS)
        yield _trimmed(text, start, cut)
        start, _ = _trimmed(text, cut, end)
    if start < end:
        yield start, end


def _last_resort(text: str, start: int, limit: int) -> int:
    """The last clause end, comma or white space in the second half before ``limit``."""
    for pattern in _LAST_RESORTS:
        ends = [match.end() for match in pattern.finditer(text, (start + limit) // 2, limit)]
        if ends:
            return ends[-1]
    return limit


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())


@cache
def _engine() -> PunktSentenceTokenizer:
    """The engine with our abbreviations; made once, read only afterwards."""
    parameters = PunktParameters(
        abbrev_types={*NEVER_FINAL, *SELDOM_FINAL, *OFTEN_FINAL},
        # Openers are words seen in small letters, so a capital means a new sentence, even after
        # an initial: "vitamin C. We".
        ortho_context=dict.fromkeys(OPENERS, ORTHO_MID_LC),
        sent_starters=set(OPENERS),
        abbrev_break_rates={
            **dict.fromkeys(NEVER_FINAL, (100, 0)),
            **dict.fromkeys(OFTEN_FINAL, (100, 100)),
        },
    )
    engine = PunktSentenceTokenizer(parameters)
    engine.BREAK_RATE_LOW = 0.0
    engine.EXCL_QUEST_LOWERCASE_CONTINUES = True
    return engine
