"""Checking what a model wrote: footnotes that are needed, found and mended."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rag.answering.calls import Calls
from rag.answering.condensing import condense, split
from rag.answering.context import pack
from rag.answering.drafts import Draft
from rag.answering.mending import read_lines
from rag.answering.telling import Telling
from rag.answering.verifying import Verifier
from rag.errors import EndpointError
from rag.events import Told
from rag.models.llm import Message, SettledReply, Usage
from rag.schema import Status, Verdict
from tests.test_context import HELD, words

CONTEXT = pack(HELD, [None] * 3, "?", budget=1000, count=words)
KEYS = {entry.quote[:12]: entry.key for entry in CONTEXT.evidence.values()}
RULES = Verifier(CONTEXT, HELD, ())


class Sure:
    """A further tier that gives what holds a word of the claim that probability."""

    name, multilingual = "T2 test", False

    def __init__(self, word: str, probability: float) -> None:
        self.word, self.probability = word, probability

    def check(self, claim: str, evidence: Sequence[str], title: str = "") -> Verdict:
        holds = any(self.word in sentence for sentence in evidence)
        chance = self.probability if holds else 0.1
        status = Status.SUPPORTED if chance >= 0.5 else Status.UNSUPPORTED
        return Verdict(status, self.name, "so it says", chance)


@pytest.mark.parametrize(
    "text",
    ["Not stated: how long it takes.", "The papers disagree.", "In summary:", "However, …"],
)
def test_what_claims_nothing_of_a_paper_needs_no_footnote(text: str) -> None:
    checked = RULES.verify(Draft(text, ()))
    assert checked.verdict.status is Status.UNCHECKED
    assert checked.evidence == ()


@pytest.mark.parametrize("text", ["Bees dance.", "GPT-5 agrees.", "All 12 papers agree."])
def test_what_says_something_without_a_footnote_is_unsupported(text: str) -> None:
    assert RULES.verify(Draft(text, ())).verdict.status is Status.UNSUPPORTED


def test_a_claim_with_the_wrong_footnote_gets_the_right_one() -> None:
    text = "Our encoder reaches 76.2% on ImageNet."
    checked = RULES.verify(Draft(text, (KEYS["We call this"],)))
    assert checked.recited
    assert [entry.key for entry in checked.evidence] == [KEYS["Our encoder "]]
    assert checked.verdict.status is Status.SUPPORTED


def test_without_a_cross_encoder_a_footnote_is_found_by_most_of_the_words() -> None:
    near = RULES.verify(Draft("The encoder reaches 76.2% of ImageNet.", ()))
    far = RULES.verify(Draft("The encoder of bees reaches honey quickly.", ()))
    assert (near.recited, near.verdict.status) == (True, Status.UNCHECKED)
    assert (far.recited, far.verdict.status) == (False, Status.UNSUPPORTED)


@pytest.mark.parametrize(("probability", "found"), [(0.9, True), (0.6, False)])
def test_another_footnote_has_to_be_surer_than_the_one_named(
    probability: float, found: bool
) -> None:
    verifier = Verifier(CONTEXT, HELD, (Sure("ascribe", probability),))
    text = "Ascribing beliefs to others is called theory of mind."
    named = verifier.verify(Draft(text, (KEYS["Theory of mi"],)))
    assert (named.recited, named.fails) == (False, False)
    other = verifier.verify(Draft(text, (KEYS["Our encoder "],)))
    assert (other.recited, other.fails) == (found, not found)


def test_corrections_are_read_by_number_however_they_are_set() -> None:
    text = "Sure!\n1: One.\n**2.** Two: it is.\n (3) Three.\nclaim 4: DROP\nno number"
    assert read_lines(text) == {1: "One.", 2: "Two: it is.", 3: "Three.", 4: "DROP"}


def test_what_a_dropped_claim_stood_on_a_line_for_is_kept() -> None:
    telling = Telling({"id1": 7})
    good = RULES.verify(Draft("We call this grokking.", (KEYS["We call this"],)))
    bad = RULES.verify(Draft("Bees dance.", (), "\n- "))
    seeing = Draft("Our encoder reaches 76.2% on ImageNet.", (KEYS["Our encoder "],), " ")
    for checked in (good, bad, RULES.verify(seeing)):
        list(telling.take(checked))
    assert [claim.text for claim in telling.claims] == ["We call this grokking."]
    [told] = telling.settle([None, telling.waiting[1]])
    assert isinstance(told, Told)
    assert told.claim.lead == "\n- "
    assert told.claim.numbers == (7,)
    assert telling.claims[0].numbers == (8,)


class Says:
    """A model that says one thing."""

    name, window = "says", 8192

    def __init__(self, text: str) -> None:
        self.text = text
        self.asked: list[Message] = []

    def count_tokens(self, text: str) -> int:
        return words(text)

    def stream(self, messages: Sequence[Message], *, max_tokens: int) -> SettledReply:
        self.asked += messages
        return SettledReply([self.text], usage=Usage(1, 1, 1))

    def prepare(self) -> None:
        """Nothing is loaded."""

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    "text",
    [
        "When does grokking happen?",
        '  "When does grokking happen?"\n\nI have put in the name.',
        "<think>Hm? What?</think>\n**Rewritten question:** When does grokking happen?",
        "Question: When does grokking happen?",
        "Frage: When does grokking happen?".replace("Frage", "Standalone question"),
    ],
)
def test_the_question_is_found_in_what_the_model_says(text: str) -> None:
    assert condense("When?", [("What?", "It.")], Calls(Says(text))) == "When does grokking happen?"


def test_a_long_conversation_is_cut_from_its_beginning() -> None:
    model = Says("What is it?")
    history = [(f"Question {turn}?", "word " * 300) for turn in range(20)]
    condense("And now?", history, Calls(model))
    [message] = model.asked
    assert "Question 19?" in message.content
    assert "Question 3?" not in message.content


def test_no_question_at_all_is_an_error() -> None:
    with pytest.raises(EndpointError, match="says wrote no question"):
        condense("When?", [("What?", "It.")], Calls(Says("…")))


def test_a_question_is_split_into_at_most_four() -> None:
    lines = "\n".join(f"{n}. Part {n}?" for n in (1, 2, 2, 3, 4, 5))
    assert split("All?", Calls(Says(lines))) == ("Part 1?", "Part 2?", "Part 3?", "Part 4?")
    assert split("All?", Calls(Says("!!"))) == ("All?",)
