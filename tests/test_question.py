from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answering.question import (
    MAX_QUESTION_CHARS,
    Kind,
    checked,
    depends_on_history,
    kind_of,
    standalone,
)
from rag.errors import QuestionError


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "?!…", "—", "***"])
def test_a_question_without_a_word_is_refused_with_advice(text: str) -> None:
    with pytest.raises(QuestionError, match="ask"):
        checked(text)


def test_a_question_of_20_000_characters_is_refused_with_its_length() -> None:
    with pytest.raises(QuestionError, match="19,999 characters, at most 4,000"):
        checked("why " * 5000)
    assert len(checked("y" * MAX_QUESTION_CHARS)) == MAX_QUESTION_CHARS


@given(st.text())
def test_a_checked_question_is_one_line_that_can_be_encoded(text: str) -> None:
    try:
        result = checked(text)
    except QuestionError:
        return
    assert result == " ".join(result.split())
    result.encode()


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Which papers study theory of mind?", Kind.LIST),
        ("List the benchmarks for web agents", Kind.LIST),
        ("What other works look at grokking?", Kind.LIST),
        ("Which methods merge models without training?", Kind.LIST),
        ("Are there any papers on copulas?", Kind.LIST),
        ("What is grokking?", Kind.FACT),
        ("Which dataset does OPT-IML use?", Kind.FACT),
        ("How many tasks are in MMInA?", Kind.FACT),
        ("How does LIMO differ from s1?", Kind.COMPARISON),
        ("Do the papers on emergence disagree?", Kind.COMPARISON),
        ("GPT-4 versus GPT-3.5 on theory of mind", Kind.COMPARISON),
    ],
)
def test_what_a_question_asks_for(question: str, kind: Kind) -> None:
    assert kind_of(question) is kind


@pytest.mark.parametrize(
    "question",
    ["And on math?", "How does it work?", "What about the larger model?", "Why?", "Do they agree?"],
)
def test_a_follow_up_takes_its_words_from_the_turn_before(question: str) -> None:
    history = [("What is GeneGPT?", "GeneGPT is a method. [1]")]
    assert standalone(question, history) == f"What is GeneGPT? {question}"


def test_a_question_that_stands_alone_is_left_alone() -> None:
    question = "Which optimiser was used to train the OpenVLA policy on robot demonstrations?"
    assert not depends_on_history(question)
    assert standalone(question, [("What is GeneGPT?", "A method.")]) == question
    assert standalone("Why?", []) == "Why?"


def test_a_chain_of_follow_ups_reaches_back_to_where_it_began() -> None:
    history = [("What is GeneGPT?", "A method."), ("Who is it for?", "For biologists.")]
    assert standalone("Why?", history) == "What is GeneGPT? Who is it for? Why?"
