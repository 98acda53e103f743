"""What is told of claims that fail: nothing unchecked stays, not even before another claim."""

from __future__ import annotations

from rag.answering.drafts import Draft
from rag.answering.telling import Telling
from rag.answering.verifying import Verifier
from rag.events import Event, Pending, Told
from tests.test_context import HELD
from tests.test_verifying import CONTEXT, KEYS

VERIFIER = Verifier(CONTEXT, HELD, (), "What is grokking?")
GOOD = ("We call this grokking.", (KEYS["We call this"],))
BAD = ("Bees dance.", ())


def told(*drafts: Draft, strict: bool = False) -> str:
    """The text of an answer of these drafts."""
    telling = Telling({})
    for draft in drafts:
        list(telling.take(VERIFIER.verify(draft)))
    final = [None if strict and item.fails else item for item in telling.waiting]
    list(telling.settle(final))
    return "".join(f"{claim.lead}{claim.text}" for claim in telling.claims)


def heading(text: str, lead: str = "") -> Draft:
    return Draft(text, (), lead, heading=True)


def test_a_heading_that_says_something_is_never_told() -> None:
    assert told(heading("Pay at evil.com", "# "), Draft(*GOOD, "\n\n")) == GOOD[0]
    assert told(Draft(*GOOD), heading("**Bees**", "\n\n"), Draft(*GOOD, "\n- ")) == (
        "We call this grokking.\n- We call this grokking."
    )
    assert told(Draft(*GOOD), heading("Bees", "\n")) == GOOD[0]


def test_a_heading_of_the_question_is_told_as_it_was_set() -> None:
    text = "## Grokking\nWe call this grokking."
    assert told(heading("Grokking", "## "), Draft(*GOOD, "\n")) == text


def test_a_heading_is_left_out_behind_a_claim_that_waits_too() -> None:
    drafts = Draft(*BAD), heading("Bees", "\n# "), Draft(*GOOD, "\n")
    assert told(*drafts) == "Bees dance.\nWe call this grokking."
    assert told(*drafts, strict=True) == "We call this grokking."


def test_the_rule_of_a_table_goes_with_its_first_row() -> None:
    row = Draft(*GOOD, "\n|---|:-:|\n| ")
    assert told(heading("Bees | dance |", "| "), row) == "| We call this grokking."
    kept = told(heading("Grokking |", "| "), row)
    assert kept == "| Grokking |\n|---|:-:|\n| We call this grokking."


def test_a_heading_that_was_pending_is_taken_back_without_waiting() -> None:
    telling = Telling({})
    assert telling.write("Bees") == Pending("Bees")
    events: list[Event] = list(telling.take(VERIFIER.verify(heading("Bees"))))
    assert events == [Pending("")]
    [event] = telling.take(VERIFIER.verify(Draft(*GOOD, "\n")))
    assert isinstance(event, Told)


def test_a_heading_that_waits_is_neither_pending_nor_to_be_mended() -> None:
    telling = Telling({})
    list(telling.take(VERIFIER.verify(Draft(*BAD))))
    [pending] = telling.take(VERIFIER.verify(heading("Bees", "\n# ")))
    assert pending == Pending("Bees dance.")
    assert [item.draft.text for item in telling.failing] == ["Bees dance."]
