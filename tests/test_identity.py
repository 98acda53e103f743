from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from rag.ingest.identity import normalise
from rag.store.catalog import fold

ASCII = st.text(st.characters(max_codepoint=127))


@given(ASCII)
def test_plain_text_is_normalised_as_any_other(text: str) -> None:
    # The letter in front makes the text one that is not ASCII, and nothing else.
    assert normalise(f"é {text}").split()[1:] == normalise(text).split()
    assert fold(f"é {text}").removeprefix("e ") == fold(text)


@given(st.text())
def test_what_is_normalised_holds_letters_and_digits_and_single_spaces(text: str) -> None:
    words = normalise(text).split(" ") if normalise(text) else []
    assert all(words)
    assert all(unicodedata.category(c)[0] in "LN" for word in words for c in word), words
