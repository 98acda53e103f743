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


@pytest.mark.parametrize(
    "question",
    [
        "What is MindAgent?",
        "What is grokking?",
        "What are emergent abilities?",
        "Who wrote LIMO?",
        "Does GPT-4 have empathy?",
        "How many tasks are in MMInA?",
        "Which papers study grokking?",
        "Which benchmark measures that language models hallucinate?",
        "Which papers show that models can learn in context?",
        "Are there any papers on copulas in probabilistic programming?",
        "How do open models compare with those that are closed?",
        "Which robots learn more than one task from videos?",
        "Who are the authors of GeneGPT?",
        "Why do language models hallucinate about citations in long documents?",
        "Which is the first benchmark made only of songs?",
    ],
)
def test_a_change_of_topic_takes_nothing_from_the_turn_before(question: str) -> None:
    assert standalone(question, [("What is GeneGPT?", "A method. [1]")]) == question


@pytest.mark.parametrize(
    "question",
    [
        "Is it better than GPT-4 on reasoning tasks in medicine?",
        "And what of MindAgent on the same tasks?",
        "What about MindAgent?",
        "On GSM8K?",
        "What is new?",
        "What is missing in medicine?",
        "What are the limitations?",
        "Is that true of models that were trained on code only?",
        "Why does this happen in robots that learn from videos?",
        "Which data sets did the authors of the paper choose for training?",
        "How does this method compare with fine-tuning on every task?",
        "Who else has looked into tool use by language models?",
        "Which language models were evaluated there?",
        "Is the second one trained on more data than MindAgent?",
        "Do both rely on reinforcement learning from human feedback?",
    ],
)
def test_a_question_that_points_back_takes_the_turn_before(question: str) -> None:
    history = [("What is GeneGPT?", "A method. [1]")]
    assert standalone(question, history) == f"What is GeneGPT? {question}"


def test_after_a_change_of_topic_only_the_new_one_is_carried() -> None:
    history = [("What is GeneGPT?", ""), ("Why?", ""), ("What is MindAgent?", "")]
    assert standalone("Who made it?", history) == "What is MindAgent? Who made it?"


def test_a_long_chain_carries_where_it_began_and_the_turn_before() -> None:
    turns = ["What is GeneGPT?", "Who is it for?", "Does it use tools?", "Which ones?"]
    history = [(turn, "") for turn in turns]
    assert standalone("Why?", history) == "What is GeneGPT? Which ones? Why?"
    assert standalone("Which ones?", history) == "What is GeneGPT? Which ones?"


@pytest.mark.parametrize("first", ["What is GeneGPT?", "Why?"])
def test_2_000_turns_are_no_trouble(first: str) -> None:
    history = [(first, "")] + [(f"And number {n}?", "") for n in range(1999)]
    assert standalone("Why?", history) == f"{first} And number 1998? Why?".removeprefix(
        "Why? " if first == "Why?" else ""
    )


@given(st.lists(st.text(max_size=50).map(lambda text: text * 90), min_size=1, max_size=4))
def test_what_is_searched_for_is_never_longer_than_a_question(texts: list[str]) -> None:
    *earlier, question = [text[:MAX_QUESTION_CHARS] for text in texts]
    found = standalone(question, [(text, "") for text in earlier])
    assert len(found) <= MAX_QUESTION_CHARS
    assert found.endswith(question)


def test_the_oldest_is_dropped_first_where_not_all_fits() -> None:
    long = "What is GeneGPT " + "x" * 3_980 + "?"
    assert standalone("Why?", [(long, ""), ("Is it new?", "")]) == "Is it new? Why?"
