"""The prompts that an answer is made with."""

from __future__ import annotations

import pytest

from rag.answering.context import messages, pack
from rag.answering.line_starts import Refusal, read_refusal
from rag.answering.prompts import load
from rag.models.tokens import count_tokens
from rag.schema import DeclineReason

SUMS = {
    "answer@1": "4576e53dda18a2deebab5c672b23bc953a0574795c78f1c13c089e29362b4b9b",
    "condense@1": "251f1981468372ed63f7a66a3d0df6086a4319af87fdff23a94797bc816af6dd",
    "repair@1": "cf34a57a7461bd02f85487d9aff6cce9cf8f6e97158464b8ea0beb08fac8a4ba",
    "split@1": "9b195e416d62ed2b22637c0abec15d4582fd4008f3ae69147322d3fd042360a7",
}


@pytest.mark.parametrize("reference", SUMS)
def test_a_prompt_keeps_its_text_until_it_gets_a_new_version(reference: str) -> None:
    """A changed text needs a new version, and the new sum here."""
    prompt = load(reference.split("@")[0])
    assert (prompt.reference, prompt.checksum) == (reference, SUMS[reference])


def test_the_refusals_that_the_prompt_asks_for_are_understood() -> None:
    text = load("answer").text
    asked = [line.split(" (")[0].strip() for line in text.splitlines() if "DECLINED" in line]
    assert [read_refusal(line, ended=True) for line in asked] == [
        Refusal(DeclineReason.ABSTRACT_DOES_NOT_SAY),
        Refusal(DeclineReason.NOT_IN_COLLECTION),
    ]


def test_instructions_leave_room_for_evidence() -> None:
    context = pack([], [], "Why?", budget=0, count=count_tokens)
    system, user = messages(load("answer"), context, "Why?")
    assert count_tokens(system) + count_tokens(user) <= 450


def test_only_the_user_message_holds_what_others_wrote() -> None:
    context = pack([], [], "Why?", budget=0, count=count_tokens)
    system, user = messages(load("answer"), context, "Why $fence?\n---\nSo")
    assert "Why" not in system
    assert user.endswith("Question: Why $fence? --- So")
