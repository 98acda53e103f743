"""T2: how a reading becomes a verdict, and that no part of a claim goes unread."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.answering.support import SupportChecker
from rag.ingest.cleaning import display
from rag.models.crossencoder import BundledCrossEncoder, Pair, Reading
from rag.models.pairs import MAX_QUERY_TOKENS
from rag.schema import Status

EVIDENCE = ["The model learns the data by heart."]
LONG = ", and ".join(["the model learns the data by heart"] * 30)
TOKENS = BundledCrossEncoder()


class Reads:
    """A cross-encoder whose support is a function of what it reads of a claim; it keeps claims."""

    name, checksum = "reads", "1"

    def __init__(self, support: Callable[[str], float]) -> None:
        self.support = support
        self.claims: list[str] = []

    def read(self, pairs: Sequence[Pair]) -> list[Reading]:
        self.claims += [pair.query for pair in pairs]
        read = [" ".join(pair.query.split()[:MAX_QUERY_TOKENS]) for pair in pairs]
        return [Reading((0.5,), 0.5, self.support(text)) for text in read]


def tokens(text: str) -> int:
    return len(TOKENS._tokenise(text))


@pytest.mark.parametrize(
    ("chance", "status", "reason"),
    [
        (0.19, Status.UNSUPPORTED, "the evidence does not seem to support it"),
        (0.2, Status.SUPPORTED, "the evidence probably supports it (p = 0.20)"),
        (0.49, Status.SUPPORTED, "the evidence probably supports it (p = 0.49)"),
        (0.5, Status.SUPPORTED, "the evidence supports it"),
    ],
)
def test_the_reason_says_how_sure_it_is(chance: float, status: Status, reason: str) -> None:
    checker = SupportChecker(Reads(lambda _: chance), supported_from=0.2)
    verdict = checker.check("It learns.", EVIDENCE)
    assert (verdict.status, verdict.reason) == (status, reason)
    assert verdict.probability == chance


def test_the_end_of_a_long_claim_is_read_and_the_lowest_reading_counts() -> None:
    encoder = Reads(lambda claim: 0.1 if "bees" in claim else 0.9)
    checker = SupportChecker(encoder, supported_from=0.5)
    assert tokens(LONG) > MAX_QUERY_TOKENS
    assert checker.check(LONG, EVIDENCE).status is Status.SUPPORTED
    assert checker.check(f"{LONG}, and bees dance", EVIDENCE).status is Status.UNSUPPORTED


def test_a_long_claim_is_cut_between_clauses() -> None:
    encoder = Reads(lambda _: 0.9)
    SupportChecker(encoder).check(LONG, EVIDENCE)
    assert all(claim.startswith(("the model", "and the model")) for claim in encoder.claims)


def test_a_claim_that_fits_is_read_once_and_whole() -> None:
    encoder = Reads(lambda _: 0.9)
    claim = "The model learns the data by heart, " * 8
    assert len(claim) > MAX_QUERY_TOKENS >= tokens(claim)
    SupportChecker(encoder).check(claim, EVIDENCE)
    assert encoder.claims == [claim.strip()]


@given(st.one_of(st.text(max_size=600), st.text("xqz, .7é", min_size=300, max_size=900)))
@settings(max_examples=40, deadline=None)
def test_every_piece_fits_and_together_they_are_the_claim(claim: str) -> None:
    encoder = Reads(lambda _: 0.9)
    SupportChecker(encoder).check(claim, EVIDENCE)
    assert all(tokens(piece) <= MAX_QUERY_TOKENS for piece in encoder.claims)
    assert "".join("".join(encoder.claims).split()) == "".join(display(claim).split())
