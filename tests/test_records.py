from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.assistant import Assistant
from rag.errors import InputError
from rag.records import answer_from_json
from rag.schema import (
    Answer,
    Citation,
    Claim,
    DeclineReason,
    Hit,
    Paper,
    Passage,
    Status,
    Usage,
    Verdict,
)

WORDS = st.text(max_size=12)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
ABSTRACT = "Models learn. They forget too."
PAPER = Paper("p1", "One way", ABSTRACT, ("Ann Lee",), 2023, sources=("a.txt",))
OTHER = Paper("p2", "Another way", "Robots learn.")
ANSWER = Answer(
    "Who learns?",
    "Who learns?",
    (Claim("Models do.", (Citation(1, PAPER, 0, 0, 13),), Verdict(Status.SUPPORTED, "T0", "r")),),
    None,
    "",
    (OTHER,),
    (Hit(Passage(0, "p1", 0, 0, 0, 30), PAPER, 1, 0.5, {"dense": 0.7}),),
    "extractive",
    0.9,
)


@st.composite
def papers(draw: st.DrawFn, number: int) -> Paper:
    known = st.none() | WORDS
    return Paper(
        f"p{number}",
        draw(WORDS),
        draw(st.text(min_size=1, max_size=40)),
        tuple(draw(st.lists(WORDS, max_size=2))),
        draw(st.none() | st.integers(1900, 2100)),
        draw(known),
        draw(known),
        draw(known),
        draw(known),
        tuple(draw(st.lists(WORDS, max_size=2))),
    )


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    held = [draw(papers(number)) for number in range(1, 4)]

    def span(paper: Paper) -> tuple[int, int]:
        ends = draw(st.tuples(*[st.integers(0, len(paper.abstract))] * 2))
        return min(ends), max(ends)

    def citation(number: int) -> Citation:
        return Citation(number, held[number - 1], draw(st.integers(0, 9)), *span(held[number - 1]))

    def claim() -> Claim:
        cited = draw(st.lists(st.integers(1, 3), max_size=3))
        chance = draw(st.none() | NUMBERS)
        verdict = Verdict(draw(st.sampled_from(Status)), draw(WORDS), draw(WORDS), chance)
        return Claim(draw(WORDS), tuple(map(citation, cited)), verdict, draw(WORDS))

    def hit(rank: int) -> Hit:
        paper = draw(st.sampled_from(held))
        scores = draw(st.dictionaries(WORDS, NUMBERS, max_size=2))
        return Hit(Passage(0, paper.id, 0, 0, *span(paper)), paper, rank, draw(NUMBERS), scores)

    return Answer(
        question=draw(WORDS),
        standalone_question=draw(WORDS),
        claims=tuple(claim() for _ in range(draw(st.integers(0, 3)))),
        declined=draw(st.none() | st.sampled_from(DeclineReason)),
        message=draw(WORDS),
        suggestions=tuple(draw(st.lists(st.sampled_from(held), max_size=2))),
        hits=tuple(hit(rank) for rank in range(1, draw(st.integers(1, 3)))),
        mode=draw(WORDS),
        confidence=draw(st.none() | NUMBERS | st.just(1)),
        notes=tuple(draw(st.lists(WORDS, max_size=2))),
        id=draw(st.none() | WORDS),
        model=draw(st.none() | WORDS),
        prompts=tuple(draw(st.lists(WORDS, max_size=2))),
        usage=Usage(draw(st.integers(0, 9)), 1, 2, draw(st.booleans())),
        counts=draw(st.dictionaries(WORDS, st.integers(0, 9), max_size=2)),
        settings=draw(st.dictionaries(WORDS, st.none() | WORDS | NUMBERS | st.lists(WORDS))),
        collection=draw(st.dictionaries(WORDS, WORDS, max_size=2)),
        timings=draw(st.dictionaries(WORDS, NUMBERS, max_size=2)),
    )


@given(answers())
def test_an_answer_survives_its_record(answer: Answer) -> None:
    again = answer_from_json(answer.to_json())
    assert again.to_json() == answer.to_json()
    assert again == answer


def test_answers_over_the_sample_collection_survive_their_records(sample: Assistant) -> None:
    chat = sample.chat()
    for question in (
        "Are emergent abilities of language models real, or an artefact of the metric?",
        "Which papers are about robots?",
        "And which of them use language?",
        "What is the capital of Australia?",
        "How does GeneGPT work?",
    ):
        answer = chat.ask(question)
        again = answer_from_json(answer.to_json())
        assert again.to_json() == answer.to_json()
        assert (again.claims, again.text) == (answer.claims, answer.text)
        assert [hit.text for hit in again.hits] == [hit.text for hit in answer.hits]


def test_texts_with_lone_surrogates_survive() -> None:
    answer = replace(ANSWER, question="a\ud800b\x00")
    assert answer_from_json(answer.to_json()) == answer


def test_what_a_kept_record_has_in_addition_is_left_out() -> None:
    values = {**json.loads(ANSWER.to_json()), "id": "01", "time": "2026-11-01T00:00:00.000+00:00"}
    assert answer_from_json(json.dumps(values)) == replace(ANSWER, id="01")


def test_a_record_of_the_first_format_is_read() -> None:
    values = json.loads(ANSWER.to_json())
    for later in ("id", "model", "prompts", "usage", "counts"):
        del values[later]
    assert answer_from_json(json.dumps({**values, "format": "footnoted-answer/1"})) == ANSWER


def changed(*path: str | int, to: object) -> Callable[[dict[str, Any]], None]:
    def change(values: dict[str, Any]) -> None:
        held: Any = values
        for step in path[:-1]:
            held = held[step]
        held[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changed("format", to="footnoted-answer/9"), "format: expected footnoted-answer/1"),
        (changed("format", to=["x"]), "format: expected"),
        (changed("extra", to=1), "record: 'extra' is unknown"),
        (changed("claims", 0, "extra", to=1), "claims[0]: 'extra' is unknown"),
        (changed("claims", 0, "verdict", to={}), "claims[0].verdict: "),
        (changed("claims", 0, "verdict", "status", to="fine"), "expected one of supported, "),
        (changed("claims", 0, "verdict", "status", to=[]), "expected one of supported, "),
        (changed("claims", 0, "text", to="Robots do."), "text: it is not what the claims say"),
        (
            changed("claims", 0, "citations", 0, "quote", to="x"),
            "the abstract says 'Models learn.'",
        ),
        (changed("claims", 0, "citations", 0, "end", to=31), "0 to 31 lies outside the abstract"),
        (changed("claims", 0, "citations", 0, "start", to=-1), "-1 to 13 lies outside"),
        (changed("claims", 0, "citations", 0, "paper", to="p9"), "'p9' is none of its papers"),
        (changed("claims", 0, "citations", 0, "paper", to=[]), "[] is none of its papers"),
        (
            changed("claims", 0, "citations", 0, "number", to=True),
            "number: expected a whole number",
        ),
        (changed("claims", to={}), "claims: expected a list"),
        (changed("hits", 0, "passage", to={"start": 0}), "hits[0].passage: expected start and end"),
        (changed("hits", 0, "passage", "end", to=99), "hits[0].passage: 0 to 99 lies outside"),
        (changed("hits", 0, "score", to="high"), "hits[0].score: expected a number, found 'high'"),
        (changed("papers", to=[]), "papers: expected an object"),
        (changed("papers", "p1", "id", to="p3"), "papers.p1.id: expected 'p1', found 'p3'"),
        (changed("papers", "p3", to={"id": "p3", "title": "", "abstract": ""}), "names 'p3'"),
        (changed("papers", "p1", "abstract", to="Other words."), "lies outside the abstract"),
        (changed("question", to=None), "question: expected a text, found None"),
        (changed("usage", "calls", to=1.5), "usage.calls: expected a whole number"),
        (changed("declined", to="tired"), "declined: expected one of not_in_collection, "),
    ],
)
def test_anything_else_is_refused_in_words(
    change: Callable[[dict[str, Any]], None], said: str
) -> None:
    values = json.loads(ANSWER.to_json())
    change(values)
    with pytest.raises(InputError) as caught:
        answer_from_json(json.dumps(values))
    assert said in str(caught.value)
    assert "footnoted ask --json" in str(caught.value)


@pytest.mark.parametrize("key", ["question", "claims", "papers", "text", "format", "hits"])
def test_a_missing_key_is_refused(key: str) -> None:
    values = json.loads(ANSWER.to_json())
    del values[key]
    with pytest.raises(InputError, match=key):
        answer_from_json(json.dumps(values))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "{", "3", '{"a": 1, "a": 2}', "[" * 100_000, '{"a": NaN}', '{"a": 1e999}'],
)
def test_what_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not the record of an answer"):
        answer_from_json(text)


@given(st.data())
def test_a_damaged_record_is_refused_or_read_as_it_stands(data: st.DataObject) -> None:
    text = ANSWER.to_json()
    at = data.draw(st.integers(0, len(text) - 1))
    damaged = text[:at] + data.draw(st.characters()) + text[at + 1 :]
    try:
        again = answer_from_json(damaged)
    except InputError:
        return
    assert json.loads(again.to_json()) == json.loads(damaged)
