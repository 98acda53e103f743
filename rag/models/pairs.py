"""How a pair of a question or claim and a text becomes the input of the cross-encoder. Pure.

``[CLS] query [SEP] title [SEP] sentence sentence … [SEP]``, the query as the first segment and
the rest as the second. Training and use read the same functions, so that they cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MAX_TOKENS = 384
MAX_QUERY_TOKENS = 128
MAX_TITLE_TOKENS = 64
OVERLAP = 2
"""Sentences that a window repeats from the one before it."""

CLS, SEP = 101, 102
"""BERT's special tokens in the vocabulary of the bundled models."""

Ids = Sequence[int]


@dataclass(frozen=True, slots=True)
class Window:
    """One input of the cross-encoder: token ids, segments, and where its parts lie.

    ``spans`` are pairs of first and last (exclusive) positions: of the query, of the text (title
    and sentences), and of each sentence in ``sentences`` (their indices in the text, ascending;
    a sentence that exceeds the window stands in several).
    """

    ids: tuple[int, ...]
    segments: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    sentences: tuple[int, ...]


def windows(query: Ids, title: Ids, sentences: Sequence[Ids]) -> list[Window]:
    """All windows that together show every token of every sentence, at least one.

    A text that fits in `MAX_TOKENS` is one window. The query and the title are cut at
    `MAX_QUERY_TOKENS` and `MAX_TITLE_TOKENS`; nothing else ever is.
    """
    query, title = query[:MAX_QUERY_TOKENS], title[:MAX_TITLE_TOKENS]
    room = MAX_TOKENS - len(query) - len(title) - (4 if title else 3)
    pieces = [
        (index, sentence[start : start + room])
        for index, sentence in enumerate(sentences)
        for start in range(0, max(len(sentence), 1), room)
    ]
    return [_window(query, title, run) for run in _runs(pieces, room)]


def _runs(pieces: Sequence[tuple[int, Ids]], room: int) -> Iterator[Sequence[tuple[int, Ids]]]:
    """Runs of pieces that fit, each beginning `OVERLAP` pieces before the end of the last."""
    first = 0
    while True:
        last, used = first, 0
        while last < len(pieces) and used + len(pieces[last][1]) <= room:
            used += len(pieces[last][1])
            last += 1
        yield pieces[first:last]
        if last == len(pieces):
            return
        # The next run must show at least one new piece, whatever it repeats.
        first, need = last, len(pieces[last][1])
        while first > last - OVERLAP and need + len(pieces[first - 1][1]) <= room:
            first -= 1
            need += len(pieces[first][1])


def _window(query: Ids, title: Ids, pieces: Sequence[tuple[int, Ids]]) -> Window:
    ids = [CLS, *query, SEP]
    begin = len(ids)
    if title:
        ids += [*title, SEP]
    spans: dict[int, tuple[int, int]] = {}
    for index, piece in pieces:
        start = spans[index][0] if index in spans else len(ids)
        ids += piece
        spans[index] = (start, len(ids))
    end = len(ids)
    ids.append(SEP)
    segments = [0] * begin + [1] * (len(ids) - begin)
    # An empty text still has a span: its closing [SEP].
    places = ((1, begin - 1), (begin, max(end, begin + 1)), *spans.values())
    return Window(tuple(ids), tuple(segments), places, tuple(spans))
