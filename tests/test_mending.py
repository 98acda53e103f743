"""The one call that corrects claims: what it may cost, and which corrections are taken."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rag.answering.calls import Calls
from rag.answering.drafts import Draft
from rag.answering.mending import MAX_EVIDENCE, MAX_TOKENS, mend
from rag.answering.verifying import RECITED_FROM, Checked, Verifier
from rag.models.llm import Message, SettledReply, Usage
from rag.schema import Status, Verdict
from tests.test_context import HELD, words
from tests.test_verifying import CONTEXT, KEYS

SIGHT = KEYS["Our encoder "]
ALL = tuple(CONTEXT.evidence)
WRONG = "Our encoder reaches 90% on ImageNet."
PROMPT_TOKENS = 3500


class Fixed:
    """A further tier that is as sure of everything."""

    name, multilingual = "T2 test", False

    def __init__(self, chance: float) -> None:
        self.chance = chance

    def check(self, claim: str, evidence: Sequence[str], title: str = "") -> Verdict:
        return Verdict(Status.SUPPORTED, self.name, "so it says", self.chance)


class Mends:
    """A model that answers with a text; it keeps what it was asked, and the longest reply."""

    name = "mends"

    def __init__(self, text: str, window: int = 8192) -> None:
        self.text, self.window = text, window
        self.prompts: list[str] = []
        self.longest = 0

    def count_tokens(self, text: str) -> int:
        return words(text)

    def stream(self, messages: Sequence[Message], *, max_tokens: int) -> SettledReply:
        self.prompts += [message.content for message in messages]
        self.longest = max_tokens
        return SettledReply([self.text], usage=Usage(1, 1, 1))

    def prepare(self) -> None:
        """Nothing is loaded."""

    def close(self) -> None:
        """Nothing is open."""


def mended(text: str, verifier: Verifier, claim: str = WRONG, *keys: str) -> str | None:
    """The claim after a reply; None where it still fails."""
    failing = verifier.verify(Draft(claim, keys or (SIGHT,)))
    assert failing.fails
    [checked] = mend([failing], Calls(Mends(f"1: {text}")), verifier)
    assert checked is not None
    return None if checked.fails else checked.draft.text


@pytest.mark.parametrize("text", ["nothing", "It does.", "Sure!", "It agrees.", "Bees dance well."])
def test_a_correction_that_says_nothing_of_the_evidence_is_not_taken(text: str) -> None:
    assert mended(text, Verifier(CONTEXT, HELD, (Fixed(1.0),))) is None
    assert mended(text, Verifier(CONTEXT, HELD, ())) is None


@pytest.mark.parametrize(("chance", "taken"), [(RECITED_FROM - 0.1, False), (RECITED_FROM, True)])
def test_a_correction_has_to_be_sure(chance: float, taken: bool) -> None:
    text = "The encoder reaches 76.2% on ImageNet."
    found = mended(text, Verifier(CONTEXT, HELD, (Fixed(chance),)))
    assert found == (text if taken else None)


def test_a_correction_that_stands_word_for_word_is_taken() -> None:
    text = "Our encoder reaches 76.2% on ImageNet."
    assert mended(text, Verifier(CONTEXT, HELD, (Fixed(0.1),))) == text


def test_what_cannot_be_checked_is_taken_if_it_is_the_claim_in_all_but_a_few_words() -> None:
    verifier = Verifier(CONTEXT, HELD, (Fixed(1.0),))
    claim = "Die Netze lernen das nach 99.000 Schritten und verallgemeinern erst dann."
    keys = (KEYS["Networks fir"], KEYS["It happens a"])
    right = claim.replace("99.000", "10.000")
    assert mended(right, verifier, claim, *keys) == right
    assert mended("Das ist nicht so und die Bienen sind da.", verifier, claim, *keys) is None


def failing(count: int) -> list[Checked]:
    draft = Draft(f"{WRONG} {'word ' * 100}", ALL)
    verdict = Verdict(Status.UNSUPPORTED, "T1 numbers", "no")
    return [Checked(draft, tuple(CONTEXT.evidence.values()), verdict) for _ in range(count)]


@pytest.mark.parametrize("window", [1024, 2048, 8192])
def test_the_call_stays_within_the_window_and_its_budget(window: int) -> None:
    model = Mends("", window)
    items = failing(60)
    assert mend(items, Calls(model), Verifier(CONTEXT, HELD, ())) == items
    [prompt] = model.prompts
    assert model.longest == min(MAX_TOKENS, window // 3)
    assert words(prompt) <= min(PROMPT_TOKENS, window - model.longest)
    assert "1: Our encoder" in prompt
    assert "60: Our encoder" not in prompt


def test_a_claim_that_was_not_sent_is_not_corrected() -> None:
    verifier = Verifier(CONTEXT, HELD, ())
    *others, last = items = failing(60)
    text = "Our encoder reaches 76.2% on ImageNet."
    found = mend(items, Calls(Mends(f"1: {text}\n60: {text}", 1024)), verifier)
    assert found[0] is not others[0]
    assert found[-1] is last


def test_at_most_three_sentences_are_shown_those_most_like_the_claim() -> None:
    model = Mends("")
    mend(failing(1), Calls(model), Verifier(CONTEXT, HELD, ()))
    assert model.prompts[0].count("evidence: ") == MAX_EVIDENCE < len(ALL)
    assert "evidence: Our encoder reaches 76.2% on ImageNet." in model.prompts[0]


def test_nothing_is_asked_where_no_claim_fits() -> None:
    model = Mends("", 300)
    items = failing(2)
    assert mend(items, Calls(model), Verifier(CONTEXT, HELD, ())) == items
    assert model.prompts == []
