"""Pairs as the cross-encoder reads them."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rag.models.pairs import (
    CLS,
    MAX_QUERY_TOKENS,
    MAX_TITLE_TOKENS,
    MAX_TOKENS,
    SEP,
    Window,
    windows,
)

tokens = st.integers(1_000, 30_000)
texts = st.lists(tokens, max_size=40)
sentences = st.lists(st.lists(tokens, min_size=1, max_size=200), max_size=12)


def test_a_short_pair_is_one_window_with_a_place_for_each_part() -> None:
    [window] = windows([7], [8, 9], [[10, 11], [12]])
    assert window.ids == (CLS, 7, SEP, 8, 9, SEP, 10, 11, 12, SEP)
    assert window.segments == (0, 0, 0, 1, 1, 1, 1, 1, 1, 1)
    assert window.spans == ((1, 2), (3, 9), (6, 8), (8, 9))
    assert window.sentences == (0, 1)


def test_without_a_title_nothing_stands_in_its_place() -> None:
    [window] = windows([7], [], [[10]])
    assert window.ids == (CLS, 7, SEP, 10, SEP)


def test_a_text_without_sentences_is_still_a_window() -> None:
    [window] = windows([7], [], [])
    assert window.sentences == ()
    assert window.spans == ((1, 2), (3, 4))


def test_windows_of_a_long_text_overlap() -> None:
    long = [[1_000 + i] * 100 for i in range(6)]
    first, second, *_ = windows([7], [8], long)
    assert set(first.sentences) & set(second.sentences)


@settings(deadline=None)
@given(st.lists(tokens, max_size=300), st.lists(tokens, max_size=100), sentences)
def test_windows_show_every_token_and_fit(
    query: list[int], title: list[int], text: list[list[int]]
) -> None:
    made = windows(query, title, text)
    for window in made:
        assert len(window.ids) == len(window.segments) <= MAX_TOKENS
        assert len(window.spans) == 2 + len(window.sentences)
        start, end = window.spans[0]
        assert list(window.ids[start:end]) == query[:MAX_QUERY_TOKENS]
        assert all(0 <= a <= b <= len(window.ids) for a, b in window.spans)
        shown_title = window.ids[window.spans[1][0] :][: min(len(title), MAX_TITLE_TOKENS)]
        assert list(shown_title) == title[:MAX_TITLE_TOKENS]
    for index, sentence in enumerate(text):
        assert _shown(index, made, len(sentence)) == sentence


def _shown(index: int, made: list[Window], length: int) -> list[int]:
    """A sentence put together again from the windows that show it."""
    shown: list[int] = []
    for window in made:
        if index in window.sentences:
            start, end = window.spans[2 + window.sentences.index(index)]
            piece = list(window.ids[start:end])
            if len(piece) == length:
                return piece
            overlap = next(n for n in range(len(piece), -1, -1) if not n or shown[-n:] == piece[:n])
            shown += piece[overlap:]
    return shown
