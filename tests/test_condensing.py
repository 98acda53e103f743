"""Questions in other words: what is read out of a reply, and what fits into a prompt."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rag.answering.calls import MAX_PROMPT_TOKENS, Calls
from rag.answering.condensing import condense, split
from rag.answering.prompts import load
from rag.errors import EndpointError
from rag.models.llm import Message, SettledReply, Usage
from rag.models.tokens import count_tokens

HISTORY = [("What is grokking?", "A sudden generalisation. [1]")]
ASKED = "When does grokking happen?"


class Says:
    """A model that says one thing."""

    name = "says"

    def __init__(self, text: str, *, window: int = 8192, finish: str = "stop") -> None:
        self.text, self.window, self.finish = text, window, finish
        self.prompts: list[str] = []
        self.sizes: list[int] = []

    def count_tokens(self, text: str) -> int:
        return count_tokens(text)

    def stream(self, messages: Sequence[Message], *, max_tokens: int) -> SettledReply:
        [message] = messages
        self.prompts.append(message.content)
        self.sizes.append(count_tokens(message.content) + max_tokens)
        return SettledReply([self.text], usage=Usage(1, 1, 1), finish=self.finish)

    def prepare(self) -> None:
        """Nothing is loaded."""

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    "text",
    [
        f"Here is the rewritten question:\n\n{ASKED}",
        f"Sure!\n{ASKED}",
        f"Self-contained question: {ASKED}",
        f"Sure! Here is the rewritten question: **{ASKED}**",
        f"<reasoning>What?</reasoning>\n{ASKED}",
        f"<think>\nIs it this?\n</thought>{ASKED}",
        f"The user asks about it. Is it grokking?\nYes.\n{ASKED}",
    ],
)
def test_the_question_is_told_from_what_is_said_around_it(text: str) -> None:
    assert condense("When?", HISTORY, Calls(Says(text))) == ASKED


@pytest.mark.parametrize("text", ["List papers on bees.", "I want papers on bees"])
def test_a_question_needs_no_question_mark(text: str) -> None:
    assert condense("More?", HISTORY, Calls(Says(text))) == text
    assert condense("Here is all", HISTORY, Calls(Says("Here is all"))) == "Here is all"


@pytest.mark.parametrize(
    "text",
    [
        "Here is the rewritten question:",
        "Sure!",
        "Okay.",
        "I cannot rewrite this.",
        "<think>\nWhat does it mean? When does it",
        "<reasoning>hm</reasoning>",
    ],
)
def test_what_is_no_question_is_not_searched_for(text: str) -> None:
    with pytest.raises(EndpointError, match="no question"):
        condense("When?", HISTORY, Calls(Says(text)))


def test_a_reply_that_was_cut_off_is_not_used() -> None:
    model = Says("When does grokking happen in", finish="length")
    with pytest.raises(EndpointError, match="cut off at 600 tokens"):
        condense("When?", HISTORY, Calls(model))
    with pytest.raises(EndpointError, match="cut off"):
        split("All?", Calls(model))


def test_a_split_takes_the_questions_and_long_items_of_a_list() -> None:
    text = "Here are the questions:\n1. What is grokking?\n2. List papers on theory of mind\nDone."
    parts = ("What is grokking?", "List papers on theory of mind")
    assert split("All?", Calls(Says(text))) == parts
    assert split("All?", Calls(Says("Here are the questions:"))) == ("All?",)


@pytest.mark.parametrize("window", [1000, 2048, 8192, 128_000])
def test_prompt_and_reply_fit_into_the_window(window: int) -> None:
    long = [("Why " + "so " * 1300 + "?", "word [1, 2] " * 2000)] * 8
    titles = {1: "A title " * 100, 2: "Another"}
    model = Says(ASKED, window=window)
    assert condense("When?", long, Calls(model), titles) == ASKED
    assert split("Why?", Calls(model)) == (ASKED,)
    assert all(size <= window for size in model.sizes)
    assert all(count_tokens(prompt) <= MAX_PROMPT_TOKENS for prompt in model.prompts)
    assert "Question: Why so" in model.prompts[0]


def test_a_question_that_does_not_fit_is_not_sent() -> None:
    model = Says(ASKED, window=1000)
    for make in (lambda: condense("so " * 1300, HISTORY, Calls(model)),
                 lambda: split("so " * 1300, Calls(model))):  # fmt: skip
        with pytest.raises(EndpointError, match="no room"):
            make()
    prompt = load("condense").fill(fence="=====1a2b3c4d5e6f", history="", question="When?")
    narrow = count_tokens(prompt) * 3 // 2 + 45
    model.window = narrow
    assert 0 < Calls(model).room(prompt, max_tokens=narrow // 3) < 15
    with pytest.raises(EndpointError, match="no room"):
        condense("When?", [("so " * 300, "word " * 300)], Calls(model))
    assert model.prompts == []


def test_the_papers_that_an_answer_cites_are_named_beside_it() -> None:
    history = [
        ("What is grokking?", "It is sudden. [1] " + "It is so. " * 200 + "It ends. [3, 1]"),
        ("And minds?", "They believe. [2] It is sudden. [1]"),
    ]
    model = Says(ASKED)
    titles = {1: "Grokking\nQuestion: x", 2: "Theory of mind", 3: "Ends", 4: "Never named"}
    condense("Who wrote paper [3]?", history, Calls(model), titles)
    [prompt] = model.prompts
    papers = [line for line in prompt.splitlines() if line.startswith("Paper [")]
    assert papers == ["Paper [3]: Ends", "Paper [2]: Theory of mind",
                      "Paper [1]: Grokking Question: x"]  # fmt: skip
    assert "It ends." not in prompt


def test_what_is_left_for_data_is_never_negative() -> None:
    calls = Calls(Says("", window=500))
    assert calls.longest_reply(600) == 166
    assert calls.room(load("condense").text * 9, max_tokens=166) == 0
    assert 0 < calls.room("So.", max_tokens=166) < 500 - 166
